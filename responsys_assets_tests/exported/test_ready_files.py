"""Every state of a ready file, and what becomes of its export, from the folder to the rows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from responsys_assets.config.project import Project
from responsys_assets.ingest import ingest
from responsys_assets.lake.lake import Lake
from responsys_assets_tests.conftest import MakeProject

NAME = "CORE_20260309.csv"
DATA = "CUSTOMER_ID_\n1\n2\n3\n"  # three records
T = 1_773_000_000
MODES = {
    "required": {"count": "required"},
    "optional": {"count": "optional"},
    "none": {"count": "none"},
    "with header": {"count": "required", "counts_header": True},
}
Files = dict[str, bytes]
READY = f"{NAME}.ready"
STATES: dict[str, Files] = {
    "none yet": {},
    "for another file": {"CORE_20260308.csv.ready": b"3"},
    "the right count": {READY: b"3\n"},
    "older than its data": {f"old {READY}": b"3\n"},
    "one more": {READY: b"4"},
    "zero": {READY: b"0"},
    "empty": {READY: b""},
    "no number": {READY: b"done"},
    "two numbers": {READY: b"3 of 3"},
    "not text": {READY: b"3\xff\xfe"},
    "two, the first wins": {READY: b"3", "CORE_20260309.ready": b"4"},
    "of two data files": {"CORE_20260309.ready": b"3", "CORE_20260309.txt": DATA.encode()},
}
TABLE = """
state               | required         | optional        | none            | with header
none yet            | no_ready_file    | no_ready_file   | no_ready_file   | no_ready_file
for another file    | no_ready_file    | no_ready_file   | no_ready_file   | no_ready_file
the right count     | staged           | staged          | staged          | count_mismatch
older than its data | staged           | staged          | staged          | count_mismatch
one more            | count_mismatch   | count_mismatch  | staged          | staged
zero                | count_mismatch   | count_mismatch  | staged          | count_mismatch
empty               | ready_unreadable | staged          | staged          | ready_unreadable
no number           | ready_unreadable | staged          | staged          | ready_unreadable
two numbers         | ready_unreadable | staged          | staged          | ready_unreadable
not text            | ready_unreadable | staged          | staged          | ready_unreadable
two, the first wins | staged           | staged          | staged          | count_mismatch
of two data files   | ambiguous_ready  | ambiguous_ready | ambiguous_ready | ambiguous_ready
"""


def cells() -> list[tuple[str, str, str]]:
    """State, mode and what becomes of the export."""
    head, *rows = [[cell.strip() for cell in row.split("|")] for row in TABLE.strip().split("\n")]
    return [
        (row[0], mode, cell) for row in rows for mode, cell in zip(head[1:], row[1:], strict=True)
    ]


@pytest.mark.scorecard(5)
@pytest.mark.parametrize(("state", "mode", "expected"), cells())
def test_each_state_of_a_ready_file_has_its_consequence(
    make_project: MakeProject, tmp_path: Path, state: str, mode: str, expected: str
) -> None:
    """Fails when `decide` sees no ambiguity, or when `judge` takes any text for optional."""
    ready = MODES[mode]
    lists = {
        "core": {"server": "files", "files": "CORE_{YYYYMMDD}.csv", "ready": ready},
        "other": {"server": "files", "files": "CORE_{YYYYMMDD}.txt", "ready": ready},
    }
    put(tmp_path / "files", {NAME: DATA.encode(), **STATES[state]})
    project = make_project(lists=lists)
    assert outcome(project) == expected
    rows = list(Lake(project.lake_path).staged("core").rglob("*.parquet"))
    assert len(rows) == (expected == "staged")


def put(folder: Path, files: Files) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name.removeprefix("old ")
        path.write_bytes(content)
        time = T - 60 if name.startswith("old ") else T
        os.utime(path, (time, time))


def outcome(project: Project) -> str:
    (report,) = ingest(project, Lake(project.lake_path), ["core"])["core"].exports
    return report.reason or report.state


@pytest.mark.parametrize(("before", "after"), [(b"4", b"3"), (b"x", b"3"), (b"\xff", b"3")])
def test_a_ready_file_that_is_mended_with_its_size_and_time_of_before_is_read_again(
    make_project: MakeProject, tmp_path: Path, before: bytes, after: bytes
) -> None:
    put(tmp_path / "files", {NAME: DATA.encode(), READY: before})
    project = make_project()
    assert outcome(project) in ("count_mismatch", "ready_unreadable")
    put(tmp_path / "files", {READY: after})
    assert outcome(project) == "staged"
    assert ingest(project, Lake(project.lake_path), ["core"])["core"].exports == []


def test_an_export_that_was_once_announced_right_is_not_undone_by_a_wrong_ready_file(
    make_project: MakeProject, tmp_path: Path
) -> None:
    put(tmp_path / "files", {NAME: DATA.encode(), READY: b"3"})
    project = make_project()
    assert outcome(project) == "staged"
    put(tmp_path / "files", {READY: b"garbled"})
    assert outcome(project) == "staged"
