"""Lists without a deadline: late when they stop coming as often as they did."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responsys_assets.config.project import Project
from responsys_assets.exported.cadence import cadence
from responsys_assets.exported.clues import clues
from responsys_assets.exported.deadlines import Late, late_lists
from responsys_assets.lake.exports import Export
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.receipts import Arrival, Outcome, RemoteFile, Verdict
from responsys_assets.sync import sync
from responsys_assets_tests.conftest import MakeProject
from responsys_assets_tests.scorecard import examples

UTC = dt.UTC
MONDAY = dt.datetime(2026, 3, 2, 5, 30, tzinfo=UTC)
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
ROWS = "CUSTOMER_ID_\n1\n"


def export(stamp: dt.datetime, *, after: dt.timedelta = HOUR, state: str = "staged") -> Export:
    """An export of a moment that was here some time after its stamp."""
    arrival = Arrival(
        list="core",
        server="s",
        folder="",
        kind="full",
        stamp=stamp,
        data=RemoteFile(f"CORE_{stamp:%Y%m%d}.csv", 1, stamp.timestamp()),
        ready=None,
        ready_text=None,
        sha256=str(stamp.timestamp()),
        fetched_at=stamp + after,
    )
    outcome = Outcome.model_validate(
        {
            "list": "core",
            "file": arrival.data.name,
            "export_id": arrival.export_id,
            "state": state,
            "settings": "",
            "evidence": "",
            "decided_at": stamp + after,
        }
    )
    return Export(Lake(None), "core", (arrival,), (), outcome)  # type: ignore[arg-type]


def due(stamps: list[dt.datetime], **keys: Any) -> dt.timedelta | None:
    """How long after the newest stamp the next one is due."""
    known = cadence([export(stamp, **keys) for stamp in stamps])
    return None if known is None else known.due - max(stamps)


def daily(days: int, *, without: tuple[int, ...] = ()) -> list[dt.datetime]:
    return [MONDAY + n * DAY for n in range(days) if n not in without]


def test_a_daily_list_is_late_after_two_days_and_its_usual_time_on_the_way() -> None:
    assert due(daily(10)) == 2 * DAY + HOUR
    assert due(daily(4)) == 2 * DAY + HOUR


def test_three_exports_teach_nothing() -> None:
    assert due(daily(3)) is None
    assert due([MONDAY] * 9) is None


def test_a_list_of_working_days_may_rest_over_the_weekend() -> None:
    working = [each for each in daily(26) if each.weekday() < 5]
    assert due(working) == 6 * DAY + HOUR


def test_only_the_last_ten_pauses_count() -> None:
    assert due(daily(40, without=(5, 6, 7, 8))) == 2 * DAY + HOUR


def test_a_morning_of_trials_teaches_no_cadence_of_minutes() -> None:
    trials = [MONDAY + n * dt.timedelta(minutes=5) for n in range(6)]
    assert due(trials) == DAY


def test_an_export_of_yesterday_that_comes_this_morning_is_in_time() -> None:
    assert due(daily(10), after=30 * HOUR) == 2 * DAY + 12 * HOUR
    # a history that was fetched at once says little on how long an export is on its way
    late = cadence([export(each, after=MONDAY + 90 * DAY - each) for each in daily(10)])
    assert late is not None
    assert late.due == MONDAY + 11 * DAY + 12 * HOUR


def test_what_was_not_accepted_or_is_withdrawn_has_not_come() -> None:
    known = [export(each) for each in daily(5)]
    held = [export(MONDAY + 5 * DAY, state="held"), export(MONDAY + 6 * DAY, state="failed")]
    gone = replace(
        export(MONDAY + 7 * DAY),
        verdicts=(Verdict(export_id="", action="withdraw", who="", when=MONDAY, why=""),),
    )
    found, expected = cadence([*known, *held, gone]), cadence(known)
    assert found is not None
    assert expected is not None
    assert found.due == expected.due


@examples(100, 2000)
@given(st.lists(st.integers(1, 60), min_size=4, max_size=30), st.integers(0, 100))
def test_a_list_that_goes_on_as_in_its_last_ten_pauses_is_never_late(
    pauses: list[int], on_its_way: int
) -> None:
    """However irregular: each of the last ten pauses may come again."""
    stamps = [MONDAY + hours * HOUR for hours in itertools.accumulate([0, *pauses])]
    longest = max(pauses[-10:]) * HOUR
    after = min(on_its_way * HOUR, longest / 2)
    found = due(stamps, after=after)
    assert found is not None
    assert found >= longest + after


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    """Ten daily exports that were taken; it is the morning after the last one."""
    return taken(make_project(lists={"core": core()}))


def core(**keys: Any) -> dict[str, Any]:
    return {"server": "files", "files": "CORE_{YYYYMMDD}.csv", **keys}


def taken(project: Project, days: int = 10) -> Project:
    for stamp in daily(days):
        send(project, f"CORE_{stamp:%Y%m%d}.csv")
        project = at(project, stamp)
        assert sync(project).exit_code == 0
    return project


def send(project: Project, name: str, ready: str | None = ".ready") -> None:
    folder = project.file.parent / "files"
    (folder / name).write_text(ROWS)
    if ready is not None:
        (folder / f"{name}{ready}").write_text("1")


def days_later(project: Project, days: float) -> Project:
    return at(project, project.now() + days * DAY)


def at(project: Project, moment: dt.datetime) -> Project:
    return replace(project, now=lambda: moment)


def late(project: Project) -> list[Late]:
    return late_lists(project, Lake(project.lake_path))


def clue(project: Project) -> str:
    (found,) = late(project)
    return "; ".join(clues(project, Lake(project.lake_path), found))


def test_a_list_that_stops_is_late_by_itself_until_it_comes_again(project: Project) -> None:
    assert late(project) == []
    assert late(days_later(project, 1.5)) == []
    project = days_later(project, 2.5)
    (found,) = late(project)
    assert str(found) == (
        "core is late since 2026-03-13 00:30 (America/New_York): no full export of core was "
        "accepted after CORE_20260311.csv, and until then they came at most 24 h apart"
    )
    send(project, "CORE_20260312.csv")
    sync(project)
    assert late(project) == []


def test_a_list_whose_newer_exports_are_held_is_late_and_says_so(project: Project) -> None:
    project = days_later(project, 1)
    send(project, "CORE_20260312.csv")
    (project.file.parent / "files/CORE_20260312.csv.ready").write_text("7")
    sync(project)
    (found,) = late(days_later(project, 1.5))
    assert "core: CORE_20260312.csv is held" in found.why


def test_with_deadline_none_a_list_is_never_late(make_project: MakeProject) -> None:
    project = taken(make_project(lists={"core": core(deadline="none")}))
    assert late(days_later(project, 1000)) == []


def test_each_kind_of_export_has_its_own_cadence(make_project: MakeProject) -> None:
    files = {"full": "FULL_{YYYYMMDD}.csv", "incremental": "CORE_{YYYYMMDD}.csv"}
    project = make_project(lists={"core": core(files=files)})
    send(project, "FULL_20260302.csv")
    project = taken(project)
    send(project, "FULL_20260312.csv")
    project = days_later(project, 2.5)
    sync(project)
    (found,) = late(project)
    assert "no incremental export of core was accepted after CORE_20260311.csv" in found.why


def test_a_ready_file_that_changed_its_ending_makes_the_list_late_and_is_named(
    project: Project,
) -> None:
    """`.done` instead of `.ready`: everything was green, yesterday's people were mailed on."""
    for day in (12, 13):
        send(project, f"CORE_202603{day}.csv", ready=".done")
    project = days_later(project, 2.5)
    sync(project)
    said = clue(project)
    assert "CORE_20260313.csv waits: its ready file is not there yet" in said
    assert (
        "CORE_20260313.csv.done may be its ready file: "
        'then the list needs ready: {suffix: ".done"}' in said
    )


def test_a_feed_that_changed_its_name_makes_the_list_late_and_is_named(project: Project) -> None:
    """`CORE_V2_...`: everything was green, yesterday's people were mailed on."""
    for name in ("CORE_V2_20260312.csv", "CORE_V2_20260313.csv", "REFUNDS_20260313.pdf"):
        send(project, name)
    project = days_later(project, 2.5)
    sync(project)
    said = clue(project)
    assert (
        "CORE_V2_20260313.csv looks like a file of this list: "
        'files: "CORE_V2_{YYYYMMDD}.csv" would take it' in said
    )
    assert "REFUNDS" not in said
