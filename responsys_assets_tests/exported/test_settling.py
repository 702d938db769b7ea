"""Without ready files: a file is whole once two looks of our own clock saw it unchanged."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from responsys_assets.config.project import Project
from responsys_assets.exported.looks import read_looks
from responsys_assets.exported.poll import poll, take_note
from responsys_assets.lake.lake import Lake
from responsys_assets.sync import sync
from responsys_assets_tests.conftest import MakeProject

NOON = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
NAME = "CORE_20261120.csv"
ALL, PART = "CUSTOMER_ID_\n1\n2\n3\n", "CUSTOMER_ID_\n1\n"


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    """A list without ready files that settle in ten minutes, and a delivery of all profiles."""
    made = make_project(
        servers={name: {"type": "local", "path": f"./{name}"} for name in ("files", "out")},
        lists={"core": settling()},
        deliveries={
            "all": {"segment": "profiles", "to": "out", "file": "all_{YYYYMMDD}_{HHMISS}.csv"}
        },
    )
    return at(made, NOON)


def settling(settle: str = "10m") -> dict[str, Any]:
    return {"server": "files", "files": "CORE_{YYYYMMDD}.csv", "ready": "none", "settle": settle}


def at(project: Project, moment: dt.datetime) -> Project:
    return replace(project, now=lambda: moment)


def later(project: Project, **by: float) -> Project:
    return at(project, project.now() + dt.timedelta(**by))


def write(project: Project, text: str, *, hours: float = 0, name: str = NAME) -> None:
    """An upload that goes on now, by a server whose clock is off by some hours."""
    path = project.file.parent / "files" / name
    path.write_text(text)
    mtime = project.now().timestamp() + hours * 3600
    os.utime(path, (mtime, mtime))


def states(project: Project) -> list[tuple[str, str | None]]:
    return [(each.state, each.reason) for each in sync(project).lists["core"].exports]


def files_of(project: Project) -> dict[str, int]:
    lake = project.lake_path
    return {str(p): p.stat().st_mtime_ns for p in lake.rglob("*") if p.is_file()}


def kept(project: Project) -> list[str]:
    return [file.name for file in read_looks(Lake(project.lake_path), "core")]


@pytest.mark.parametrize("hours", [-5, -24 * 400, 0, 5, 24 * 400])
def test_a_file_under_upload_is_not_taken_whatever_the_servers_clock_says(
    project: Project, hours: float
) -> None:
    """With the server's clock 5 h behind, a part was taken at once and 140 people were removed."""
    write(project, PART, hours=hours)
    assert states(project) == [("waiting", "settling")]
    project = later(project, minutes=9)
    write(project, ALL, hours=hours)
    assert states(project) == [("waiting", "settling")]
    assert states(later(project, minutes=9)) == [("waiting", "settling")]
    result = sync(later(project, minutes=10))
    assert [(each.state, each.records) for each in result.lists["core"].exports] == [("staged", 3)]
    assert result.deliveries["all"].rows == 3


def test_a_file_that_is_old_when_it_is_first_seen_is_looked_at_twice_as_well(
    project: Project,
) -> None:
    write(project, ALL, hours=-1000)
    assert states(project) == [("waiting", "settling")]
    assert states(later(project, minutes=10)) == [("staged", None)]


def test_with_no_time_to_settle_the_first_look_takes_a_file_and_nothing_is_remembered(
    make_project: MakeProject,
) -> None:
    project = at(make_project(lists={"core": settling("0s")}), NOON)
    write(project, ALL)
    assert states(project) == [("staged", None)]
    assert not (project.lake_path / "looks").exists()


def test_a_sync_that_finds_a_file_as_it_was_writes_nothing(project: Project) -> None:
    write(project, ALL)
    sync(project)
    before = files_of(project)
    assert states(later(project, minutes=5)) == [("waiting", "settling")]
    assert files_of(project) == before
    sync(later(project, minutes=10))
    before = files_of(project)
    assert states(later(project, minutes=20)) == []
    assert files_of(project) == before


def test_what_was_taken_or_has_gone_is_forgotten(project: Project) -> None:
    write(project, ALL)
    write(project, ALL, name="CORE_20261119.csv")
    sync(project)
    assert kept(project) == ["CORE_20261119.csv", NAME]
    (project.file.parent / "files/CORE_20261119.csv").unlink()
    sync(later(project, minutes=1))
    assert kept(project) == [NAME]
    sync(later(project, minutes=10))
    assert kept(project) == []


def test_a_file_that_could_not_be_fetched_need_not_settle_again(project: Project) -> None:
    write(project, ALL)
    sync(project)
    project, lake = later(project, minutes=10), Lake(project.lake_path)
    found = poll(project, lake, ["core"])
    assert [each.action for each in found.of("core")] == ["take"]
    take_note(lake, found)  # and here the process dies
    assert kept(project) == [NAME]
    assert states(project) == [("staged", None)]


def test_a_clock_that_is_set_back_only_makes_a_file_wait(project: Project) -> None:
    write(project, ALL)
    sync(project)
    project = later(project, hours=-3)
    assert states(project) == [("waiting", "settling")]
    assert states(later(project, minutes=9)) == [("waiting", "settling")]
    assert states(later(project, minutes=10)) == [("staged", None)]


@pytest.mark.parametrize("damage", ["", "[", '[{"file": 1}]', "\0\0"])
def test_a_damaged_memory_has_seen_nothing(project: Project, damage: str) -> None:
    write(project, ALL)
    sync(project)
    Lake(project.lake_path).looks("core").write_text(damage)
    project = later(project, hours=1)
    assert states(project) == [("waiting", "settling")]
    assert kept(project) == [NAME]
    assert states(later(project, minutes=10)) == [("staged", None)]


def test_a_look_while_another_process_writes_is_left_to_the_next(project: Project) -> None:
    write(project, ALL)
    lake, other = Lake(project.lake_path), Lake(project.lake_path)
    found = poll(project, lake, ["core"])
    with other.writing():
        take_note(lake, found)
    assert kept(project) == []
    take_note(lake, found)
    assert kept(project) == [NAME]


def test_an_older_look_does_not_replace_a_newer_one(project: Project) -> None:
    """A sensor looks without the lake's lock, so a sync may look and remember in between."""
    lake = Lake(project.lake_path)
    write(project, PART)
    older = poll(project, lake, ["core"])
    project = later(project, minutes=1)
    write(project, ALL)
    sync(project)
    newer = read_looks(lake, "core")
    take_note(lake, older)
    assert read_looks(lake, "core") == newer


def test_a_list_whose_folder_cannot_be_seen_keeps_its_looks(
    make_project: MakeProject, tmp_path: Path
) -> None:
    web = {"server": "files", "folder": "web", "files": "W.csv"}
    project = at(make_project(lists={"core": settling() | {"folder": "in"}, "web": web}), NOON)
    for folder in ("in", "web"):
        (tmp_path / "files" / folder).mkdir()
    write(project, ALL, name=f"in/{NAME}")
    sync(project)
    (tmp_path / "files/in").rename(tmp_path / "away")
    assert sync(later(project, minutes=5)).lists["core"].error is not None
    (tmp_path / "away").rename(tmp_path / "files/in")
    assert states(later(project, minutes=10)) == [("staged", None)]


def test_what_a_crash_left_to_be_forgotten_is_forgotten_by_the_next_sync(project: Project) -> None:
    write(project, ALL)
    sync(project)
    looks = Lake(project.lake_path).looks("core")
    before = looks.read_bytes()
    project = later(project, minutes=10)
    assert states(project) == [("staged", None)]
    looks.write_bytes(before)
    assert states(later(project, minutes=1)) == []
    assert kept(project) == []
