"""A few bytes that unpack to a gigabyte are stopped early, and cost neither time nor memory."""

from __future__ import annotations

import bz2
import zlib
from pathlib import Path

import pytest

from responsys_assets.config.project import Project
from responsys_assets.pgp import decrypt
from responsys_assets.pgp.home import GpgHome
from responsys_assets_tests.conftest import MakeProject, PgpKeys
from responsys_assets_tests.pgp.letters import gpg, packet, pgp_project
from responsys_assets_tests.pgp.measured import measured
from responsys_assets_tests.scorecard import Cases

GIB = 1 << 30
MIB = 1 << 20
MAX_SECONDS = 1.0  # of our processor time and gpg's: others may be busy here
MAX_MIB = 100

TRY = """
def spent():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)

result = []
with keyring(project) as ring:
    for path in sys.argv[2:]:
        begin = spent()
        try:
            with ring.decrypting(Path(path)) as message:
                while message.read(1 << 16):
                    pass
                message.finish()
            code = "none"
        except PgpError as error:
            code = error.code
        result.append([code, message.size, spent() - begin])
"""


@pytest.fixture(scope="module")
def bombs(pgp_keys: PgpKeys, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Messages of 1 KB, 3 KB and 1 MB with up to a GiB of zeros inside."""
    folder = tmp_path_factory.mktemp("bombs")
    head = b"\xcb\xff" + (6 + GIB).to_bytes(4, "big") + b"b\0" + bytes(4)  # literal, binary
    zeros = _deflated(bytes(MIB))
    zipped = packet(8, b"\1" + _deflated(head) + zeros * 1024 + b"\3\0")
    # bzip2 takes long to pack: twice the cap says as much as a GiB
    burst = packet(8, b"\3" + bz2.compress(head + bytes(2 * decrypt.MAX_FLOOR)))
    twice = packet(8, b"\1" + zlib.compress(zipped, 9)[2:-4])
    with GpgHome() as home:
        home.import_file(pgp_keys.public("own"))
        to_own = (
            "-z",
            "0",
            "--no-literal",
            "--encrypt",
            "--recipient",
            pgp_keys.fingerprint("own"),
        )
        for name, packets in {"zip": zipped, "bzip2": burst, "zip in zip": twice}.items():
            (folder / f"{name}.gpg").write_bytes(gpg(home, *to_own, data=packets))
    return sorted(folder.iterdir())


def _deflated(content: bytes) -> bytes:
    """A piece of a deflate stream that needs nothing of what is before it, and does not end it."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return engine.compress(content) + engine.flush(zlib.Z_FULL_FLUSH)


@pytest.fixture
def project(make_project: MakeProject, pgp_keys: PgpKeys) -> Project:
    return pgp_project(make_project, pgp_keys)


@pytest.mark.scorecard(13)
def test_a_bomb_is_stopped_at_the_cap(
    project: Project, bombs: list[Path], private_tmp: Path, cases: Cases
) -> None:
    """Fails when `Decryption.readinto` does not look at the cap."""
    tried = measured(TRY, str(project.file), *map(str, bombs))
    for path, (code, size, seconds) in cases.each(zip(bombs, tried.result, strict=True)):
        cap = max(decrypt.MAX_FLOOR, decrypt.MAX_RATIO * path.stat().st_size)
        assert (code, int(size) <= cap + MIB) == ("bomb", True), path.name
        assert float(seconds) <= MAX_SECONDS, path.name
    assert max(tried.python, tried.gpg) <= MAX_MIB
