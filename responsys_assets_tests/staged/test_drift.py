"""Columns that say who may be reached do not go away unseen, nor come under another name."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from responsys_assets_tests.staged.conftest import STAMP, lines

# the fixture `bench` is a Bench of conftest.py
Bench = Any
DAY = dt.timedelta(days=1)
PERMISSION = "EMAIL_PERMISSION_STATUS_"
FIRST = lines(f"id,EMAIL_ADDRESS_,{PERMISSION},x", "1,a@x.com,O,")


@pytest.mark.parametrize(
    "written",
    [" id", "id ", "id\xa0", "\u200bid", "id\u200e", "\u2003id\t", "\ufeffid", "\u00adid\u3000"],
)
def test_a_header_is_read_without_what_nobody_sees(bench: Bench, written: str) -> None:
    staged = bench.stage(lines(f"v,{written}", "a,1"))
    assert staged.data == [("a", "1")]
    assert [name for name, _ in staged.outcome.columns] == ["v", "id"]


def test_a_permission_column_with_a_space_after_it_is_one(bench: Bench) -> None:
    staged = bench.stage(lines(f"id,{PERMISSION}\xa0", "1,O", "2,bad,row"))
    assert tuple(name for name, _ in staged.outcome.columns) == ("id", PERMISSION)
    assert all(hold[PERMISSION] in ("O", "") for hold in staged.holds)


def test_a_name_that_the_configuration_writes_so_is_kept(bench: Bench) -> None:
    staged = bench.stage(lines("id,v ", "1,a"), rename={"v ": "w"})
    assert [name for name, _ in staged.outcome.columns] == ["id", "w"]


@pytest.mark.parametrize(
    "column",
    [
        "EMAIL_ADDRESS_",
        "EMAIL_PERMISSION_STATUS_",
        "EMAIL_DELIVERABILITY_STATUS_",
        "MOBILE_NUMBER_",
        "MOBILE_PERMISSION_STATUS_",
        "POSTAL_PERMISSION_STATUS_",
    ],
)
def test_an_export_without_a_column_of_consent_that_the_last_one_had_is_held(
    bench: Bench, column: str
) -> None:
    """Fails when `_judge_columns` does not look at what is lost."""
    bench.stage(lines(f"id,{column}", "1,x"))
    later = bench.stage(lines("id", "1"), stamp=STAMP + DAY)
    assert (later.outcome.state, later.outcome.reason) == ("held", "column_gone")
    assert column in later.outcome.detail
    assert "accept, retry or withdraw" in later.outcome.detail
    assert later.outcome.gone_columns == (column,)


@pytest.mark.parametrize(
    "near",
    [
        "EMAIL_PERMISSION_STATUS",
        "Email Permission Status",
        "email_permission_status_",
        "EMAIL-PERMISSION-STATUS_",
        "EMAIL_\u200bPERMISSION_STATUS_",
    ],
)
def test_a_column_that_is_called_almost_like_one_of_consent_is_held_from_the_first(
    bench: Bench, near: str
) -> None:
    """Fails when `_judge_columns` does not look at what is near."""
    staged = bench.stage(lines(f"id,{near}", "1,O"))
    assert (staged.outcome.state, staged.outcome.reason) == ("held", "column_gone")
    assert f"{near}: {PERMISSION}" in staged.outcome.detail
    renamed = bench.stage(lines(f"id,{near}", "1,O"), rename={near: PERMISSION})
    assert renamed.outcome.state == "staged"


def test_a_near_miss_beside_the_column_itself_is_just_a_column(bench: Bench) -> None:
    staged = bench.stage(lines(f"id,{PERMISSION},EMAIL_PERMISSION_STATUS", "1,I,x"))
    assert staged.outcome.state == "staged"


def test_a_person_can_accept_that_a_column_is_gone_and_is_not_asked_again(bench: Bench) -> None:
    bench.stage(FIRST)
    held = bench.stage(lines("id,EMAIL_ADDRESS_,x", "1,a@x.com,"), stamp=STAMP + DAY)
    accepted = bench.judge(bench.decide(held.export, "accept"), bench.project())
    assert accepted.outcome.state == "staged"
    assert accepted.outcome.gone_columns == (PERMISSION,)
    third = bench.stage(lines("id,EMAIL_ADDRESS_,x", "2,b@x.com,"), stamp=STAMP + DAY * 2)
    assert (third.outcome.state, third.outcome.gone_columns) == ("staged", ())


def test_a_near_miss_that_a_person_accepted_is_not_asked_about_again(bench: Bench) -> None:
    held = bench.stage(lines("id,EMAIL_ADDRESS", "1,x"))
    assert held.outcome.reason == "column_gone"
    bench.judge(bench.decide(held.export, "accept"), bench.project())
    for day in (1, 2):
        later = bench.stage(lines("id,EMAIL_ADDRESS", f"{day},y"), stamp=STAMP + DAY * day)
        assert later.outcome.state == "staged"


def test_a_withdrawn_export_is_nothing_to_measure_by(bench: Bench) -> None:
    first = bench.stage(FIRST)
    bench.decide(first.export, "withdraw")
    later = bench.stage(lines("id", "1"), stamp=STAMP + DAY)
    assert (later.outcome.state, later.outcome.gone_columns) == ("staged", ())


def test_a_rename_of_a_permission_column_in_the_settings_is_a_column_gone(bench: Bench) -> None:
    """Fails when `Before.drift` does not know the export as it was accepted earlier."""
    first = bench.stage(FIRST)
    again = bench.judge(first.export, bench.project(rename={PERMISSION: "PERM"}))
    assert (again.outcome.reason, again.outcome.state) == ("column_gone", "held")


def test_what_a_person_accepted_earlier_does_not_cover_a_rename_of_today(bench: Bench) -> None:
    """Fails when `judge` looks at nothing once a person has accepted an export."""
    settings: dict[str, Any] = {"ready": {}, "settle": None}
    export = bench.arrive(FIRST, ready={"ready_text": "7"})
    assert bench.judge(export, bench.project(**settings)).outcome.reason == "count_mismatch"
    export = bench.decide(export, "accept")
    moment = export.last_verdict.when + DAY
    accepted = bench.judge(export, replace(bench.project(**settings), now=lambda: moment))
    assert accepted.outcome.state == "staged"
    renamed = bench.project(**settings, rename={PERMISSION: "PERM"})
    later = bench.judge(accepted.export, replace(renamed, now=lambda: moment + DAY))
    assert (later.outcome.state, later.outcome.reason) == ("held", "column_gone")


def test_all_that_is_wrong_is_said_to_the_person_who_may_accept_it(bench: Bench) -> None:
    bench.stage(FIRST)
    later = bench.stage(lines("id", "1"), stamp=STAMP + DAY, ready_text="2", ready={}, settle=None)
    assert later.outcome.reason == "count_mismatch"
    assert PERMISSION in later.outcome.detail


def test_an_increment_is_measured_by_increments_if_there_are_any(bench: Bench) -> None:
    both = {"full": "C_{YYYYMMDD}.csv", "incremental": "D_{YYYYMMDD}.csv"}
    project = bench.project(files=both)
    bench.judge(bench.arrive(FIRST), project)
    held = bench.judge(
        bench.arrive(lines("id", "1"), kind="incremental", stamp=STAMP + DAY), project
    )
    assert held.outcome.reason == "column_gone"
    bench.judge(bench.decide(held.export, "accept"), project)
    bench.judge(bench.arrive(FIRST + b"2,b@x.com,I,\n", stamp=STAMP + DAY * 2), project)
    later = bench.arrive(lines("id", "2"), kind="incremental", stamp=STAMP + DAY * 3)
    assert bench.judge(later, project).outcome.state == "staged"


def test_columns_that_are_gone_are_reported_and_taken(bench: Bench) -> None:
    bench.stage(FIRST)
    later = bench.stage(
        lines(f"id,EMAIL_ADDRESS_,{PERMISSION},y", "1,a@x.com,O,"), stamp=STAMP + DAY
    )
    assert later.outcome.state == "staged"
    assert (later.outcome.new_columns, later.outcome.gone_columns) == (("y",), ("x",))
