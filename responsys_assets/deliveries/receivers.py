"""What each receiver has: a state of a folder and the names there, not of a delivery's name.

receivers/<key>/<plan>/rows.parquet    the rows as the receiver has them
receivers/<key>/<plan>/manifest.json   the plan's, with `delivery` and `delivered_at`
receivers/<key>/CURRENT

The plans that were delivered say the same. Whichever of the two knows more counts, so that
nobody is forgotten when one of them is lost or comes back from an old backup.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from responsys_assets.config.project import Project
from responsys_assets.config.targets import Target
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import Workspace, disk_errors
from responsys_assets.lake.snapshots import MANIFEST, Snapshot, SnapshotStore

ROWS = "rows.parquet"


@dataclass(frozen=True)
class Received:
    """What a receiver got last; `delivery` is the name that the delivery had then."""

    target: Target
    delivery: str
    at: str  # ISO 8601
    closed: bool
    rows: int
    path: Path
    base: str | None
    seq: int
    beside: tuple[str, ...] = ()  # deliveries to the same folder under other file names

    @property
    def plan(self) -> Snapshot:
        """The plan, with the rows that the receiver has."""
        return SnapshotStore(self.path.parent).read(self.path.name)

    def require_whole(self) -> None:
        """Refuse to go on if it is not known any more whom the receiver has.

        Raises:
            LakeError: if the rows are missing or damaged.
        """
        SnapshotStore(self.path.parent).require_whole(self.plan, ROWS)

    @property
    def _order(self) -> tuple[dt.datetime, int, bool, str]:
        whole = (self.path / ROWS).is_file()
        return (dt.datetime.fromisoformat(self.at), self.seq, whole, self.path.name)

    def as_json(self) -> dict[str, Any]:
        return {
            "target": str(self.target),
            "delivery": self.delivery,
            "rows": self.rows,
            "delivered_at": self.at,
            "beside": [*self.beside],
        }


class Receivers:
    """Everybody that anything was ever delivered to, as the lake knows it."""

    def __init__(self, project: Project, lake: Lake) -> None:
        self._project = project
        self._lake = lake

    def last(self, target: Target) -> Received | None:
        """What this receiver has; None if it never got anything."""
        known = [each for each in self._known() if self.same(each.target, target)]
        return _newest(known) if known else None

    def all(self) -> dict[Target, Received]:
        """What every receiver has, by its newest target."""
        targets = {received.target for received in self._known()}
        newest = {received.target: received for received in map(self.last, targets) if received}
        return {
            target: replace(newest[target], beside=self._beside(target))
            for target in sorted(newest)
        }

    def left(self) -> list[Received]:
        """Receivers that still have people and are not delivered to any more."""
        return [
            received
            for received in self.all().values()
            if received.rows and not received.closed and not self.in_use(received.target)
        ]

    def in_use(self, target: Target) -> bool:
        """Whether the configuration delivers to this receiver."""
        return any(self.same(target, other) for other in self._configured.values())

    def same(self, one: Target, other: Target) -> bool:
        """Whether two targets are one receiver."""
        return one == other or one.same_receiver(other, self._project.config)

    def _beside(self, target: Target) -> tuple[str, ...]:
        config = self._project.config
        return tuple(
            name
            for name, other in self._configured.items()
            if target.shares_place(other, config) and not self.same(target, other)
        )

    @property
    def _configured(self) -> dict[str, Target]:
        deliveries = self._project.config.deliveries
        return {name: Target.of(delivery) for name, delivery in deliveries.items()}

    def remember(self, received: Received) -> None:
        """Keep what the receiver has apart from the plan that brought it."""
        name, target = received.path.name, received.target
        store = SnapshotStore(self._root / target.key)
        before = [each for each in store.names() if each != name]
        if store.points_to(name) and not before[1:]:
            return
        with self._lake.workspace() as work:
            if not (store.root / name).exists():
                work.publish_folder(_copied(work, received), store.root / name)
            store.point_to(work, name)
            for each in before[:-1]:  # somebody may be reading the last one
                with disk_errors(f"cannot remove {each}"):
                    (store.root / each).rename(work.path / f"old-{each}")
            for folder in self._other_spellings(target):
                with disk_errors(f"cannot remove {folder.name}"):
                    folder.rename(work.path / f"old-{folder.name}")

    def _other_spellings(self, target: Target) -> set[Path]:
        """What is kept for this receiver under another way to write its target."""
        return {
            each.path.parent
            for each in self._known()
            if each.path.parent.parent == self._root
            and each.target != target
            and self.same(each.target, target)
        }

    @property
    def _root(self) -> Path:
        return self._lake.root / "receivers"

    def _known(self) -> Iterator[Received]:
        """First from the plans, which have their files beside them."""
        for journal in (self._lake.root / "deliveries").glob("*/*/journal/delivered.json"):
            manifest = journal.parents[1] / MANIFEST
            if manifest.is_file():
                yield _read(manifest, journal, manifest.stat().st_mtime_ns)
        for manifest in self._root.glob(f"*/*/{MANIFEST}"):
            yield _read(manifest, None, manifest.stat().st_mtime_ns)


def _copied(work: Workspace, received: Received) -> Path:
    """The rows of a plan and what is to be known of them, in a folder to be published."""
    folder, manifest = work.folder("receiver"), received.plan.manifest
    share(received.path / ROWS, folder / ROWS)
    rows = [each for each in manifest["files"] if each["name"] == ROWS]
    said = {"delivery": received.delivery, "delivered_at": received.at, "files": rows}
    (folder / MANIFEST).write_text(json.dumps({**manifest, **said}, indent=2) + "\n")
    return folder


def share(source: Path, target: Path) -> None:
    """The same content under another name, without a second copy where the disk can do that."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@lru_cache(maxsize=10_000)  # sensors ask often, and what was delivered does not change
def _read(manifest: Path, journal: Path | None, _changed: int) -> Received:
    plan = SnapshotStore(manifest.parents[1]).read(manifest.parent.name)
    said = plan.manifest
    at = said["delivered_at"] if journal is None else json.loads(journal.read_bytes())["at"]
    return Received(
        target=Target.of_manifest(said),
        delivery=said["delivery"] if journal is None else manifest.parents[1].name,
        at=at,
        closed=bool(said.get("closed")),
        rows=plan.rows,
        path=plan.path,
        base=said["inputs"]["base"],
        seq=said["seq"],
    )


def _newest(found: list[Received]) -> Received:
    """The one that no other one followed; clocks decide only where that says nothing."""
    followed = {received.base for received in found}
    heads = [received for received in found if received.path.name not in followed]
    return max(heads or found, key=lambda received: received._order)
