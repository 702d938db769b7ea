"""Every cell, permission and closed address of random worlds, held against the oracle."""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from responsys_assets.config.project import Project
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.profiles import ranges
from responsys_assets.profiles.refresh import refresh
from responsys_assets.progress import SILENT
from responsys_assets.system_columns import DELIVERABILITY_COLUMNS, PERMISSION_COLUMNS
from responsys_assets_tests.profiles.oracle import Oracle
from responsys_assets_tests.profiles.worlds import (
    STAMP,
    Hold,
    Row,
    Sent,
    held_columns,
    project_of,
    put,
)
from responsys_assets_tests.scorecard import examples

DATA = {
    "NAME": "text",
    "TIER": "text",
    "CITY": "text",
    "ZIP": "text",
    "POINTS": "integer",
    "SCORE": "number",
    "BORN": "date",
    "EMAIL_ADDRESS_": "text",
    "EMAIL_PERMISSION_STATUS_": "text",
    "EMAIL_DELIVERABILITY_STATUS_": "text",
    "MOBILE_NUMBER_": "text",
    "MOBILE_PERMISSION_STATUS_": "text",
}
POOLS: dict[str, list[Any]] = {
    "text": ["", "", "b", "B", "é"],
    "integer": [None, 0, 7, -3, 12],
    "number": [None, 0.5, -1.0, 2.0],
    "date": [None, dt.date(1990, 1, 2), dt.date(1980, 1, 2)],
    "EMAIL_ADDRESS_": ["", "A@x.COM ", "a@x.com", "e\u0301@x.com", "\u00e9@X.com"],
    "MOBILE_NUMBER_": ["", "+39 1", "391", "none"],
    "EMAIL_PERMISSION_STATUS_": ["", "I", "I", "O", " i", "o", "yes", "\u00a0I\t", "\u0131", "  "],
    "EMAIL_DELIVERABILITY_STATUS_": ["", "D", "U", "d ", "\u00a0u", "?"],
}
POOLS["MOBILE_PERMISSION_STATUS_"] = POOLS["EMAIL_PERMISSION_STATUS_"]
TIMES = [
    None,
    *(int((STAMP + dt.timedelta(hours=h)).timestamp()) * 1_000_000 for h in range(-3, 4)),
]
STAMPS = [STAMP + dt.timedelta(days=d) for d in range(3)]
EMAIL, EMAIL_PERMISSION = "EMAIL_ADDRESS_", "EMAIL_PERMISSION_STATUS_"
RULES = ["latest", "latest_non_empty", "smallest", "largest", {"priority": ["b", "a"]}]


@dataclass(frozen=True)
class World:
    sent: tuple[Sent, ...]
    lists: dict[str, dict[str, Any]]
    profiles: dict[str, Any]


@st.composite
def exports(draw: st.DrawFn, name: str, number: int, width: int, timed: bool) -> Sent:
    stamp = draw(st.sampled_from(STAMPS))
    some = st.sets(st.sampled_from(sorted(DATA)), max_size=3)
    left_out = draw(some | some | st.just({*DATA})) if number else set()
    columns = {column: kind for column, kind in DATA.items() if column not in left_out}
    key = st.tuples(*(st.sampled_from(["k", "K", "l\u00e9"][: 4 - width]) for _ in range(width)))
    stamp_us = int(stamp.timestamp()) * 1_000_000
    time = st.sampled_from(TIMES) if timed else st.just(stamp_us)
    values = st.tuples(*(st.sampled_from(POOLS.get(c, POOLS[t])) for c, t in columns.items()))
    rows = draw(st.lists(st.tuples(key, values, time), max_size=4))
    said = st.fixed_dictionaries(
        {
            column: st.sampled_from(["O", "I", ""] if column in PERMISSION_COLUMNS else pool)
            for column, pool in (
                (c, ["", "a@x.com", "391"]) for c in held_columns(columns) if c in columns
            )
        }
    )
    holds = draw(st.lists(st.tuples(st.none() | key, said, time), max_size=2))
    return Sent(
        name,
        {**{f"ID{n}": "text" for n in range(width)}, **columns},
        [
            Row(k, dict(zip(columns, v, strict=True)) | {f"ID{n}": p for n, p in enumerate(k)}, t)
            for k, v, t in rows
        ],
        [Hold(k, v, t) for k, v, t in holds],
        kind=draw(st.sampled_from(["full", "full", "incremental"])),
        stamp=stamp,
        mtime=draw(st.sampled_from([1.0, 2.0])),
        unidentified=draw(st.sampled_from([0, 0, 0, 1])),
        content=str(number),
        width=width,
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    width = draw(st.sampled_from([1, 1, 2]))
    sent: list[Sent] = []
    names = ["a", "b", "c"][: draw(st.integers(1, 3))]
    for name in names:
        timed = draw(st.booleans())
        count = draw(st.integers(1 if name == "a" else 0, 4))
        sent += [draw(exports(name, number, width, timed)) for number in range(count)]
    # the first list always has every column, so that no rule names an unknown one
    newest = max((e for e in sent if e.list == "a"), key=lambda e: (e.stamp, e.mtime, e.sha256))
    missing = {c: t for c, t in DATA.items() if c not in newest.columns}
    sent = [
        Sent(**{**vars(e), "columns": {**e.columns, **missing}}) if e is newest else e for e in sent
    ]
    free = sorted(set(DATA) - PERMISSION_COLUMNS - DELIVERABILITY_COLUMNS)
    together = draw(st.sampled_from([[], [["CITY", "ZIP"]], [["CITY", "ZIP"], ["NAME", "SCORE"]]]))
    grouped = {column for group in together for column in group}
    ruled = [column for column in free if column not in grouped]
    profiles: dict[str, Any] = {
        "match_on": [f"ID{n}" for n in range(width)],
        "together": together,
        "rules": draw(
            st.dictionaries(st.sampled_from(ruled), st.sampled_from(RULES[: 3 + len(names)]))
        ),
        "columns": draw(st.sampled_from(["all", "all", "shared", ["ZIP", "NAME", "ID0"]])),
        "insert_new": draw(st.sampled_from([True, True, False])),
        "primary": "a",
    }
    return World(tuple(sent), {name: {} for name in names}, profiles)


def expected_columns(project: Project, oracle: Oracle) -> set[str]:
    has = [oracle.columns(name) for name in oracle.lists]
    anywhere = {c for sent in oracle.exports.values() for e in sent for c in e.columns}
    always = (anywhere & PERMISSION_COLUMNS) | (set().union(*has) & DELIVERABILITY_COLUMNS)
    wanted = project.config.profiles.columns
    chosen = {"all": set().union(*has), "shared": set.intersection(*has)}
    found = set(wanted) if isinstance(wanted, tuple) else chosen[wanted]
    return (found | always) - set(project.config.profiles.match_columns)


def rows_of(snapshot: Snapshot) -> list[dict[str, Any]]:
    files = [path for path in snapshot.files if path.parent == snapshot.path]
    return pl.read_parquet(files).with_columns(pl.col("UPDATED_AT_").dt.epoch("us")).to_dicts()


def check(world: World, shuffle: int | None = None, *, ranged: bool = False) -> None:
    """Merge a world, one key or all keys at a time, and compare all that comes out."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if ranged:
            patch.setattr(ranges, "WORTH_A_RANGE", 1)
        project = project_of(Path(folder), world.lists, world.profiles)
        lake = Lake(project.lake_path)
        for sent in world.sent:
            put(lake, sent, shuffle, group=1)
        snapshot, changed = refresh(project, lake, SILENT)
        assert snapshot is not None
        assert changed
        sent_by = {n: [e for e in world.sent if e.list == n] for n in world.lists}
        oracle = Oracle({n: e for n, e in sent_by.items() if e}, project.config.profiles)
        names = [name for name, _ in snapshot.manifest["columns"]]
        match = project.config.profiles.match_columns
        assert tuple(names[: len(match)]) == match
        assert names[-2:] == ["UPDATED_AT_", "LISTS_"]
        data = names[len(match) : -2]
        assert len(data) == len(set(data))
        assert set(data) == expected_columns(project, oracle)
        assert rows_of(snapshot) == oracle.profiles(data)
        closed = {
            path.stem: pl.read_parquet(path)["address"].to_list()
            for path in snapshot.files
            if path.parent.name == "closed"
        }
        assert closed == oracle.closed()


@pytest.mark.timeout(1800)
@pytest.mark.scorecard(22)
@examples(150, 500)
@given(worlds(), st.integers(0, 3), st.booleans())
def test_profiles_permissions_and_closed_addresses_are_those_of_the_oracle(
    world: World, shuffle: int, ranged: bool
) -> None:
    """Fails when `Chosen.winner` takes the last list of a tie, and when an opt-in of the same
    instant ends an opt-out."""
    check(world, shuffle, ranged=ranged)


@st.composite
def histories(draw: st.DrawFn) -> World:
    """One list, two people, many exports: who has left, who is kept, what counts again."""
    key = st.sampled_from([("k",), ("l",)])
    time = st.sampled_from(TIMES)
    columns = {"ID0": "text", "NAME": "text", **dict.fromkeys((EMAIL_PERMISSION, EMAIL), "text")}
    said = st.sampled_from(["", "I", "O"])
    address = st.sampled_from(["", "a@x.com", "b@x.com"])
    sent = []
    for number in range(draw(st.integers(2, 6))):
        rows = draw(st.lists(st.tuples(key, said, address, time), max_size=2))
        holds = draw(st.lists(st.tuples(key, said, address, time), max_size=2))
        sent.append(
            Sent(
                "a",
                columns,
                [
                    Row(k, {"NAME": f"{number}", EMAIL_PERMISSION: said, EMAIL: address}, time)
                    for k, said, address, time in rows
                ],
                [
                    Hold(k, {EMAIL_PERMISSION: said, EMAIL: address}, time)
                    for k, said, address, time in holds
                ],
                kind=draw(st.sampled_from(["full", "full", "full", "incremental"])),
                stamp=STAMP + dt.timedelta(days=draw(st.integers(0, 4))),
                unidentified=draw(st.sampled_from([0, 0, 0, 1])),
                content=str(number),
            )
        )
    return World(tuple(sent), {"a": {}}, {"match_on": ["ID0"]})


@pytest.mark.timeout(1800)
@pytest.mark.scorecard(22)
@examples(300, 1000)
@given(histories())
def test_whoever_left_came_back_or_was_kept_is_as_the_oracle_says(world: World) -> None:
    """Fails when `_reached` starts kept keys at the very first export."""
    check(world)
