"""Many messages at once are opened; whoever is killed leaves neither process nor key nor text."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from responsys_assets.config.project import Project
from responsys_assets.pgp.home import GpgHome
from responsys_assets_tests.conftest import MakeProject, PgpKeys
from responsys_assets_tests.pgp.letters import (
    PLAIN,
    ended,
    gpg,
    homes,
    opened,
    pgp_project,
    processes,
    readable,
    refusal,
    write,
)
from responsys_assets_tests.pgp.measured import environment
from responsys_assets_tests.scorecard import size

AT_ONCE = 64
ORPHAN_SECONDS = 1.0


@pytest.fixture(scope="module")
def message(pgp_keys: PgpKeys) -> bytes:
    return _sealed(pgp_keys, "own")


def _sealed(keys: PgpKeys, name: str) -> bytes:
    with GpgHome() as home:
        home.import_file(keys.public(name))
        return gpg(home, "-z", "0", "--encrypt", "--recipient", keys.fingerprint(name))


@pytest.fixture
def project(make_project: MakeProject, pgp_keys: PgpKeys) -> Project:
    return pgp_project(make_project, pgp_keys, me="own")


@pytest.mark.scorecard(15)
@pytest.mark.parametrize("number", range(size(1, 20)))
def test_64_messages_at_once_are_all_opened(
    project: Project, message: bytes, tmp_path: Path, private_tmp: Path, number: int
) -> None:
    """Fails when a home is not locked while it is used: the others sweep it away."""
    path = write(tmp_path, message)
    together = threading.Barrier(AT_ONCE)

    def open_with_others() -> bytes:
        together.wait()
        return opened(project, path)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(open_with_others) for _ in range(AT_ONCE)]
        assert {each.result() for each in running} == {PLAIN}
    assert homes() == set()
    assert ended(processes(str(private_tmp)))


# says a line whenever it has some plaintext, and for ever begins anew
BUSY = """
import sys, threading
from pathlib import Path
from responsys_assets.config.loader import load
from responsys_assets.pgp import decrypting, encrypting

project = load(Path(sys.argv[1]), {})

def read():
    while True:
        with decrypting(project, Path(sys.argv[2])) as message:
            message.read(10)
            print(flush=True)
            message.readall()

def write(target):
    while True:
        with encrypting(project, ["me"], True, target) as out:
            out.write(b"1,canary@example.com\\n" * 10_000)
        target.unlink()

for number in range(3):
    threading.Thread(target=read).start()
    threading.Thread(target=write, args=[Path(sys.argv[3]) / f"{number}.gpg"]).start()
threading.Event().wait()  # at the end of this one Python gives the others no more threads
"""


@pytest.fixture
def busy(
    project: Project, message: bytes, tmp_path: Path, private_tmp: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that reads and writes messages in several threads."""
    path = write(tmp_path, message)
    command = [sys.executable, "-c", BUSY, str(project.file), str(path), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as process:
        yield process
        process.kill()


def _lines(process: subprocess.Popen[bytes], number: int) -> None:
    """Wait for what it says."""
    assert process.stdout is not None
    for _ in range(number):
        assert process.stdout.readline() == b"\n"


@pytest.mark.scorecard(15)
@pytest.mark.parametrize("number", range(size(3, 20)))
def test_who_is_killed_leaves_no_process_no_key_and_no_plaintext(
    busy: subprocess.Popen[bytes], tmp_path: Path, private_tmp: Path, number: int
) -> None:
    """Fails without the guard of pgp/folder.py: agents and homes stay. Rarely, an agent, too, when
    we and not the guard start it."""
    _lines(busy, 1 + number)
    busy.kill()
    busy.wait()
    assert ended(processes(str(private_tmp), "--decrypt"), ORPHAN_SECONDS)
    assert ended(processes(str(private_tmp)))
    assert homes() == set()
    assert not readable(tmp_path, private_tmp)


HALF = """
import sys
from pathlib import Path
from responsys_assets.config.loader import load
from responsys_assets.pgp import decrypting, encrypting

project, path = load(Path(sys.argv[1]), {}), Path(sys.argv[2])
if path.exists():
    with decrypting(project, path) as message:
        message.read(10)
        print(flush=True)
        sys.stdin.read()
else:
    with encrypting(project, ["me"], True, path) as out:
        out.write(bytes(1 << 20))
        print(flush=True)
        sys.stdin.read()
"""


@contextlib.contextmanager
def half_done(project: Project, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has read half of the message, or written half of one that is not there."""
    with subprocess.Popen(
        [sys.executable, "-c", HALF, str(project.file), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    ) as process:
        _lines(process, 1)
        yield process
        process.kill()


@pytest.mark.scorecard(15)
def test_half_a_message_that_we_wrote_when_killed_is_no_good_one(
    project: Project, tmp_path: Path, private_tmp: Path
) -> None:
    """Fails when gpg itself writes the file and not `_keep`, and it does not die with us: for gpg
    the input just ends, and it ends the message well."""
    target = tmp_path / "out.gpg"
    with half_done(project, target):
        gpgs = processes(str(private_tmp), "--status-fd")
        assert gpgs
    assert ended(gpgs, ORPHAN_SECONDS)
    assert refusal(project, target) == "damaged"


@pytest.mark.scorecard(15)
def test_a_home_that_gpg_still_wrote_to_when_killed_is_removed_all_the_same(
    project: Project,
    message: bytes,
    tmp_path: Path,
    private_tmp: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fails when the guard removes only once."""
    tool = tmp_path / "tools/rm"
    tool.parent.mkdir()
    tried = tmp_path / "tried"
    tool.write_text(f'#!/bin/sh\ntest -e {tried} && exec /bin/rm "$@"\n: > {tried}\nexit 1\n')
    tool.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    with half_done(project, write(tmp_path, message)):
        pass
    assert ended(processes(str(private_tmp)))
    assert tried.exists()
    assert homes() == set()


@pytest.mark.scorecard(15)
def test_where_the_guard_is_killed_too_the_next_use_removes_the_key(
    project: Project, message: bytes, tmp_path: Path, private_tmp: Path
) -> None:
    """As when a container ends, or the power. Fails without `_sweep`."""
    path = write(tmp_path, message)
    with half_done(project, path):
        for pid in processes(str(private_tmp), "guard of responsys"):
            os.kill(pid, signal.SIGKILL)
    (left,) = homes()
    assert left.stat().st_mode & 0o777 == 0o700
    assert opened(project, path) == PLAIN
    assert homes() == set()
