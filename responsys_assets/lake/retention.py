"""Retention: what `keep` lets go. Receipts, staged records and opt-outs are never removed, nor
is anything that a person has still to decide on.

What is removed leaves a marker beside its receipt, so that `verify` can tell a file that was
let go from one that was lost.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from responsys_assets.config.project import Project
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import Workspace, disk_errors
from responsys_assets.lake.receipts import PRUNED
from responsys_assets.lake.snapshots import MANIFEST, SnapshotStore

_SNAPSHOT_NAME = re.compile(r"\b\d{8}T\d{12}Z_[0-9a-f]{8}\b")
_RECEIPTS = (".arrival.json", ".verdict.json", PRUNED, ".part")


@dataclass
class Pruned:
    """How much was let go."""

    exported: int = 0
    rejects: int = 0
    snapshots: int = 0
    bytes: int = 0
    files: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, int]:
        return {
            "exported": self.exported,
            "rejects": self.rejects,
            "snapshots": self.snapshots,
            "bytes": self.bytes,
        }


def pruned_marker(path: Path) -> Path:
    """The marker that says that retention removed this file."""
    return path.with_name(f"{path.name}{PRUNED}")


def prune(project: Project, lake: Lake) -> Pruned:
    """Apply `keep`; with nothing to let go, nothing is written.

    Ages count from the stamp of the export. File and quarantine of one that is held or failed
    stay until a person accepts or withdraws it: there may be no other copy to decide on.
    """
    keep = project.config.keep
    done = Pruned()
    with lake.writing():
        if keep.exported is not None:
            _prune_exported(lake, project.now(), keep.exported, done)
        if keep.rejects is not None:
            _prune_rejects(lake, project.now(), keep.rejects, done)
        if keep.snapshots is not None:
            _prune_snapshots(lake, keep.snapshots, done)
    return done


def list_names(lake: Lake) -> list[str]:
    """Lists that the lake holds exports of, whether or not they are still configured."""
    return _folders(lake.root / "exported")


def data_files(folder: Path) -> list[Path]:
    """The exports as they were sent: every file of an export's folder that is no receipt."""
    return sorted(
        path for path in folder.iterdir() if path.is_file() and not path.name.endswith(_RECEIPTS)
    )


def snapshot_stores(lake: Lake) -> Iterator[SnapshotStore]:
    """Every store of snapshots in the lake, configured or not."""
    yield SnapshotStore(lake.profiles())
    for stage in ("segments", "deliveries"):
        for name in _folders(lake.root / stage):
            yield SnapshotStore(lake.root / stage / name)


def _folders(path: Path) -> list[str]:
    return sorted(p.name for p in path.iterdir() if p.is_dir()) if path.is_dir() else []


def _prune_exported(lake: Lake, now: dt.datetime, keep: dt.timedelta, done: Pruned) -> None:
    for name in list_names(lake):
        by_folder: dict[Path, list[Export]] = defaultdict(list)
        for export in read_exports(lake, name):
            by_folder[export.folder].append(export)
        for folder, exports in by_folder.items():
            if all(_may_go(export, now, keep) for export in exports):
                for path in data_files(folder):
                    done.exported += _remove_file(lake, path, now, done)


def _may_go(export: Export, now: dt.datetime, keep: dt.timedelta) -> bool:
    """Whether it is old, and a person has nothing left to decide on it."""
    undecided = export.state == "fetched" or export.waits_for_person
    return not undecided and now - export.stamp > keep


def _prune_rejects(lake: Lake, now: dt.datetime, keep: dt.timedelta, done: Pruned) -> None:
    for name in list_names(lake):
        for export in read_exports(lake, name):
            if export.rejects.exists() and _may_go(export, now, keep):
                done.rejects += _remove_file(lake, export.rejects, now, done)


def _remove_file(lake: Lake, path: Path, now: dt.datetime, done: Pruned) -> int:
    marker = {"file": path.name, "pruned_at": now.astimezone(dt.UTC).isoformat()}
    with lake.workspace() as workspace, disk_errors(f"cannot remove {path.name}"):
        size = path.stat().st_size
        workspace.publish_bytes((json.dumps(marker) + "\n").encode(), pruned_marker(path))
        path.unlink()
    done.bytes += size
    done.files.append(str(path))
    return 1


def _prune_snapshots(lake: Lake, keep: int, done: Pruned) -> None:
    stores = list(snapshot_stores(lake))
    kept: dict[Path, set[str]] = {}
    referred: set[str] = set()
    for store in stores:
        names = store.names()
        current = store.current()
        kept[store.root] = {*names[-keep:], *([current.name] if current else [])}
        # the newest plan may still wait for a person: what it is made from stays, too
        for name in {*names[-1:], *([current.name] if current else [])}:
            referred.update(_SNAPSHOT_NAME.findall((store.root / name / MANIFEST).read_text()))
    for store in stores:
        for name in store.names():
            if name not in kept[store.root] and name not in referred:
                with lake.workspace() as workspace:
                    _remove_folder(workspace, store.root / name, done)


def _remove_folder(workspace: Workspace, folder: Path, done: Pruned) -> None:
    """Rename it away first: a snapshot is there whole or not at all."""
    with disk_errors(f"cannot remove {folder.name}"):
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        folder.rename(workspace.path / folder.name)
    done.snapshots += 1
    done.bytes += size
    done.files.append(str(folder))
