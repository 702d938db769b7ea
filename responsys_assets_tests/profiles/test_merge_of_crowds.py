"""Many people in one merge, held against the oracle a few at a time: nobody changes another."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Literal

import polars as pl
import pytest

from responsys_assets.lake.lake import Lake
from responsys_assets.profiles import ranges
from responsys_assets.profiles.refresh import refresh
from responsys_assets.progress import SILENT
from responsys_assets.system_columns import DELIVERABILITY_COLUMNS, PERMISSION_COLUMNS
from responsys_assets_tests.profiles.oracle import Oracle
from responsys_assets_tests.profiles.test_merge_against_oracle import (
    DATA,
    POOLS,
    RULES,
    STAMPS,
    TIMES,
    expected_columns,
    rows_of,
)
from responsys_assets_tests.profiles.worlds import (
    Hold,
    Row,
    Sent,
    held_columns,
    project_of,
    put,
)
from responsys_assets_tests.scorecard import Cases, size

CIRCLES = 50  # of people who share keys and addresses, in one merge
ADDRESSES = {
    "EMAIL_ADDRESS_": ["", "A{}@x.COM ", "a{}@x.com", "e\u0301{}@x.com", "\u00e9{}@X.com"],
    "MOBILE_NUMBER_": ["", "+39 {}", "39{}", "none"],
}
TIDY = {"EMAIL_ADDRESS_": ["", "a{}@x.com"], "MOBILE_NUMBER_": ["", "39{}"]}

Lists = Mapping[str, Sequence[Sent]]


def frames(dice: Random, name: str, *, whole: bool) -> list[Sent]:
    """The exports of a list without rows; with `whole` the newest has every column."""
    found = []
    for number in range(dice.randint(1 if whole else 0, 4)):
        left_out = set(dice.sample(sorted(DATA), dice.randint(0, 3)))
        kind: Literal["full", "incremental"] = dice.choice(["full", "full", "incremental"])
        found.append(
            Sent(
                name,
                {"ID0": "text", **{c: t for c, t in DATA.items() if c not in left_out}},
                kind=kind,
                stamp=dice.choice(STAMPS),
                mtime=dice.choice([1.0, 2.0]),
                unidentified=int(dice.random() < 0.2),
                content=str(number),
            )
        )
    if whole:
        newest = max(found, key=lambda e: (e.stamp, e.mtime, e.sha256))
        filled = replace(newest, columns={**newest.columns, **DATA})
        found = [filled if each is newest else each for each in found]
    return found


def filled(dice: Random, frame: Sent, circle: int, *, timed: bool) -> Sent:
    """An export with the rows and rejected records of one circle."""
    stamp_us = int(frame.stamp.timestamp()) * 1_000_000
    own = {column: [each.format(circle) for each in pool] for column, pool in ADDRESSES.items()}
    tidy = {column: [each.format(circle) for each in pool] for column, pool in TIDY.items()}

    def time() -> int | None:
        return dice.choice(TIMES) if timed else stamp_us

    def row() -> Row:
        key = f"{circle:03}{dice.choice('kKl')}"
        values = {
            c: dice.choice(own.get(c) or POOLS.get(c, POOLS[t]))
            for c, t in frame.columns.items()
            if c != "ID0"
        }
        return Row((key,), {"ID0": key, **values}, time())

    def hold() -> Hold:
        said = {
            c: dice.choice(["O", "I", ""] if c in PERMISSION_COLUMNS else tidy[c])
            for c in held_columns(frame.columns)
            if c in frame.columns
        }
        key = None if dice.random() < 0.05 else (f"{circle:03}{dice.choice('kKl')}",)
        return Hold(key, said, time())

    return replace(
        frame,
        rows=[row() for _ in range(dice.randint(0, 4))],
        holds=[hold() for _ in range(dice.choice([0, 0, 0, 1, 2]))],
    )


def joined(frame: Sent, parts: Sequence[Sent]) -> Sent:
    """One export of all circles."""
    return replace(
        frame,
        rows=[row for part in parts for row in part.rows],
        holds=[hold for part in parts for hold in part.holds],
    )


def settings_of(dice: Random, lists: Sequence[str]) -> dict[str, Any]:
    """Rules, groups and columns of profiles."""
    together = dice.choice([[], [["CITY", "ZIP"]], [["CITY", "ZIP"], ["NAME", "SCORE"]]])
    grouped = {column for group in together for column in group}
    ruled = sorted({*DATA} - PERMISSION_COLUMNS - DELIVERABILITY_COLUMNS - grouped)
    return {
        "match_on": "ID0",
        "together": together,
        "rules": {c: dice.choice(RULES[: 3 + len(lists)]) for c in dice.sample(ruled, 4)},
        "columns": dice.choice(["all", "all", "shared", ["ZIP", "NAME", "ID0"]]),
        "insert_new": dice.random() < 0.7,
        "primary": "a",
    }


@pytest.mark.timeout(1800)
@pytest.mark.scorecard(22)
@pytest.mark.parametrize("share", range(2))
def test_each_circle_of_people_is_merged_as_if_it_were_alone(cases: Cases, share: int) -> None:
    """Fails when `Chosen.winner` takes the last list of a tie."""
    for number in range(size(2, 500)):
        dice = Random(f"{cases.seed} {number}")  # noqa: S311 - no secret
        names = ["a", "b", "c"][: dice.randint(1, 3)]
        empty = {name: frames(dice, name, whole=name == "a") for name in names}
        timed = {name: dice.random() < 0.5 for name in names}
        circles: list[dict[str, list[Sent]]] = [
            {
                name: [filled(dice, each, circle, timed=timed[name]) for each in several]
                for name, several in empty.items()
            }
            for circle in range(CIRCLES)
        ]
        whole = {
            name: [joined(each, [c[name][n] for c in circles]) for n, each in enumerate(several)]
            for name, several in empty.items()
        }
        check(cases, whole, circles, settings_of(dice, names), shuffle=number % 3 or None)


def check(
    cases: Cases,
    whole: Lists,
    circles: Sequence[Lists],
    settings: Mapping[str, Any],
    *,
    shuffle: int | None,
) -> None:
    """Merge all and look at one circle after the other."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "WORTH_A_RANGE", 1 << 14)
        project = project_of(Path(folder), {name: {} for name in whole}, settings)
        lake = Lake(project.lake_path)
        for each in (each for several in whole.values() for each in several):
            put(lake, each, shuffle, group=64)
        snapshot, _ = refresh(project, lake, SILENT)
        assert snapshot is not None
        found = rows_of(snapshot)
        closed = {
            path.stem: pl.read_parquet(path)["address"].to_list()
            for path in snapshot.files
            if path.parent.name == "closed"
        }
    rules = project.config.profiles
    data = [name for name, _ in snapshot.manifest["columns"]][1:-2]
    sent = {name: several for name, several in whole.items() if several}
    assert set(data) == expected_columns(project, Oracle(sent, rules))
    addresses: dict[str, set[str]] = {channel: set() for channel in closed}
    people = 0
    for number, circle in cases.each(enumerate(circles)):
        # whether an export is complete is said of the whole of it
        alone = {
            name: [
                replace(part, unidentified=int(bool(each.incomplete)))
                for part, each in zip(circle[name], several, strict=True)
            ]
            for name, several in sent.items()
        }
        oracle = Oracle(alone, rules)
        expected = oracle.profiles(data)
        assert [row for row in found if row["ID0"].startswith(f"{number:03}")] == expected
        people += len(expected)
        for channel, some in oracle.closed().items():
            addresses[channel] |= {*some}
    assert people == len(found)
    assert {channel: sorted(some) for channel, some in addresses.items()} == closed
