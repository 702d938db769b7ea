"""Snapshots: immutable folders with a manifest, and a `CURRENT` file that points to one.

profiles/, segments/<name>/ and deliveries/<name>/ all work like this.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from responsys_assets.errors import LakeError
from responsys_assets.lake.publish import Workspace, sha256_of

MANIFEST = "manifest.json"
CURRENT = "CURRENT"


def digest(document: Any) -> str:
    """Hex digest of a JSON document, whatever the order of its keys."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Snapshot:
    """A published folder and what its manifest says.

    `manifest` holds at least: `inputs` (everything that decided the content, by hash),
    `inputs_digest`, `created_at`, `rows` and `files` (name, sha256, bytes[, rows]).
    """

    path: Path
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def rows(self) -> int:
        return int(self.manifest["rows"])

    @property
    def inputs_digest(self) -> str:
        return str(self.manifest["inputs_digest"])

    @property
    def files(self) -> list[Path]:
        return [self.path / entry["name"] for entry in self.manifest["files"]]


class SnapshotStore:
    """The snapshots of one asset."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def current(self) -> Snapshot | None:
        """The snapshot that `CURRENT` names."""
        try:
            name = (self.root / CURRENT).read_text().strip()
        except FileNotFoundError:
            return None
        return self.read(name)

    def points_to(self, name: str) -> bool:
        """Whether `CURRENT` names this snapshot, which is there."""
        try:
            named = (self.root / CURRENT).read_text().strip() == name
        except (OSError, ValueError):
            return False
        return named and (self.root / name / MANIFEST).is_file()

    def read(self, name: str) -> Snapshot:
        """One snapshot.

        Raises:
            LakeError: if it is missing or its manifest is damaged.
        """
        path = self.root / name
        try:
            return Snapshot(path, json.loads((path / MANIFEST).read_bytes()))
        except (OSError, ValueError):
            raise LakeError(
                "snapshot_damaged",
                f"the manifest is missing or damaged; {self.remedy}",
                file=str(path / MANIFEST),
            ) from None

    @property
    def remedy(self) -> str:
        """How a snapshot that is lost or damaged comes back.

        Profiles and segments are made from what the lake holds besides. What a receiver has is
        known from the snapshots in deliveries/ and receivers/ alone.
        """
        if self.root.parent.name in ("deliveries", "receivers"):
            return (
                "restore it from a backup of the lake: it says what the receiver has, and nothing "
                "else does. Without a backup, empty the receiver's copy, then delete "
                f"{self.root}: the next delivery sends everything"
            )
        return (
            f"restore it from a backup of the lake, or delete this snapshot and {CURRENT} beside "
            "it: the next sync makes it anew"
        )

    def require_whole(self, snapshot: Snapshot, file: str) -> None:
        """Refuse to go on with a file of a snapshot that is not what its manifest says.

        Raises:
            LakeError: if it is missing or damaged.
        """
        path = snapshot.path / file
        wanted = {entry["name"]: entry["sha256"] for entry in snapshot.manifest["files"]}
        if not path.is_file() or sha256_of(path) != wanted.get(file):
            raise LakeError(
                "snapshot_damaged",
                "this file is missing or damaged (`responsys verify` lists all that are); "
                f"{self.remedy}",
                file=str(path),
            )

    def names(self) -> list[str]:
        """All snapshots, oldest first."""
        if not self.root.is_dir():
            return []
        return sorted(p.name for p in self.root.iterdir() if (p / MANIFEST).is_file())

    def publish(
        self,
        workspace: Workspace,
        folder: Path,
        *,
        inputs: dict[str, Any],
        rows: int,
        now: dt.datetime,
        extra: dict[str, Any] | None = None,
        make_current: bool = True,
    ) -> Snapshot:
        """Hash, describe and publish a finished folder, then point `CURRENT` to it.

        `folder` is inside `workspace`; every file in it becomes an entry of the manifest.
        """
        inputs_digest = digest(inputs)
        manifest = {
            "created_at": now.astimezone(dt.UTC).isoformat(timespec="microseconds"),
            "inputs": inputs,
            "inputs_digest": inputs_digest,
            "rows": rows,
            "files": [
                {
                    "name": path.relative_to(folder).as_posix(),
                    "sha256": sha256_of(path),
                    "bytes": path.stat().st_size,
                }
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            ],
            **(extra or {}),
        }
        stamp = now.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%S%fZ")
        target = self.root / f"{stamp}_{inputs_digest[:8]}"
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        workspace.publish_folder(folder, target)
        if make_current:
            self.point_to(workspace, target.name)
        return Snapshot(target, manifest)

    def point_to(self, workspace: Workspace, name: str) -> None:
        """Make a published snapshot the current one."""
        workspace.publish_bytes(f"{name}\n".encode(), self.root / CURRENT)
