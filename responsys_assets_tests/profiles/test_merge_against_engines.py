"""Generated lists with ties, repeats, nulls and every rule: equal to the last cell on engines that
share no code with ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Literal

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from responsys_assets.lake.lake import Lake
from responsys_assets.profiles import ranges
from responsys_assets.profiles.refresh import refresh
from responsys_assets.progress import SILENT
from responsys_assets_tests.profiles.sql_judge import Judged, query
from responsys_assets_tests.profiles.test_merge_against_oracle import rows_of
from responsys_assets_tests.profiles.worlds import (
    POLARS,
    Row,
    Sent,
    day,
    project_of,
    put,
    stamp_us,
)
from responsys_assets_tests.scorecard import examples

COLUMNS = {
    "NAME": "text",
    "CITY": "text",
    "ZIP": "text",
    "TIER": "text",
    "POINTS": "integer",
    "SCORE": "number",
    "LEVEL": "integer",
    "EMAIL_PERMISSION_STATUS_": "text",
    "EMAIL_DELIVERABILITY_STATUS_": "text",
    "MOBILE_PERMISSION_STATUS_": "text",
}
VALUES: dict[str, Sequence[Any]] = {
    "text": ["", "", "b", "B", "\u00e9", "e\u0301", "bb"],
    "integer": [None, 0, 7, -3, 2**60],
    "number": [None, 0.5, -1.0, 1e300],
    "EMAIL_PERMISSION_STATUS_": ["", "I", "O"],
    "MOBILE_PERMISSION_STATUS_": ["", "", "I", "O"],
    "EMAIL_DELIVERABILITY_STATUS_": ["", "D", "U"],
}
CHANNELS = {"EMAIL_PERMISSION_STATUS_": "email", "MOBILE_PERMISSION_STATUS_": "mobile"}
DELIVERABILITY = "EMAIL_DELIVERABILITY_STATUS_"
LISTS = {
    "a": [*COLUMNS],
    "b": [name for name in COLUMNS if name not in ("SCORE", "CITY")],
    "c": [name for name in COLUMNS if name not in ("NAME", "LEVEL", DELIVERABILITY)],
}
TOGETHER = ["CITY", "ZIP"]
RULES = ["latest", "latest_non_empty", "smallest", "largest", "priority"]
PRIORITY = ["c", "a"]
KEYS, ROWS, TIMES = 60, 70, 5

Tables = dict[str, tuple[list[str], list[tuple[Any, ...]]]]  # columns and rows


def exports(random: Random, name: str) -> list[Sent]:
    """Full ones and increments in the order of their stamps."""
    found = []
    for number in range(random.randint(1, 4)):
        kind: Literal["full", "incremental"] = random.choice(["full", "full", "incremental"])
        times = [None, *(stamp_us(number) - hours * 3_600_000_000 for hours in range(TIMES))]
        rows = [
            Row(
                (key := f"k{random.randrange(KEYS):02}",),
                {"ID": key}
                | {c: random.choice(VALUES.get(c, VALUES[COLUMNS[c]])) for c in LISTS[name]},
                random.choice(times),
            )
            for _ in range(random.randrange(ROWS))
        ]
        columns = {"ID": "text"} | {c: COLUMNS[c] for c in LISTS[name]}
        found.append(Sent(name, columns, rows, kind=kind, stamp=day(number), content=f"{number}"))
    return found


def judged(name: str, rules: Mapping[str, Any]) -> Judged:
    """What the query needs to know of a column."""
    lists = [each for each, columns in LISTS.items() if name in columns]
    if name in TOGETHER:
        lists = [each for each, columns in LISTS.items() if {*TOGETHER} <= {*columns}]
    rule = rules.get(name, "deliverability" if name == DELIVERABILITY else "latest")
    if isinstance(rule, dict):
        rule, lists = "priority", [each for each in PRIORITY if each in lists]
    return Judged(rule, lists, COLUMNS[name] == "text")


def tables(sent: Mapping[str, list[Sent]]) -> Tables:
    """The rows of each list, with the names of their columns."""
    return {
        f"rows_{name}": (
            ["k", "seq", "record", "us", "since", *LISTS[name]],
            [
                (
                    row.key[0],
                    seq,
                    record,
                    row.updated_us,
                    stamp_us(each.stamp.day - 1) if row.updated_us is None else row.updated_us,
                    *(row.values[column] for column in LISTS[name]),
                )
                for seq, each in enumerate(exports)
                for record, row in enumerate(each.rows)
            ],
        )
        for name, exports in sent.items()
    }


def by_duckdb(rows: Tables, sql: str) -> list[Any]:
    with duckdb.connect(":memory:") as connection:
        for name, (columns, values) in rows.items():
            schema = {c: POLARS[COLUMNS.get(c, "integer")] for c in columns} | {"k": pl.String()}
            connection.register(name, pl.DataFrame(values, schema, orient="row").to_arrow())
        return connection.sql(sql).fetchall()


def by_sqlite(rows: Tables, sql: str) -> list[Any]:
    connection = sqlite3.connect(":memory:")
    for name, (columns, values) in rows.items():
        connection.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
        marks = ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO {name} VALUES ({marks})", values)
    found = connection.execute(sql).fetchall()
    connection.close()
    return found


@pytest.mark.timeout(1800)
@pytest.mark.scorecard(21)
@examples(8, 100)
@given(st.integers(0, 2**32 - 1))
def test_other_engines_find_the_same_profiles_to_the_last_cell(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """duckdb and SQLite by one query that says once more what wins, ours by numpy and polars.

    Fails when `Chosen.winner` takes the last list of a tie.
    """
    random = Random(seed)  # noqa: S311 - no secret
    ruled = [c for c in COLUMNS if c not in (*CHANNELS, *TOGETHER, DELIVERABILITY)]
    rules: dict[str, Any] = {c: random.choice(RULES) for c in ruled}
    rules = {c: {"priority": PRIORITY} if rule == "priority" else rule for c, rule in rules.items()}
    sent = {name: exports(random, name) for name in LISTS}
    project = project_of(
        tmp_path_factory.mktemp("merge"),
        {name: {} for name in LISTS},
        {"rules": rules, "together": [TOGETHER]},
    )
    lake = Lake(project.lake_path)
    for each in (each for several in sent.values() for each in several):
        put(lake, each, seed, group=16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "WORTH_A_RANGE", 1 << 12)
        snapshot, _ = refresh(project, lake, SILENT)
    assert snapshot is not None
    values = [c for c in COLUMNS if c not in CHANNELS]
    live_from = {
        name: max((n for n, each in enumerate(several) if each.kind == "full"), default=0)
        for name, several in sent.items()
    }
    sql = query(live_from, {c: judged(c, rules) for c in values}, CHANNELS)
    names = ["ID", *values, *CHANNELS, "UPDATED_AT_", "LISTS_"]
    ours = [tuple(row[name] for name in names) for row in rows_of(snapshot)]
    assert ours == by_duckdb(tables(sent), sql)
    assert ours == by_sqlite(tables(sent), sql)
