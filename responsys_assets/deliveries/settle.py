"""Ending a plan that began to leave and cannot go on, for what it was made from has changed.

What the receiver has got of it, kind by kind, becomes a delivery of its own and the base of the
next plan; the rest is withdrawn. So no number of a file means two contents, and a person who
got there is removed there.
"""

# ruff: noqa: S608 - names and texts are quoted by segments/engine.py, `where` is parsed

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

import duckdb

from responsys_assets.deliveries.files import named_at
from responsys_assets.deliveries.plans import Plans
from responsys_assets.deliveries.receivers import ROWS, share
from responsys_assets.deliveries.rows import Kind, key_columns
from responsys_assets.deliveries.transfer import Transfer, at_destination
from responsys_assets.lake.publish import Workspace
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.segments import engine
from responsys_assets.segments.sql import identifier

ARRIVED = "arrived"


def settle_half_sent(plans: Plans) -> None:
    """End every plan of this delivery or to its target that cannot go on; one that waits may."""
    for others, plan in list(plans.half_sent()):
        settle(others, plan)


def settle(plans: Plans, plan: Snapshot) -> None:
    """End a plan that began to leave: record what arrived, take back the rest."""
    journal = plans.journal(plan)
    transfer = Transfer(plan, journal)
    if not plans.follows(plan):  # what came later says what the receiver has
        journal.note("abandoned")
        return
    if not transfer.complete:
        at_destination(plans, plan, transfer.withdraw)
    if transfer.complete:
        plans.record(plan)
        return
    if kinds := transfer.kinds():
        plans.record(_publish(plans, plan, transfer, kinds))
    journal.note("abandoned")


def _publish(plans: Plans, plan: Snapshot, transfer: Transfer, kinds: Set[Kind]) -> Snapshot:
    manifest = plan.manifest
    counts = {"added": "add", "updated": "update", "removed": "remove"}
    with plans.lake.workspace() as work:
        folder = work.folder("plan")
        state = _State(plans.delivered(), plan, kinds)
        rows = state.write(work, folder / ROWS, f"cannot record delivery {plans.name}")
        for file in transfer.arrived():
            for name in filter(None, (file["name"], file["ready"])):
                share(plan.path / "files" / name, work.folder("plan/files") / name)
        return plans.store.publish(
            work,
            folder,
            inputs={
                **manifest["inputs"],
                "match_on": state.match_on,
                "part": ARRIVED,
                "kinds": sorted(kinds),
            },
            rows=rows,
            now=plans.project.now(),
            extra={
                **{key: manifest[key] for key in ("seq", "shape", "to")},
                **{name: manifest[name] if kind in kinds else 0 for name, kind in counts.items()},
                "named_at": named_at(plan).isoformat(),
                "state": "planned",
                "delivery_files": transfer.arrived(),
                "columns": state.columns,
                "mixed": state.mixed,
                "changed": manifest["state"] == "held",
            },
            make_current=False,
        )


class _State:
    """What a receiver has that got only some kinds of change of a plan."""

    def __init__(self, base: Snapshot | None, plan: Snapshot, kinds: Set[Kind]) -> None:
        self._base, self._plan, self._kinds = base, plan, kinds
        layout: list[list[str]] = plan.manifest["columns"]
        before: list[list[str]] = base.manifest["columns"] if base else layout
        known = {column for column, _ in layout}
        self.columns = [*layout, *(each for each in before if each[0] not in known)]
        # some rows have the columns of before: the next update is of all of them
        self.mixed = before != layout and "update" not in kinds
        self.match_on = _match_on(base if base and "remove" not in kinds else plan)

    def write(self, work: Workspace, target: Path, what: str) -> int:
        """Write the rows, sorted by key; returns how many there are."""
        read = [plan.path / ROWS for plan in (self._base, self._plan) if plan]
        with engine.locked_down(read=read, spill=work.folder("spill"), zone="UTC") as connection:
            rows = self._rows()
            try:
                engine.write_parquet(connection, f"SELECT * FROM ({rows}) ORDER BY ALL", target)
                found = connection.execute(f"SELECT count(*) FROM ({rows})").fetchall()
            except duckdb.Error as error:
                raise engine.fault(what, error) from None
        return int(found[0][0])

    def _rows(self) -> str:
        after, kinds = self._aligned(self._plan), self._kinds
        nobody = f"SELECT * FROM ({after}) WHERE false"
        if self._base is None:
            return after if "add" in kinds else nobody
        before = self._aligned(self._base)
        keys = key_columns(self._plan)
        if _match_on(self._base) != _match_on(self._plan):  # every row is another one
            if "remove" not in kinds:
                return before
            return after if "add" in kinds else nobody
        same = " AND ".join(f"r.{key} = o.{key}" for key in keys)
        new, old = (after, before) if "update" in kinds else (before, after)
        parts = [f"SELECT r.* FROM ({new}) r SEMI JOIN ({old}) o ON {same}"]
        if "remove" not in kinds:
            parts.append(f"SELECT r.* FROM ({before}) r ANTI JOIN ({after}) o ON {same}")
        if "add" in kinds:
            parts.append(f"SELECT r.* FROM ({after}) r ANTI JOIN ({before}) o ON {same}")
        return " UNION ALL ".join(parts)

    def _aligned(self, plan: Snapshot) -> str:
        """The rows of a plan with the columns of all."""
        own = {column for column, _ in plan.manifest["columns"]}
        columns = [
            identifier(column) if column in own else f"'' AS {identifier(column)}"
            for column, _ in self.columns
        ]
        wanted = ", ".join((*key_columns(plan), *columns))
        return f"SELECT {wanted} FROM {engine.parquet([plan.path / ROWS])}"


def _match_on(plan: Snapshot) -> list[str]:
    return list(plan.manifest["inputs"]["match_on"])
