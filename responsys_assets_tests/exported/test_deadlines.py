"""Which lists are late, on any day of any zone, and what is said of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responsys_assets.config.project import Project
from responsys_assets.exported.clues import clues
from responsys_assets.exported.deadlines import Late, last_deadline, late_lists
from responsys_assets.lake.lake import Lake
from responsys_assets.sync import sync
from responsys_assets_tests.conftest import MakeProject
from responsys_assets_tests.scorecard import examples

MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
# an hour, half an hour, at midnight, a whole day, Ramadan, never
ZONES = (
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Asia/Kolkata",
)
ROWS = "CUSTOMER_ID_\n1\n"


def strikes(day: dt.date, time: dt.time, zone: ZoneInfo) -> dt.datetime:
    """The first instant of a day at which its clocks show this time or a later one."""
    wanted = dt.datetime.combine(day, time)
    instant = wanted.replace(tzinfo=zone).astimezone(dt.UTC) - 2 * dt.timedelta(hours=1)
    while instant.astimezone(zone).replace(tzinfo=None) < wanted:
        instant += MINUTE
    return instant


@examples(100, 2000)
@given(
    st.sampled_from(ZONES),
    st.datetimes(dt.datetime(2011, 1, 5), dt.datetime(2030, 1, 1)),  # noqa: DTZ001
    st.times(),
)
def test_the_last_deadline_is_the_latest_strike_of_the_zones_clocks(
    name: str, moment: dt.datetime, time: dt.time
) -> None:
    zone, now, time = ZoneInfo(name), moment.replace(tzinfo=dt.UTC), time.replace(second=0)
    time = time.replace(microsecond=0)
    today = now.astimezone(zone).date()
    expected = max(
        struck for days in range(4) if (struck := strikes(today - days * DAY, time, zone)) <= now
    )
    found = last_deadline(f"{time.minute} {time.hour} * * *", now, zone)
    assert found is not None
    assert found.astimezone(dt.UTC) == expected


def test_a_cron_that_never_struck_makes_nobody_late() -> None:
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert last_deadline("0 0 30 2 *", now, ZoneInfo("UTC")) is None


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    """New York, a deadline at 05:30, and it is 06:00 on the 20th."""
    core = {"server": "files", "files": "CORE_{YYYYMMDD}.csv", "deadline": "05:30"}
    made = make_project(lists={"core": core})
    return at(made, dt.datetime(2026, 11, 20, 11, 0, tzinfo=dt.UTC))


def at(project: Project, moment: dt.datetime) -> Project:
    return replace(project, now=lambda: moment)


def send(project: Project, name: str, ready: str | None = "1", content: str = ROWS) -> None:
    folder = project.file.parent / "files"
    (folder / name).write_text(content)
    if ready is not None:
        (folder / f"{name}.ready").write_text(ready)


def only(project: Project) -> Late | None:
    found = late_lists(project, Lake(project.lake_path))
    assert len(found) <= 1
    return found[0] if found else None


def test_a_list_whose_export_has_not_come_is_late_until_it_is_accepted(project: Project) -> None:
    found = only(project)
    assert found is not None
    assert str(found) == (
        "core is late since 2026-11-20 05:30 (America/New_York): "
        "no export of core for 2026-11-20 has arrived"
    )
    send(project, "CORE_20261120.csv")
    sync(project)
    assert only(project) is None
    tomorrow = at(project, project.now() + DAY)
    assert only(tomorrow) is not None
    assert only(at(project, project.now() + DAY - dt.timedelta(minutes=31))) is None


@pytest.mark.parametrize("name", ["CORE_20261119.csv", "CORE_20261102.csv"])
def test_an_older_export_is_not_the_one_that_is_late(project: Project, name: str) -> None:
    send(project, name)
    sync(project)
    assert only(project) is not None


def test_a_newer_full_export_makes_up_for_the_one_that_never_came(project: Project) -> None:
    send(project, "CORE_20261121.csv")
    sync(at(project, project.now() + DAY))
    assert only(project) is None


def test_a_held_export_has_not_come(project: Project) -> None:
    send(project, "CORE_20261120.csv", ready="9")
    sync(project)
    found = only(project)
    assert found is not None
    assert "CORE_20261120.csv is held" in found.why


def test_a_deadline_before_the_first_day_wanted_is_none(
    project: Project, make_project: MakeProject
) -> None:
    core = {
        "server": "files",
        "files": "CORE_{YYYYMMDD}.csv",
        "deadline": "05:30",
        "since": "2026-11-21",
    }
    assert only(at(make_project(lists={"core": core}), project.now())) is None


def clue(project: Project) -> str:
    found = only(project)
    assert found is not None
    return "; ".join(clues(project, Lake(project.lake_path), found))


def test_what_half_an_export_lacks_is_said(project: Project) -> None:
    send(project, "CORE_20261120.csv", ready=None)
    assert "CORE_20261120.csv waits: its ready file is not there yet" in clue(project)
    files = project.file.parent / "files"
    (files / "CORE_20261120.csv").rename(files / "CORE_20261120.csv.ready")
    said = "CORE_20261120.csv.ready is a ready file whose data file is not there"
    assert said in clue(project)


def test_a_server_that_is_gone_is_said(project: Project, tmp_path: Path) -> None:
    (tmp_path / "files").rmdir()
    assert "files" in clue(project)
