"""A file comes whole and as it was shown, or not at all: bad lines, stalls, files that change."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from responsys_assets.config.project import Project
from responsys_assets.errors import TransientServerError
from responsys_assets.exported.fetch import fetch
from responsys_assets.exported.poll import poll
from responsys_assets.ingest import ExportReport, ingest
from responsys_assets.lake.lake import Lake
from responsys_assets.progress import Advance, Progress, Unit
from responsys_assets.servers import open_server, sftp
from responsys_assets_tests.conftest import Account, Fault, FaultProxy, MakeProject
from responsys_assets_tests.scorecard import Cases

NAME = "CORE_20260309.csv"
SIZE = 200_000
FAR = 10**9  # bytes, more than ever pass
LIMIT = 0.5


@dataclass(frozen=True)
class Line:
    """A project whose account is behind the fault proxy, and the folder of its list."""

    project: Project
    folder: Path
    proxy: FaultProxy


@pytest.fixture
def line(
    make_project: MakeProject,
    sftp_account: Account,
    sftp_folder: Path,
    fault_proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> Line:
    monkeypatch.setattr(sftp, "SILENCE_SECONDS", 5.0)  # a flipped length looks like a stall
    project = make_project(
        servers={"responsys": {**sftp_account.config, "port": fault_proxy.port}},
        lists={
            "core": {
                "server": "responsys",
                "folder": sftp_folder.name,
                "files": "CORE_{YYYYMMDD}.csv",
            }
        },
    )
    return Line(project, sftp_folder, fault_proxy)


@pytest.mark.scorecard(2)
@pytest.mark.parametrize("fault", ["cut", "reset", "flip"])
def test_over_a_line_that_breaks_anywhere_the_whole_file_comes_in_the_end(
    line: Line, tmp_path: Path, cases: Cases, fault: Fault
) -> None:
    """Fails when `fetch` does not try again (`retrying`), and when `Sftp.fetch` closes the remote
    file after the target, so that a fault then leaves a target."""
    content = os.urandom(SIZE)
    (line.folder / NAME).write_bytes(content)
    (line.folder / f"{NAME}.ready").write_text("1")
    (decision,) = poll(line.project, Lake(tmp_path / "none"), ["core"]).decisions
    with open_server(line.project, "responsys") as server:
        line.proxy.arm(FAR)
        fetch(line.project, Lake(tmp_path / "first"), decision, server)
        total = FAR - (line.proxy.left or 0)
        for case in cases.draw(34, 334):
            lake = Lake(tmp_path / "lake")
            # anywhere, and often in the answers after the last byte of the file
            place = case.choice([case.randrange(total), total - case.randint(1, 300)])
            line.proxy.arm(place, fault)
            arrival = fetch(line.project, lake, decision, server)
            assert arrival.sha256 == hashlib.sha256(content).hexdigest()
            assert [path.read_bytes() for path in lake.root.rglob("*.csv")] == [content]
            assert not (lake.root / "tmp").exists()
            shutil.rmtree(lake.root)


@pytest.mark.scorecard(2)
@pytest.mark.parametrize("fault", ["cut", "reset", "flip"])
def test_a_file_that_did_not_come_whole_is_not_there(
    line: Line, tmp_path: Path, cases: Cases, fault: Fault
) -> None:
    """Fails when `writing_to` leaves what came."""
    (line.folder / NAME).write_bytes(os.urandom(SIZE))
    with open_server(line.project, "responsys") as server:
        for case in cases.draw(3, 20):
            remote = server.stat(line.folder.name, NAME)  # over a connection that is good
            assert remote is not None
            line.proxy.arm(case.randrange(SIZE), fault)
            with pytest.raises(TransientServerError) as caught:
                server.fetch(line.folder.name, remote, tmp_path / "out", lambda _: None)
            assert caught.value.code in ("connection_lost", "stalled")
            assert not (tmp_path / "out").exists()


def open_files() -> int:
    """How many files and sockets this process has open."""
    return len([*Path("/proc/self/fd").iterdir()])


@pytest.mark.scorecard(3)
def test_a_server_that_stalls_anywhere_ends_in_an_error_in_time_and_costs_nothing(
    line: Line, tmp_path: Path, cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when the `Watch` does not close the connection."""
    monkeypatch.setattr(sftp, "SILENCE_SECONDS", LIMIT)
    (line.folder / NAME).write_bytes(os.urandom(SIZE))
    threads = {*threading.enumerate()}
    before = open_files()
    for case in cases.draw(10, 100):
        with open_server(line.project, "responsys") as server:
            remote = server.stat(line.folder.name, NAME)
            assert remote is not None
            line.proxy.arm(case.randrange(SIZE), "freeze")
            began = time.monotonic()
            with pytest.raises(TransientServerError) as caught:
                server.fetch(line.folder.name, remote, tmp_path / "out", lambda _: None)
            assert time.monotonic() - began < LIMIT + 2
            assert caught.value.code == "stalled"
            assert not (tmp_path / "out").exists()
        # what ran before may end meanwhile, so fewer than before is fine
        for thread in {*threading.enumerate()} - threads:
            thread.join(10)
            assert not thread.is_alive()
        assert open_files() <= before


HEADER = "CUSTOMER_ID_,EMAIL_ADDRESS_\n"
RECORDS = 10_000


def content(letter: str) -> bytes:
    """An export of 2 MB; all letters give the same size and number of records."""
    rows = "".join(f"{number:06},{letter * 200}\n" for number in range(RECORDS))
    return (HEADER + rows).encode()


OLD, NEW = content("a"), content("b")


def _cut(path: Path, case: random.Random) -> None:
    os.truncate(path, case.randrange(len(OLD)))


def _append(path: Path, case: random.Random) -> None:
    with path.open("ab") as file:
        file.write(b"x" * case.randint(1, 1000))


def _rewrite(path: Path, _: random.Random) -> None:
    with path.open("rb+") as file:
        file.write(NEW)


def _replace(path: Path, _: random.Random) -> None:
    other = path.with_name("other")
    other.write_bytes(NEW)
    other.replace(path)


def _remove(path: Path, _: random.Random) -> None:
    path.unlink()


Change = Callable[[Path, random.Random], None]


class Meddling(Progress):
    """Changes the file once, when so much of it was read."""

    def __init__(self, after: int, change: Callable[[], None]) -> None:
        self._after = after
        self._change = change
        self._done = 0

    @contextmanager
    def step(self, label: str, total: int | None = None, unit: Unit = "bytes") -> Iterator[Advance]:
        yield self._advance if label.startswith("fetching") else lambda _: None

    def _advance(self, amount: int) -> None:
        self._done, before = self._done + amount, self._done
        if before <= self._after < self._done:
            self._change()


def only(project: Project, lake: Lake, progress: Progress) -> ExportReport:
    (report,) = ingest(project, lake, ["core"], progress)["core"].exports
    return report


@pytest.fixture(params=["local", "sftp"])
def project(
    request: pytest.FixtureRequest,
    make_project: MakeProject,
    sftp_account: Account,
    sftp_folder: Path,
) -> Project:
    """A project with one list in `sftp_folder`, seen as a local folder or through SFTP."""
    local = {"type": "local", "path": str(sftp_account.folder)}
    core = {"server": "files", "folder": sftp_folder.name, "files": "CORE_{YYYYMMDD}.csv"}
    return make_project(
        servers={"files": local if request.param == "local" else sftp_account.config},
        lists={"core": core},
    )


@pytest.mark.scorecard(4)
@pytest.mark.parametrize("change", [_cut, _append, _rewrite, _replace, _remove])
def test_of_a_file_that_changes_while_it_is_read_nothing_is_staged_until_it_is_whole(
    project: Project, sftp_folder: Path, tmp_path: Path, cases: Cases, change: Change
) -> None:
    """A rewrite of the same size shows only by its time, so it is of another second here.

    Fails when neither the handle nor the name is looked at after the last byte.
    """
    path = sftp_folder / NAME
    (sftp_folder / f"{NAME}.ready").write_text(str(RECORDS))
    for case in cases.draw(2, 20):
        lake = Lake(tmp_path / "lake")
        path.write_bytes(OLD)
        os.utime(path, (1_773_000_000, 1_773_000_000))
        meddling = Meddling(case.randrange(len(OLD)), partial(change, path, case))
        report = only(project, lake, meddling)
        assert (report.state, report.reason, report.transient) == ("failed", "file_changed", True)
        assert not [found for found in lake.root.rglob("*") if found.suffix in (".csv", ".parquet")]
        path.write_bytes(NEW)
        assert only(project, lake, Progress()).staged == RECORDS
        assert [found.read_bytes() for found in lake.root.rglob("*.csv")] == [NEW]
        shutil.rmtree(lake.root)
