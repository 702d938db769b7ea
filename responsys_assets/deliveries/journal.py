"""How far the sending of a plan came: small receipts in its folder, each written once.

A step that cannot be undone is announced before it is tried (`sending`, `announcing`) and
confirmed after (`sent`, `announced`), so that whoever comes next knows what to look for;
`uploading` says that there may be a temporary file. `shown` says that a person looked at the plan,
`released` who sent it although it was held, and why, `closed` who closed the receiver, and why.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from responsys_assets.config.project import Project
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot

FileStep = Literal["uploading", "sending", "sent", "announcing", "announced"]
PlanStep = Literal["shown", "released", "closed", "abandoned", "delivered"]


class Journal:
    """The receipts of one plan."""

    def __init__(self, project: Project, lake: Lake, plan: Snapshot) -> None:
        self._project = project
        self._lake = lake
        self._folder = plan.path / "journal"

    @property
    def started(self) -> bool:
        """Whether the destination may have seen something of this plan."""
        return any(self._folder.glob("*.uploading.json"))

    def knows(self, step: PlanStep) -> bool:
        return (self._folder / f"{step}.json").exists()

    def knows_file(self, number: int, step: FileStep) -> bool:
        return (self._folder / f"{number:03d}.{step}.json").exists()

    def note(self, step: PlanStep, **said: str | None) -> None:
        self._write(step, said)

    def note_file(self, number: int, step: FileStep, name: str) -> None:
        self._write(f"{number:03d}.{step}", {"file": name})

    def _write(self, name: str, content: dict[str, Any]) -> None:
        document = {"at": self._project.now().isoformat(timespec="seconds"), **content}
        with self._lake.workspace() as work:
            target = self._folder / f"{name}.json"
            work.publish_bytes((json.dumps(document) + "\n").encode(), target)
