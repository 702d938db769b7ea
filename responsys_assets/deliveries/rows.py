"""The delivered rows as text, and how they differ from what the receiver has.

Rows are compared as the receiver sees them: by the text of the delivered columns. So the base
is kept as text, too (`rows.parquet`: `_key_0`, `_key_1`, ... and the columns under the names
that profiles give them), and a removed row can be sent with the very values last delivered.

How values are written: text as it is; integers and numbers in digits without exponent, whole
numbers without a fraction; true, false; dates as 2026-11-01; timestamps as
2026-11-01 10:00:00+00:00, with six digits of the second's fraction if it is not zero; NULL as
nothing.
"""

# ruff: noqa: S608 - names and texts are quoted by segments/engine.py, `where` is parsed

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import duckdb
import polars as pl

from responsys_assets.config.project import Project
from responsys_assets.deliveries.source import CHANGE, Source
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.segments import engine
from responsys_assets.segments.consent import Exclusions
from responsys_assets.segments.sql import identifier

BATCH_ROWS = 50_000

Kind = Literal["remove", "add", "update"]
KINDS: tuple[Kind, ...] = ("remove", "add", "update")  # in the order of sending


@dataclass(frozen=True)
class Counts:
    rows: int
    added: int
    updated: int
    removed: int

    @property
    def any_change(self) -> bool:
        return bool(self.added or self.updated or self.removed)

    def of(self, kind: Kind) -> int:
        return {"add": self.added, "update": self.updated, "remove": self.removed}[kind]


def key_columns(plan: Snapshot) -> list[str]:
    """The columns of a plan's rows that hold their match key."""
    return [f"_key_{number}" for number, _ in enumerate(plan.manifest["inputs"]["match_on"])]


class Comparison:
    """The new rows beside the base, on a connection that can read both."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, source: Source, target: Path, base: Path | None
    ) -> None:
        self._connection = connection
        self._source = source
        self._target = target
        match_on = source.inputs["match_on"]
        self._keys = [f"_key_{number}" for number, _ in enumerate(match_on)]
        self._now = engine.parquet([target])
        self._was = engine.parquet([base]) if base else None
        manifest = source.base.manifest if source.base else {}
        self._base_columns = [column for column, _ in manifest.get("columns", [])]
        layout = [[*pair] for pair in zip(source.columns, source.names, strict=True)]
        self.same_columns = manifest.get("columns") == layout and not manifest.get("mixed")
        before = manifest["inputs"]["match_on"] if manifest else match_on
        self._same_key = before == match_on
        self._base_keys = [f"_key_{number}" for number, _ in enumerate(before)]

    def write_rows(self, project: Project, exclusions: Exclusions) -> None:
        """Write `rows.parquet`, sorted by key."""
        match_on = project.config.profiles.match_columns
        rows = f"SELECT * FROM {engine.parquet(self._source.files)}"
        names = {column: identifier(column) for column in match_on}
        if self._source.keys is not None:
            held = ", ".join(
                f"{identifier(column)} AS {identifier(key)}"
                for column, key in zip(match_on, self._keys, strict=True)
            )
            keys = f"SELECT {held} FROM {engine.parquet([self._source.keys])}"
            rows = f"SELECT * FROM ({rows}) POSITIONAL JOIN ({keys})"
            names = dict(zip(match_on, map(identifier, self._keys), strict=True))
        keyed = [f"{names[c]} AS {key}" for c, key in zip(match_on, self._keys, strict=True)]
        texts = [
            f"{as_text(identifier(column), self._source.types[column])} AS {identifier(column)}"
            for column in self._source.columns
        ]
        query = (
            f"SELECT {', '.join((*keyed, *texts))} FROM ({rows}) "
            f"WHERE ({exclusions.reason}) IS NULL ORDER BY {', '.join(self._keys)}"
        )
        engine.write_parquet(self._connection, query, self._target)

    def counts(self) -> Counts:
        """How many rows there are and how many are of each kind."""
        return Counts(
            rows=self._count(f"SELECT 1 FROM {self._now}"),
            added=self._count(self._query("add", "1")),
            updated=self._count(self._query("update", "1")),
            removed=self._count(self._query("remove", "1")),
        )

    def all_rows(self) -> Iterator[pl.DataFrame]:
        """The new rows, sorted by key."""
        columns = ", ".join(map(identifier, self._source.columns))
        return self._batches(f"SELECT {columns} FROM {self._now}")

    def changed_rows(self, kinds: Sequence[Kind], *, say: bool) -> Iterator[pl.DataFrame]:
        """The rows of these kinds, one kind after the other, each sorted by key.

        `say` adds the column that names the kind, as the last one.
        """
        for kind in kinds:
            was = kind == "remove"
            columns = [
                f"r.{identifier(column)}"
                if not was or column in self._base_columns
                else f"'' AS {identifier(column)}"  # a column that was not delivered then
                for column in self._source.columns
            ]
            if say:
                columns.append(f"'{kind}' AS {identifier(CHANGE)}")
            keys = self._base_keys if was else self._keys
            query = self._query(kind, ", ".join(columns))
            yield from self._batches(f"{query} ORDER BY {', '.join(f'r.{key}' for key in keys)}")

    def _query(self, kind: Kind, what: str) -> str:
        """A query for the rows of a kind, the row being `r`."""
        same = " AND ".join(f"r.{key} = o.{key}" for key in self._keys)
        if kind == "remove":
            if self._was is None:
                return f"SELECT {what} FROM {self._now} r WHERE false"
            if not self._same_key:
                return f"SELECT {what} FROM {self._was} r"
            return f"SELECT {what} FROM {self._was} r ANTI JOIN {self._now} o ON {same}"
        if self._was is None or not self._same_key:
            return f"SELECT {what} FROM {self._now} r WHERE {'true' if kind == 'add' else 'false'}"
        if kind == "add":
            return f"SELECT {what} FROM {self._now} r ANTI JOIN {self._was} o ON {same}"
        differs = "true"
        if self.same_columns:
            differs = " OR ".join(
                f"r.{identifier(column)} <> o.{identifier(column)}"
                for column in self._source.columns
            )
        return f"SELECT {what} FROM {self._now} r JOIN {self._was} o ON {same} WHERE ({differs})"

    def _count(self, query: str) -> int:
        row = self._connection.execute(f"SELECT count(*) FROM ({query})").fetchall()[0]
        return int(row[0])

    def _batches(self, query: str) -> Iterator[pl.DataFrame]:
        for batch in engine.batches(self._connection, query, BATCH_ROWS):
            yield cast(pl.DataFrame, pl.from_arrow(batch))


def as_text(sql: str, kind: str) -> str:
    """SQL for a value as it is delivered; see the module for the rules."""
    text = f"CAST({sql} AS VARCHAR)"
    if kind == "number":
        text = _plain_number(sql)
    elif kind == "timestamp":
        utc = f"timezone('UTC', {sql})"
        text = (
            f"CASE WHEN epoch_us({sql}) % 1000000 = 0 "
            f"THEN strftime({utc}, '%Y-%m-%d %H:%M:%S+00:00') "
            f"ELSE strftime({utc}, '%Y-%m-%d %H:%M:%S.%f+00:00') END"
        )
    return f"coalesce({text}, '')"


def _plain_number(sql: str) -> str:
    """The shortest digits that mean the number, without exponent and without `.0`."""
    text = f"CAST({sql} AS VARCHAR)"
    sign = f"CASE WHEN {sql} < 0 THEN '-' ELSE '' END"
    digits = f"replace(replace(split_part({text}, 'e', 1), '.', ''), '-', '')"
    exponent = f"CAST(split_part({text}, 'e', 2) AS INTEGER)"
    return (
        f"CASE WHEN {sql} = 0 THEN '0' "  # there is a negative zero
        f"WHEN NOT contains({text}, 'e') THEN regexp_replace({text}, '\\.0$', '') "
        f"WHEN {exponent} < 0 THEN {sign} || '0.' || repeat('0', -{exponent} - 1) || "
        f"regexp_replace({digits}, '0+$', '') "
        f"ELSE {sign} || rpad(regexp_replace({digits}, '0+$', ''), {exponent} + 1, '0') END"
    )
