"""A rejected record that is sent again and good ends the doubt about it, and nothing else."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responsys_assets_tests.profiles.line import Line
from responsys_assets_tests.profiles.test_merge_against_oracle import (
    EMAIL,
    EMAIL_PERMISSION,
    TIMES,
    World,
    check,
)
from responsys_assets_tests.profiles.test_permission import COLUMNS, hold, merged, row
from responsys_assets_tests.profiles.worlds import (
    STAMP,
    Hold,
    Row,
    Sent,
    by_key,
    closed_addresses,
    day,
)
from responsys_assets_tests.scorecard import Cases, examples

PERMISSION = EMAIL_PERMISSION


def increment(number: int, rows: list[Row], holds: list[Hold], **more: Any) -> Sent:
    return Sent("core", COLUMNS, rows, holds, "incremental", content=str(number), mtime=number,
                **more)  # fmt: skip


def doubt(key: str | None, address: str = "", record: int | None = None) -> Hold:
    """A rejected record whose permission could not be read."""
    return Hold(
        (key,) if key else None, {PERMISSION: "O", EMAIL: address}, None, record, doubt=True
    )


@pytest.mark.parametrize("kind", ["full", "incremental"])
def test_a_doubt_ends_when_the_record_is_sent_again_and_good(
    kind: Literal["full", "incremental"], tmp_path: Path
) -> None:
    rejected = [doubt("k", "k@x.com"), doubt("l", "l@x.com")]
    broken = increment(1, [row("m", "I", 5)], rejected)
    again = increment(2, [row("m", "I", 5), row("k", "I", 5, "k@x.com"), row("l", "O", 5)], [])
    snapshot = merged(tmp_path, replace(broken, kind=kind), replace(again, kind=kind))
    assert by_key(snapshot, PERMISSION) == {"k": "I", "l": "O", "m": "I"}
    assert closed_addresses(snapshot, "email") == ["l@x.com"]


@pytest.mark.parametrize("kind", ["full", "incremental"])
def test_an_opt_out_that_a_rejected_record_plainly_states_is_not_ended_by_an_earlier_opt_in(
    kind: Literal["full", "incremental"], tmp_path: Path
) -> None:
    broken = increment(1, [row("m", "I", 5)], [hold("k", "O", 9, "k@x.com")])
    again = increment(2, [row("m", "I", 5), row("k", "I", 5)], [])
    snapshot = merged(tmp_path, replace(broken, kind=kind), replace(again, kind=kind))
    assert by_key(snapshot, PERMISSION) == {"k": "O", "m": "I"}
    assert closed_addresses(snapshot, "email") == ["k@x.com"]


@pytest.mark.parametrize("kind", ["full", "incremental"])
def test_an_export_sent_again_without_the_person_ends_nothing(
    kind: Literal["full", "incremental"], tmp_path: Path
) -> None:
    before = increment(0, [row("k", "I", 3, "k@x.com")], [], stamp=day(-1))
    broken = increment(1, [row("m", "I", 5)], [doubt("k", "k@x.com")])
    again = increment(2, [row("m", "I", 5)], [])
    snapshot = merged(tmp_path, before, replace(broken, kind=kind), replace(again, kind=kind))
    assert closed_addresses(snapshot, "email") == ["k@x.com"]


def test_a_record_of_the_same_key_that_says_nothing_ends_no_doubt(tmp_path: Path) -> None:
    broken = increment(1, [], [doubt("k", "k@x.com")])
    snapshot = merged(tmp_path, broken, increment(2, [row("k", "", 5)], []))
    assert by_key(snapshot, PERMISSION) == {"k": "O"}


def test_a_record_of_somebody_else_at_the_same_address_ends_no_doubt(tmp_path: Path) -> None:
    broken = increment(1, [row("m", "I", 5)], [doubt("k", "k@x.com")])
    others = [row("m", "I", 5), row("l", "I", 5, "k@x.com")]
    snapshot = merged(tmp_path, broken, increment(2, others, []))
    assert closed_addresses(snapshot, "email") == ["k@x.com"]


def test_what_is_staged_in_both_contents_ends_no_doubt(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        increment(1, [row("k", "I", 5)], [doubt("k", "k@x.com")]),
        increment(2, [row("k", "I", 5)], []),
    )
    assert by_key(snapshot, PERMISSION) == {"k": "O"}
    assert closed_addresses(snapshot, "email") == ["k@x.com"]


@pytest.mark.parametrize("later", [{"stamp": day(1)}, {"mtime": 0}])
def test_only_a_later_content_of_the_same_stamp_ends_a_doubt(
    tmp_path: Path, later: dict[str, Any]
) -> None:
    other = increment(2, [row("k", "I", 5)], [])
    broken = increment(1, [], [doubt("k")])
    snapshot = merged(tmp_path, broken, Sent(**{**vars(other), **later}))
    assert by_key(snapshot, PERMISSION) == {"k": "O"}


def test_all_that_a_ragged_record_may_have_said_ends_together(tmp_path: Path) -> None:
    rejected = [doubt("k", "y", 7), doubt("m", "k@x.com", 7)]
    good = [row("m", "I", 5), row("k", "I", 5, "z@x.com")]
    snapshot = merged(tmp_path, increment(1, good[:1], rejected), increment(2, good, []))
    assert by_key(snapshot, PERMISSION) == {"k": "I", "m": "I"}
    assert closed_addresses(snapshot, "email") == []


def test_the_key_of_somebody_else_in_a_ragged_record_is_no_sign(tmp_path: Path) -> None:
    rejected = [doubt("k", record=7), doubt("m", record=7)]
    before = increment(0, [row("k", "I", 3)], [], stamp=day(-1))
    snapshot = merged(
        tmp_path,
        before,
        increment(1, [row("m", "I", 5)], rejected),
        increment(2, [row("m", "I", 5)], []),
    )
    assert by_key(snapshot, PERMISSION)["k"] == "O"


def test_an_opt_out_of_nobody_who_is_known_is_not_ended_by_any_record(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        increment(1, [], [doubt(None, "k@x.com")]),
        increment(2, [row("k", "I", 5, " K@x.com")], []),
    )
    assert closed_addresses(snapshot, "email") == ["k@x.com"]


@st.composite
def versions(draw: st.DrawFn) -> World:
    """Versions of a few increments, with rejects of which some have several keys."""
    key = st.sampled_from([("k",), ("l",), ("m",)])
    time, said = st.sampled_from(TIMES), st.sampled_from(["", "I", "I", "O"])
    address = st.sampled_from(["", "a@x.com", "b@x.com"])
    sent = []
    for number in range(draw(st.integers(2, 5))):
        rows = draw(st.lists(st.tuples(key, said, address, time), max_size=3))
        record = st.sampled_from([None, 50, 51])
        claim = st.tuples(st.none() | key, said, address, time, record, st.booleans())
        holds = draw(st.lists(claim, max_size=3))
        sent.append(
            Sent(
                "a",
                {"ID0": "text", **dict.fromkeys((EMAIL_PERMISSION, EMAIL), "text")},
                [Row(k, {EMAIL_PERMISSION: s, EMAIL: a}, t) for k, s, a, t in rows],
                [Hold(k, {EMAIL_PERMISSION: s, EMAIL: a}, t, r, d) for k, s, a, t, r, d in holds],
                kind=draw(st.sampled_from(["incremental", "incremental", "full"])),
                stamp=STAMP + dt.timedelta(days=draw(st.sampled_from([0, 0, 0, 1]))),
                mtime=draw(st.sampled_from([1.0, 2.0])),
                content=str(number),
            )
        )
    return World(tuple(sent), {"a": {}}, {"match_on": ["ID0"]})


@examples(40, 300)
@given(versions())
def test_whatever_is_sent_again_means_what_the_oracle_says(world: World) -> None:
    """Fails when `superseded_claims` returns nothing, or all claims of an export sent again."""
    check(world)


HEADER = b"id,EMAIL_ADDRESS_,EMAIL_PERMISSION_STATUS_,name,n,u\n"


def records(chance: Random) -> list[list[str]]:
    """Records of some people; some are there twice, some share an address."""
    found = []
    for number in range(chance.randint(4, 14)):
        key = str(chance.choice([number, number, number, number // 2]))
        address = f"p{chance.choice([number, number // 3])}@example.com"
        time = chance.choice(["2026-05-01 10:00:00", "2026-05-02 10:00:00", ""])
        found.append(
            [key, address, chance.choice("IIO"), chance.choice(["Ann", ""]), str(number), time]
        )
    return found


def line_of(fields: list[str]) -> bytes:
    return ",".join(fields).encode() + b"\n"


def damaged(fields: list[str], chance: Random) -> bytes:
    """The record as it must be rejected."""
    at = chance.randrange(len(fields) - 1)
    before, value, after = fields[:at], fields[at], fields[at + 1 :]
    return chance.choice(
        [
            line_of([*before, "x", value, *after]),
            line_of([*fields[: at + 1], *fields[at + 2 :]]),
            line_of([*before, f'{value}"x', *after]),
            line_of([*before, f"{value}\n", *after]),
            line_of([*fields[:4], "many", fields[5]]),
            line_of([*fields[:5], "2027-01-01 00:00:00"]),
            line_of(["", *fields[1:]]),
            line_of(fields).replace(b",", b"\xff,", 1 + at % 2),
        ]
    )


@pytest.mark.parametrize("export", ["full", "incremental"])
def test_a_damaged_export_that_is_sent_again_whole_leaves_no_trace_but_opt_outs(
    export: str, cases: Cases, tmp_path: Path
) -> None:
    """Fails when `accepted` calls no export `replaced`."""
    for number, chance in enumerate(cases.draw(6, 60)):
        good = records(chance)
        hit = set(chance.sample(range(len(good)), chance.randint(1, len(good) // 2)))
        broken = [damaged(f, chance) if n in hit else line_of(f) for n, f in enumerate(good)]
        whole = HEADER + b"".join(map(line_of, good))
        twice = Line(tmp_path / f"{number} twice", export=export)
        once = Line(tmp_path / f"{number} once", export=export)
        _, outcome = twice.send(HEADER + b"".join(broken))
        assert outcome.state == "staged"
        assert outcome.rejected
        twice.results()
        for line in (twice, once):
            assert line.send(whole, mtime=2.0)[1].rejected == 0
        assert twice.values() == once.values()
        assert {*twice.segment()} <= {*once.segment()}
