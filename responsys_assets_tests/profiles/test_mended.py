"""A rejected record can be mended and sent again, and then all is as if it had been right."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from random import Random
from typing import Any

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


def test_what_a_later_version_of_an_increment_mends_is_forgotten(tmp_path: Path) -> None:
    rejected = [hold("k", "O", 5, "k@x.com"), hold("l", "O", 5, "l@x.com")]
    snapshot = merged(
        tmp_path,
        increment(1, [row("m", "I", 5)], rejected),
        increment(2, [row("m", "I", 5), row("k", "I", 5, "k@x.com"), row("l", "O", 5)], []),
    )
    assert by_key(snapshot, PERMISSION) == {"k": "I", "l": "O", "m": "I"}
    assert closed_addresses(snapshot, "email") == []


def test_what_it_does_not_mend_stays(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        increment(1, [row("k", "I", 5)], [hold("k", "O", 5, "k@x.com")]),
        increment(2, [row("k", "I", 5)], []),
    )
    assert by_key(snapshot, PERMISSION) == {"k": "O"}
    assert closed_addresses(snapshot, "email") == ["k@x.com"]


def test_of_a_full_export_the_later_version_is_in_force_mended_or_not(tmp_path: Path) -> None:
    """Fails when `accepted` calls no export `replaced`."""
    broken = Sent("core", COLUMNS, [], [hold("k", "O", 5, "k@x.com")], content="1", mtime=1)
    again = Sent("core", COLUMNS, [row("m", "I", 5)], content="2", mtime=2)
    assert closed_addresses(merged(tmp_path, broken, again), "email") == []


@pytest.mark.parametrize("later", [{"stamp": day(1)}, {"mtime": 0}])
def test_only_a_later_content_of_the_same_stamp_mends(
    tmp_path: Path, later: dict[str, Any]
) -> None:
    other = increment(2, [row("k", "I", 5)], [])
    broken = increment(1, [], [hold("k", "O", 5)])
    snapshot = merged(tmp_path, broken, Sent(**{**vars(other), **later}))
    assert by_key(snapshot, PERMISSION) == {"k": "O"}


def test_all_that_a_ragged_record_may_have_said_ends_together(tmp_path: Path) -> None:
    rejected = [
        Hold(("k",), {PERMISSION: "O", EMAIL: "y"}, None, record=7),
        Hold(("m",), {PERMISSION: "O", EMAIL: "k@x.com"}, None, record=7),
    ]
    mended = [row("m", "I", 5), row("k", "I", 5, "z@x.com")]
    snapshot = merged(tmp_path, increment(1, mended[:1], rejected), increment(2, mended, []))
    assert by_key(snapshot, PERMISSION) == {"k": "I", "m": "I"}
    assert closed_addresses(snapshot, "email") == []


def test_the_key_of_somebody_else_in_a_ragged_record_is_no_sign(tmp_path: Path) -> None:
    rejected = [Hold((key,), {PERMISSION: "O"}, None, record=7) for key in ("k", "m")]
    before = increment(0, [row("k", "I", 3)], [], stamp=day(-1))
    snapshot = merged(
        tmp_path,
        before,
        increment(1, [row("m", "I", 5)], rejected),
        increment(2, [row("m", "I", 5)], []),
    )
    assert by_key(snapshot, PERMISSION)["k"] == "O"


def test_a_record_that_gets_its_key_is_known_again_by_its_address(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        increment(1, [], [hold(None, "O", 5, "k@x.com")]),
        increment(2, [row("k", "I", 5, " K@x.com")], []),
    )
    assert closed_addresses(snapshot, "email") == []


def test_an_address_that_others_have_as_before_stays_closed(tmp_path: Path) -> None:
    others = [row("k", "I", 5, "k@x.com")]
    snapshot = merged(
        tmp_path,
        increment(1, others, [hold(None, "O", 5, "k@x.com")]),
        increment(2, others, []),
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
        holds = draw(st.lists(st.tuples(st.none() | key, said, address, time, record), max_size=3))
        sent.append(
            Sent(
                "a",
                {"ID0": "text", **dict.fromkeys((EMAIL_PERMISSION, EMAIL), "text")},
                [Row(k, {EMAIL_PERMISSION: s, EMAIL: a}, t) for k, s, a, t in rows],
                [Hold(k, {EMAIL_PERMISSION: s, EMAIL: a}, t, r) for k, s, a, t, r in holds],
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
    """Fails when `mended_records` returns nothing, or all rejects of an export sent again."""
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
def test_a_mended_export_leaves_no_trace_of_its_damage(
    export: str, cases: Cases, tmp_path: Path
) -> None:
    """Fails for increments when `mended_records` returns nothing; for full exports only when
    moreover `accepted` calls no export `replaced`: either would do there.

    A record that lost its key column is left out: where its other values shifted to is held as
    key and address, and nothing in the mended record is like them. They are nobody's.
    """
    for number, chance in enumerate(cases.draw(6, 60)):
        good = records(chance)
        hit = set(chance.sample(range(len(good)), chance.randint(1, len(good) // 2)))
        broken = [damaged(f, chance) if n in hit else line_of(f) for n, f in enumerate(good)]
        mended = HEADER + b"".join(map(line_of, good))
        twice = Line(tmp_path / f"{number} twice", export=export)
        once = Line(tmp_path / f"{number} once", export=export)
        _, outcome = twice.send(HEADER + b"".join(broken))
        assert outcome.state == "staged"
        assert outcome.rejected
        twice.results()
        for line in (twice, once):
            assert line.send(mended, mtime=2.0)[1].rejected == 0
        assert twice.results() == once.results()
