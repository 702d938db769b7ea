"""The files of a plan: how they are called, and writing them beside their ready files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from responsys_assets.config.models import Delivery
from responsys_assets.config.project import Project
from responsys_assets.config.targets import Target
from responsys_assets.deliveries.render import write_file
from responsys_assets.deliveries.rows import KINDS, Counts, Kind
from responsys_assets.deliveries.source import CHANGE
from responsys_assets.lake.snapshots import Snapshot

_SECOND = dt.timedelta(seconds=1)


@dataclass(frozen=True)
class File:
    """A file to be written: its name, its kind (None: all rows) and its columns."""

    name: str
    kind: Kind | None
    columns: Sequence[str]


@dataclass(frozen=True)
class Naming:
    """The number and the moment that a plan's names have; changes never use a moment twice."""

    delivery: Delivery
    seq: int
    moment: dt.datetime

    @classmethod
    def after(cls, project: Project, delivery: Delivery, base: Snapshot | None) -> Naming:
        """The names of the plan that follows the base."""
        moment = project.now()
        if base is not None and delivery.mode == "changes":
            moment = max(moment, named_at(base) + _SECOND)
        seq = int(base.manifest["seq"]) + 1 if base else 1
        return cls(delivery, seq, moment.astimezone(project.zone))

    def files(self, columns: Sequence[str], counts: Counts) -> list[File]:
        """The files that say this much."""
        pattern, moment = self.delivery.file, self.moment
        if self.delivery.mode == "full":
            return [File(pattern.render(moment, seq=self.seq), None, columns)]
        if not pattern.has("change"):
            return [File(pattern.render(moment, seq=self.seq), None, [*columns, CHANGE])]
        return [
            File(pattern.render(moment, change=kind, seq=self.seq), kind, columns)
            for kind in KINDS
            if counts.of(kind)
        ]

    def as_manifest(self) -> dict[str, Any]:
        return {"seq": self.seq, "named_at": self.moment.isoformat()}


def named_at(plan: Snapshot) -> dt.datetime:
    """The moment in the names of a plan's files."""
    return dt.datetime.fromisoformat(plan.manifest.get("named_at", plan.manifest["created_at"]))


def write(
    project: Project, delivery: Delivery, folder: Path, file: File, rows: Iterable[pl.DataFrame]
) -> dict[str, Any]:
    """Write one file and its ready file into a folder; what the manifest says of them.

    Raises:
        UnrenderableError: if a value does not fit the enclosure or the charset.
    """
    written = write_file(project, delivery, folder / file.name, file.columns, rows)
    ready = None
    if delivery.ready != "none":
        ready = file.name + delivery.ready.suffix
        (folder / ready).write_text(str(written.rows) if delivery.ready.count else "")
    return {
        "name": file.name,
        "kind": file.kind or "all",
        "rows": written.rows,
        "content_sha256": written.sha256,
        "ready": ready,
    }


def shape_of(delivery: Delivery) -> dict[str, Any]:
    """What the receiver would notice, were it different."""
    return delivery.model_dump(mode="json", exclude={"guard", "when_unchanged", "channel"})


def destination(project: Project, target: Target) -> dict[str, Any]:
    """Where a plan goes, and what the server's name means now."""
    place = target.place(project.config)
    return {"server": target.server, "folder": target.folder, "place": [*place]}
