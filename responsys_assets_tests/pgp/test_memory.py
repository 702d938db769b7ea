"""The size of a message does not matter to memory: everything is a stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from responsys_assets_tests.conftest import MakeProject, PgpKeys
from responsys_assets_tests.pgp.letters import pgp_project
from responsys_assets_tests.pgp.measured import measured
from responsys_assets_tests.scorecard import size

MAX_MIB = 100

THERE_AND_BACK = """
import hashlib, random
MIB = 1 << 20
target, size = Path(sys.argv[2]), int(sys.argv[3])
block = random.Random(1).randbytes(MIB)

def pieces():
    for number in range(size):
        yield number.to_bytes(4, "big") + block[4:]

sent, got = hashlib.sha256(), hashlib.sha256()
with encrypting(project, ["me"], False, target) as writer:
    for piece in pieces():
        sent.update(piece)
        writer.write(piece)
with decrypting(project, target) as message:
    buffer = bytearray(MIB)
    while count := message.readinto(buffer):
        got.update(memoryview(buffer)[:count])
    message.finish()
result = [[sent.hexdigest(), got.hexdigest(), message.size, target.stat().st_size]]
"""


@pytest.mark.scorecard(14)
def test_a_large_message_costs_no_memory(
    make_project: MakeProject, pgp_keys: PgpKeys, tmp_path: Path, private_tmp: Path
) -> None:
    """Fails when `Encryption.write` collects what it gets, or a reader asks for all at once."""
    project = pgp_project(make_project, pgp_keys, me="own")
    target, mib = tmp_path / "large.gpg", size(128, 1024)
    done = measured(THERE_AND_BACK, str(project.file), str(target), str(mib))
    target.unlink()
    ((sent, got, read, written),) = done.result
    assert sent == got
    assert int(read) == mib << 20 < int(written)
    assert max(done.python, done.gpg) <= MAX_MIB
