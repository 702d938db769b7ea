"""Plans of what does not wait: people who opted out, or all that a closed receiver has.

They have the shape of what the receiver got last, for that is what it can read. Only a receiver
that got full files, which cannot say that one person is removed, and gets changes from now on is
told in the new shape.
"""

# ruff: noqa: S608 - names and texts are quoted by segments/engine.py, `where` is parsed

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import duckdb
import polars as pl

from responsys_assets.config.models import Delivery
from responsys_assets.deliveries.files import Naming, destination, shape_of, write
from responsys_assets.deliveries.plans import Plans
from responsys_assets.deliveries.receivers import ROWS
from responsys_assets.deliveries.rows import BATCH_ROWS, Counts, Kind, key_columns
from responsys_assets.deliveries.source import CHANGE
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.segments import engine
from responsys_assets.segments.sql import identifier


@dataclass(frozen=True)
class Part:
    """What goes: keys of rows of the base to remove, and rows that say of a person what is new.

    `layout` are the columns and their delivered names in the files of this `delivery`.
    """

    delivery: Delivery
    layout: Sequence[Sequence[str]]
    removed: pl.DataFrame
    updated: pl.DataFrame | None = None

    @property
    def counts(self) -> Counts:
        updated = 0 if self.updated is None else self.updated.height
        return Counts(rows=0, added=0, updated=updated, removed=self.removed.height)


def publish_part(
    plans: Plans, base: Snapshot, part: Part, inputs: dict[str, Any], **said: bool
) -> Snapshot:
    """Make the plan that does this to the base; `said` goes into its manifest.

    Raises:
        UnrenderableError: if a value does not fit the enclosure or the charset.
        PgpError: if it cannot be encrypted.
    """
    project, counts = plans.project, part.counts
    naming = Naming.after(project, part.delivery, base)
    names = [name for _, name in part.layout]
    with plans.lake.workspace() as work:
        folder, files = work.folder("plan"), work.folder("plan/files")
        tables = {"removed": part.removed}
        if part.updated is not None:
            tables["updated"] = part.updated
        with engine.locked_down(
            read=[base.path / ROWS], spill=work.folder("spill"), zone="UTC", tables=tables
        ) as connection:
            rows = _Rows(connection, base, part)
            try:
                engine.write_parquet(connection, rows.left(), folder / ROWS)
                written = [
                    write(project, part.delivery, files, file, rows.batches(file.kind))
                    for file in naming.files(names, counts)
                ]
            except duckdb.Error as error:
                raise engine.fault(f"cannot plan delivery {plans.name}", error) from None
        columns = base.manifest["columns"]
        mixed = bool(base.manifest.get("mixed")) or [*map(list, part.layout)] != columns
        return plans.store.publish(
            work,
            folder,
            inputs=inputs,
            rows=base.rows - counts.removed,
            now=project.now(),
            extra={
                "columns": columns,
                "shape": shape_of(part.delivery),
                "to": destination(project, plans.target),
                "hides_consent": bool(base.manifest.get("hides_consent")),
                "mixed": mixed,
                **naming.as_manifest(),
                "added": 0,
                "updated": counts.updated,
                "removed": counts.removed,
                "state": "planned",
                "reason": None,
                "detail": None,
                "releasable": False,
                "delivery_files": written,
                **said,
            },
            make_current=False,
        )


def delivery_of(plan: Snapshot) -> Delivery:
    """The delivery that a plan was made for."""
    return Delivery.model_validate_json(json.dumps(plan.manifest["shape"]))


def part_of(base: Snapshot, removed: pl.DataFrame, updated: pl.DataFrame | None = None) -> Part:
    """A part in the shape that the receiver got last."""
    return Part(delivery_of(base), base.manifest["columns"], removed, updated)


class _Rows:
    """The rows of a part, on a connection that has them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, base: Snapshot, part: Part) -> None:
        self._connection = connection
        self._base = base
        self._part = part
        self._keys = key_columns(base)
        self._rows = engine.parquet([base.path / ROWS])

    def left(self) -> str:
        """A query for the rows that the receiver has then."""
        rows = self._joined("ANTI", "removed", self._rows)
        if self._part.updated is not None:
            columns = ", ".join(map(identifier, self._part.updated.columns))
            same = self._joined("ANTI", "updated", f"({rows})")
            rows = f"SELECT {columns} FROM ({same}) UNION ALL SELECT {columns} FROM updated"
        return f"SELECT * FROM ({rows}) ORDER BY {', '.join(self._keys)}"

    def batches(self, kind: Kind | None) -> Iterator[pl.DataFrame]:
        """The rows of a file, sorted by key; a full file says by not having them who is removed."""
        part = self._part
        if part.delivery.mode == "full":
            return
        if kind != "update":
            yield from self._sorted(self._joined("SEMI", "removed", self._rows), kind, "remove")
        if kind != "remove" and part.updated is not None:
            yield from self._sorted("SELECT * FROM updated", kind, "update")

    def _sorted(self, query: str, kind: Kind | None, what: Kind) -> Iterator[pl.DataFrame]:
        columns = [self._value(column) for column, _ in self._part.layout]
        if kind is None:
            columns.append(f"'{what}' AS {identifier(CHANGE)}")
        order = ", ".join(self._keys)
        wanted = f"SELECT {', '.join(columns)} FROM ({query}) ORDER BY {order}"
        for batch in engine.batches(self._connection, wanted, BATCH_ROWS):
            yield cast(pl.DataFrame, pl.from_arrow(batch))

    def _value(self, column: str) -> str:
        """A column of the base; its match key is known even if it was not delivered."""
        match_on = self._base.manifest["inputs"]["match_on"]
        if column in {name for name, _ in self._base.manifest["columns"]}:
            return identifier(column)
        value = self._keys[match_on.index(column)] if column in match_on else "''"
        return f"{value} AS {identifier(column)}"

    def _joined(self, kind: str, table: str, rows: str) -> str:
        same = " AND ".join(f"r.{key} = o.{key}" for key in self._keys)
        return f"SELECT r.* FROM {rows} r {kind} JOIN {table} o ON {same}"
