"""Nobody is removed by accident, and a new spelling of permissions is seen."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from responsys_assets_tests.staged.conftest import STAMP, lines

# the fixture `bench` is a Bench of conftest.py
Bench = Any
DAY = dt.timedelta(days=1)
READY: dict[str, Any] = {"ready": {}, "settle": None}
PERMISSION = "EMAIL_PERMISSION_STATUS_"


def people(count: int) -> bytes:
    return lines("id", *map(str, range(count)))


@pytest.mark.parametrize("kept", [199, 100])
def test_a_full_export_may_lose_up_to_half_of_its_records(bench: Bench, kept: int) -> None:
    bench.stage(people(200))
    assert bench.stage(people(kept), stamp=STAMP + DAY).outcome.state == "staged"


def test_a_full_export_with_less_than_half_of_the_records_is_held(bench: Bench) -> None:
    """Fails when `_judge_size` does not ask `max_shrink`."""
    bench.stage(people(200))
    later = bench.stage(people(99), stamp=STAMP + DAY)
    assert (later.outcome.state, later.outcome.reason) == ("held", "shrunk")
    assert "99 records" in later.outcome.detail
    assert "200" in later.outcome.detail
    accepted = bench.judge(bench.decide(later.export, "accept"), bench.project())
    assert accepted.outcome.state == "staged"
    assert bench.stage(people(98), stamp=STAMP + DAY * 2).outcome.state == "staged"


@pytest.mark.parametrize(
    ("limit", "state"), [("100%", "staged"), ("90%", "held"), ("5%", "held"), (199, "staged")]
)
def test_max_shrink_says_how_much_a_list_may_lose(
    bench: Bench, limit: str | int, state: str
) -> None:
    bench.stage(people(200))
    assert bench.stage(people(1), stamp=STAMP + DAY, max_shrink=limit).outcome.state == state


def test_a_full_export_with_a_header_only_and_a_ready_count_of_0_is_held(bench: Bench) -> None:
    """Fails when `_judge_size` does not look at 0."""
    bench.stage(people(200), ready_text="200", **READY)
    later = bench.stage(people(0), stamp=STAMP + DAY, ready_text="0", **READY)
    assert (later.outcome.state, later.outcome.reason) == ("held", "no_records")
    accepted = bench.judge(bench.decide(later.export, "accept"), bench.project(**READY))
    assert (accepted.outcome.state, accepted.outcome.records) == ("staged", 0)


def test_the_first_full_export_without_records_is_held_too(bench: Bench) -> None:
    assert bench.stage(people(0), max_shrink="100%").outcome.reason == "no_records"


def test_an_increment_of_0_records_with_a_count_of_0_is_accepted(bench: Bench) -> None:
    increments = {"export": "incremental", **READY}
    bench.stage(people(200), ready_text="200", **increments)
    later = bench.stage(people(0), stamp=STAMP + DAY, ready_text="0", **increments)
    assert (later.outcome.state, later.outcome.records) == ("staged", 0)
    assert bench.stage(people(3), stamp=STAMP + DAY * 2, ready_text="3", **increments).rows


def test_an_export_is_measured_by_the_full_one_before_it_not_by_increments(bench: Bench) -> None:
    both = {"full": "C_{YYYYMMDD}.csv", "incremental": "D_{YYYYMMDD}.csv"}
    project = bench.project(files=both)
    bench.judge(bench.arrive(people(200)), project)
    bench.judge(bench.arrive(people(3), kind="incremental", stamp=STAMP + DAY), project)
    later = bench.judge(bench.arrive(people(90), stamp=STAMP + DAY * 2), project)
    assert later.outcome.reason == "shrunk"


def permissions(odd: int, count: int) -> bytes:
    values = ["true"] * odd + ["I"] * (count - odd)
    return lines(f"id,{PERMISSION}", *(f"{n},{value}" for n, value in enumerate(values)))


@pytest.mark.parametrize(
    ("odd", "count", "reason"),
    [
        (11, 1000, "odd_permissions"),
        (11, 1100, None),
        (200, 200, "odd_permissions"),
        (10, 10, None),
        (10, 100, None),
    ],
)
def test_many_odd_permissions_hold_an_export_and_a_handful_does_not(
    bench: Bench, odd: int, count: int, reason: str | None
) -> None:
    """Fails when `judge` does not call `_judge_permissions`."""
    staged = bench.stage(permissions(odd, count))
    assert staged.outcome.reason == reason
    if reason:
        assert PERMISSION in staged.outcome.detail
        accepted = bench.judge(bench.decide(staged.export, "accept"), bench.project())
        assert (accepted.outcome.state, accepted.outcome.odd_permissions) == ("staged", odd)


@pytest.mark.parametrize(("limit", "state"), [("100%", "staged"), (5, "held"), (300, "staged")])
def test_max_odd_permissions_says_how_many(bench: Bench, limit: str | int, state: str) -> None:
    staged = bench.stage(permissions(6 if limit == 5 else 200, 200), max_odd_permissions=limit)
    assert staged.outcome.state == state
