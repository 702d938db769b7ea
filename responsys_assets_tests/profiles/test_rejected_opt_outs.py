"""The opt-out of a rejected record holds: its key is on the hold list and in no segment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from random import Random

import polars as pl
import pytest

from responsys_assets_tests.profiles.line import STAMP, Line
from responsys_assets_tests.scorecard import Cases, size

Damage = Callable[[list[str], Random], bytes]
HEADER = b"id,EMAIL_ADDRESS_,EMAIL_PERMISSION_STATUS_,name,n,u\n"


def joined(fields: list[str]) -> bytes:
    return ",".join(fields).encode() + b"\n"


def a_column_more(fields: list[str], chance: Random) -> bytes:
    at = chance.randrange(1, 7)
    return joined([*fields[:at], "x", *fields[at:]])


def a_column_less(fields: list[str], chance: Random) -> bytes:
    at = chance.randrange(1, 6)
    return joined([*fields[:at], *fields[at + 1 :]])


def a_stray_quote(fields: list[str], chance: Random) -> bytes:
    at = chance.randrange(1, 5)
    return joined([*fields[:at], f'{fields[at][:1]}"{fields[at][1:]}', *fields[at + 1 :]])


def a_bad_value(fields: list[str], chance: Random) -> bytes:
    return joined([*fields[:4], chance.choice(["1.5", "many"]), fields[5]])


def a_bad_time(fields: list[str], chance: Random) -> bytes:
    return joined([*fields[:5], chance.choice(["soon", "2027-01-01 00:00:00"])])


def a_bad_byte(fields: list[str], chance: Random) -> bytes:
    return joined(fields).replace(b"Ann", b"Ann\xff")


def a_line_end(fields: list[str], chance: Random) -> bytes:
    at = chance.randrange(1, 5)
    return joined([*fields[:at], f"{fields[at]}\n", *fields[at + 1 :]])


@pytest.mark.scorecard(24)
@pytest.mark.parametrize("export", ["full", "incremental"])
@pytest.mark.parametrize(
    "damage",
    [a_column_more, a_column_less, a_stray_quote, a_bad_value, a_bad_time, a_bad_byte, a_line_end],
)
def test_a_rejected_record_with_an_opt_out_keeps_its_key_out_of_the_segment(
    damage: Damage, export: str, cases: Cases, tmp_path: Path
) -> None:
    """Fails when `Quarantine.hold` forgets the holds, and when `_Marks.read` leaves them out."""
    chance = Random(cases.seed)  # noqa: S311
    count = size(8, 36)
    rejected = {f"{number}" for number in chance.sample(range(2 * count), count)}
    before, after = HEADER, HEADER
    for number in range(2 * count):
        fields = [f"{number}", f"p{number}@example.com", "I", "Ann", "5", "2026-05-01 10:00:00"]
        before += joined(fields)
        fields[2], fields[5] = "O", chance.choice(["2026-05-02 10:00:00", ""])
        if fields[0] in rejected:
            after += damage(fields, chance)
        elif export == "full":
            after += joined([*fields[:2], "I", *fields[3:]])
    line = Line(tmp_path, export=export)
    line.send(before, stamp=STAMP - dt.timedelta(days=1))
    assert {str(n) for n in range(2 * count)} == set(line.segment())
    sent, outcome = line.send(after)
    assert outcome.rejected >= count
    holds = pl.read_parquet(sent.holds).filter(pl.col("EMAIL_PERMISSION_STATUS_") == "O")
    held, selected = set(holds["_key_0"].drop_nulls()), set(line.segment())
    for key in cases.each(rejected):
        assert key in held
        assert key not in selected
    assert selected == {str(n) for n in range(2 * count)} - rejected - held
    if damage not in (a_column_more, a_column_less, a_line_end):  # where a key is in doubt
        assert held == rejected


def test_an_opt_out_in_the_future_is_not_ended_by_an_opt_in_of_the_next_day(tmp_path: Path) -> None:
    """Fails when `judge_rows` takes the time of such a record away."""
    ann = ["1", "ann@example.com", "I", "Ann", "5", "2026-05-01 10:00:00"]
    line = Line(tmp_path)
    line.send(HEADER + joined(ann), stamp=STAMP - dt.timedelta(days=1))
    out = [*ann[:2], "O", *ann[3:5], "2026-06-10 10:00:00"]
    _, outcome = line.send(HEADER + joined(out))
    assert outcome.rejected_by_reason == {"updated_at_in_future": 1}
    back = [*ann[:5], "2026-06-02 01:00:00"]
    line.send(HEADER + joined(back), stamp=STAMP + dt.timedelta(days=1))
    assert line.segment() == []


def test_a_well_formed_record_without_a_key_leaves_its_export_complete(tmp_path: Path) -> None:
    """Fails when it counts as `unidentified`: then nobody ever leaves such a list."""
    ann, bob = ([n, f"{n}@example.com", "I", "x", "5", "2026-05-01 10:00:00"] for n in ("1", "2"))
    line = Line(tmp_path)
    line.send(HEADER + joined(ann) + joined(bob), stamp=STAMP - dt.timedelta(days=1))
    nobody = ["", "1@example.com", "O", "x", "5", "2026-05-02 10:00:00"]
    line.send(HEADER + joined(ann) + joined(nobody))
    assert line.segment() == []  # bob has left, and the opt-out closed ann's address
