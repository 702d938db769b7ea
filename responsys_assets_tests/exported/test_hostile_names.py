"""Names and entries that were made to do harm: never read, never written, always said."""

from __future__ import annotations

import os
import random
import string
from pathlib import Path

import pytest

from responsys_assets.commands.checkup import check_up
from responsys_assets.config.project import Project
from responsys_assets.ingest import ingest
from responsys_assets.lake.lake import Lake
from responsys_assets_tests.conftest import Account, MakeProject
from responsys_assets_tests.scorecard import Cases

GOOD = "CORE_20260309.csv"
ADDRESS = "ann.hidden@example.com"
PARTS = [
    b"..", b"%2e%2e%2f", b"..\\", b"\n", b"\r", b"\x1b[2J", b"\x07", b"\xe2\x80\xae", b"\xff\xfe",
    b"\xc0\xaf", b"$(id)", b"`id`", b";", b"|", b"'", b'"', b"*", b"?", b"{YYYYMMDD}", b"-rf",
    b"~", b" ", b"\t", b"CORE_20260309.csv", b".ready", b".gpg", b"\xd9\xa0", b"\xef\xbc\xa3",
    b"a" * 60, ADDRESS.encode(), b"CON", b"NUL", b".part", b".lock", b"tmp", b"\xf0\x9f\x92\xa3",
]  # fmt: skip


def hostile(case: random.Random) -> bytes:
    """A name that a file system takes, of parts that something might trip over."""
    while True:
        parts = [case.choice(PARTS) for _ in range(case.randint(1, 5))]
        if case.random() < 0.5:
            parts.insert(case.randint(0, len(parts)), case.choice(string.printable).encode())
        name = b"".join(parts)[:250].replace(b"/", b"_")
        wanted = (GOOD.encode(), f"{GOOD}.ready".encode(), b"CORE_20260309.ready")
        if name not in (b"", b".", b"..", *wanted):
            return name


def outside(folder: Path, lake: Path) -> set[bytes]:
    """Everything below a folder but the lake."""
    return {
        path
        for top, folders, files in os.walk(os.fsencode(folder))
        for path in (os.path.join(top, name) for name in (*folders, *files))  # noqa: PTH118
        if not path.startswith(os.fsencode(lake))
    }


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


@pytest.mark.scorecard(8)
def test_hostile_names_are_never_taken_and_are_told_without_harm(
    project: Project, sftp_folder: Path, tmp_path: Path, cases: Cases
) -> None:
    """Fails when `printable` hides nothing."""
    (sftp_folder / GOOD).write_text("CUSTOMER_ID_\n1\n")
    (sftp_folder / f"{GOOD}.ready").write_text("1")
    names = {hostile(case) for case in cases.draw(500, 500)}
    for name in names:
        with open(os.fsencode(sftp_folder) + b"/" + name, "wb") as file:  # noqa: PTH123
            file.write(b"x")
    before = outside(tmp_path, project.lake_path) | outside(sftp_folder, project.lake_path)
    reports = ingest(project, Lake(project.lake_path), ["core"])["core"].exports
    said = [finding.detail for finding in check_up(project)]
    after = outside(tmp_path, project.lake_path) | outside(sftp_folder, project.lake_path)
    assert after == before
    assert [(report.file, report.state) for report in reports] == [(GOOD, "staged")]
    assert [path.name for path in project.lake_path.glob("exported/core/*/*/*.csv")] == [GOOD]
    assert any("no pattern could" in each for each in said)
    assert all(each.isprintable() for each in said)
    assert not any(ADDRESS in each for each in said)


def _link(path: Path) -> None:
    path.symlink_to(path.with_name("target"))


@pytest.mark.scorecard(8)
@pytest.mark.parametrize("make", [_link, os.mkfifo, Path.mkdir])
def test_what_has_the_name_of_an_export_and_is_no_file_is_not_read_and_is_said(
    project: Project, sftp_folder: Path, make: object
) -> None:
    """Fails when listings take what is no regular file for one."""
    (sftp_folder / "target").write_text("CUSTOMER_ID_\n1\n")
    assert callable(make)
    make(sftp_folder / GOOD)
    (sftp_folder / f"{GOOD}.ready").write_text("1")
    (report,) = ingest(project, Lake(project.lake_path), ["core"])["core"].exports
    assert (report.file, report.state, report.reason) == (GOOD, "waiting", "not_a_file")
    assert not (project.lake_path / "exported").exists()


@pytest.mark.scorecard(8)
@pytest.mark.parametrize("make", [_link, os.mkfifo, Path.mkdir])
def test_a_ready_file_that_is_no_file_releases_nothing(
    project: Project, sftp_folder: Path, make: object
) -> None:
    """Fails when listings take what is no regular file for one."""
    (sftp_folder / "target").write_text("1")
    (sftp_folder / GOOD).write_text("CUSTOMER_ID_\n1\n")
    assert callable(make)
    make(sftp_folder / f"{GOOD}.ready")
    (report,) = ingest(project, Lake(project.lake_path), ["core"])["core"].exports
    assert (report.state, report.reason) == ("waiting", "no_ready_file")
