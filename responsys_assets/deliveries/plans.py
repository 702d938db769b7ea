"""The plans of a delivery in the lake: which one waits, what it says, which may go."""

from __future__ import annotations

from typing import Any

from responsys_assets.config.project import Project
from responsys_assets.deliveries.journal import Journal, PlanStep
from responsys_assets.deliveries.states import DeliveryResult, State
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import disk_errors
from responsys_assets.lake.snapshots import Snapshot, SnapshotStore

_LASTING: tuple[PlanStep, ...] = ("delivered", "abandoned")


class Plans:
    """Plans are snapshots that become current once the destination has them."""

    def __init__(self, project: Project, lake: Lake, name: str) -> None:
        self.project = project
        self.lake = lake
        self.name = name
        self.store = SnapshotStore(lake.delivery(name))

    def journal(self, plan: Snapshot) -> Journal:
        return Journal(self.project, self.lake, plan)

    def delivered(self) -> Snapshot | None:
        """What was delivered last."""
        return self.store.current()

    def waiting(self) -> Snapshot | None:
        """The plan that follows the last delivery and was not given up."""
        found = [plan for plan in self._followers() if not self.journal(plan).knows("abandoned")]
        return found[-1] if found else None

    def abandoned(self) -> list[Snapshot]:
        """Plans that were given up half sent; the destination may still have parts of them."""
        return [plan for plan in self._all() if self.journal(plan).knows("abandoned")]

    def superseded_by(self, plan: Snapshot) -> list[Snapshot]:
        """Plans that were never sent and never will be, now that there is this one."""
        current = self.delivered()
        keep = {plan.name, current.name if current else plan.name}
        return [
            old
            for old in self._all()
            if old.name not in keep and not any(self.journal(old).knows(step) for step in _LASTING)
        ]

    def record(self, plan: Snapshot) -> None:
        """The destination has all of it: the plan becomes the next base."""
        self.journal(plan).note("delivered")
        with self.lake.workspace() as work:
            self.store.point_to(work, plan.name)

    def remove(self, plan: Snapshot) -> None:
        """Remove a plan, by a rename first: it is there whole or not at all."""
        with self.lake.workspace() as work, disk_errors(f"cannot remove {plan.name}"):
            plan.path.rename(work.path / plan.name)

    def result(self, plan: Snapshot, state: State | None = None) -> DeliveryResult:
        """What people are told of a plan; its state now unless one is given."""
        manifest = plan.manifest
        state = state or self._state(plan)
        if state == "unchanged":
            return DeliveryResult(self.name, state, rows=plan.rows, snapshot=plan)
        held = state == "held"
        return DeliveryResult(
            self.name,
            state,
            files=tuple(file["name"] for file in manifest["delivery_files"]),
            rows=plan.rows,
            added=manifest["added"],
            updated=manifest["updated"],
            removed=manifest["removed"],
            reason=manifest["reason"] if held else None,
            detail=manifest["detail"] if held else None,
            snapshot=plan,
        )

    def _state(self, plan: Snapshot) -> State:
        current = self.delivered()
        if current is not None and current.name == plan.name:
            return "delivered"
        planned: State = plan.manifest["state"]
        if planned == "held" and self.journal(plan).knows("released"):
            return "planned"
        return planned

    def _all(self) -> list[Snapshot]:
        return [self.store.read(name) for name in self.store.names()]

    def _followers(self) -> list[Snapshot]:
        current = self.delivered()
        base: Any = current.name if current else None
        return [plan for plan in self._all() if plan.manifest["inputs"]["base"] == base]
