"""The plans of a delivery in the lake: which one waits, what it says, which may go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from responsys_assets.config.project import Project
from responsys_assets.config.targets import Target
from responsys_assets.deliveries.journal import Journal, PlanStep
from responsys_assets.deliveries.receivers import Receivers
from responsys_assets.deliveries.source import delivery_config
from responsys_assets.deliveries.states import DeliveryResult, State
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import disk_errors
from responsys_assets.lake.snapshots import Snapshot, SnapshotStore

OPT_OUTS = "opt_outs"  # the part of a plan that goes by itself while the rest is held
_ENDED: tuple[PlanStep, ...] = ("delivered", "abandoned")


class Plans:
    """Plans are snapshots; one that its target has got is the base of the next."""

    def __init__(
        self, project: Project, lake: Lake, name: str, target: Target | None = None
    ) -> None:
        self.project = project
        self.lake = lake
        self.name = name
        self.target = target or Target.of(delivery_config(project, name))
        self.receivers = Receivers(project, lake)
        self.store = SnapshotStore(lake.delivery(name))

    def journal(self, plan: Snapshot) -> Journal:
        return Journal(self.project, self.lake, plan)

    def delivered(self) -> Snapshot | None:
        """What the target has."""
        found = self.receivers.last(self.target)
        return found.plan if found else None

    def require_base(self) -> None:
        """Refuse to plan against rows that are missing or damaged.

        Raises:
            LakeError: naming the file.
        """
        if found := self.receivers.last(self.target):
            found.require_whole()

    def waiting(self) -> Snapshot | None:
        """The plan that follows what the target has and was not given up."""
        found = [plan for plan in self._open() if self._follows(plan)]
        return found[-1] if found else None

    def half_sent(self) -> Iterator[tuple[Plans, Snapshot]]:
        """Plans that the destination may have seen something of and that are not ended.

        Those under this name, wherever they went, and those to this target, whatever their
        delivery was called; the one that waits is not among them.
        """
        waiting = self.waiting()
        for folder in sorted((self.lake.root / "deliveries").glob("*/")):
            others = Plans(self.project, self.lake, folder.name, self.target)
            for plan in others._open():
                target = Target.of_manifest(plan.manifest)
                if waiting is not None and plan.path == waiting.path:
                    continue
                ours = folder.name == self.name or self.receivers.same(target, self.target)
                if ours and self.journal(plan).started:
                    yield Plans(self.project, self.lake, folder.name, target), plan

    def abandoned(self) -> list[Snapshot]:
        """Plans that were given up half sent; the destination may still have parts of them."""
        return [plan for plan in self._all() if self.journal(plan).knows("abandoned")]

    def follows(self, plan: Snapshot) -> bool:
        """Whether the plan was made against what its target has."""
        base = self.delivered()
        made_against: str | None = plan.manifest["inputs"]["base"]
        return made_against == (base.name if base else None)

    def replaces_another(self, plan: Mapping[str, Any]) -> bool:
        """Whether somebody may have looked at a plan that said something else than this one.

        Then this one is to be looked at before it is sent.
        """
        base = self.delivered()
        part_of_another = base is not None and base.manifest["inputs"].get("part")
        if base is not None and part_of_another and base.manifest.get("changed"):
            return True
        for old in self._open():
            if self._follows(old) and old.manifest["state"] != "unchanged":
                unseen = old.manifest.get("changed") and not self.journal(old).knows("shown")
                if unseen or _content(old.manifest) != _content(plan):
                    return True
        return False

    def superseded_by(self, plan: Snapshot) -> list[Snapshot]:
        """Plans that were never sent and never will be, now that there is this one."""
        return [old for old in self._open() if old.name != plan.name]

    def record(self, plan: Snapshot) -> None:
        """The destination has all of it: the plan becomes the next base."""
        self.journal(plan).note("delivered")
        self.complete_record()

    def complete_record(self) -> None:
        """Write what a crash, a loss or an older version left out of the record."""
        received = self.receivers.last(self.target)
        if received is None:
            return
        self.receivers.remember(received)
        if received.path.parent == self.store.root and not self.store.points_to(received.path.name):
            with self.lake.workspace() as work:
                self.store.point_to(work, received.path.name)

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
            unreachable=manifest.get("unreachable", 0) if held else 0,
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

    def _open(self) -> list[Snapshot]:
        """Plans that are neither delivered nor given up."""
        got = {received.path.name for received in self.receivers.all().values()}
        return [
            plan
            for plan in self._all()
            if plan.name not in got and not any(self.journal(plan).knows(s) for s in _ENDED)
        ]

    def _follows(self, plan: Snapshot) -> bool:
        target = Target.of_manifest(plan.manifest)
        return self.receivers.same(target, self.target) and self.follows(plan)


def _content(plan: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What a plan would send, whatever its files are called."""
    return [
        (file["kind"], file["rows"], file["content_sha256"]) for file in plan["delivery_files"]
    ] + [(plan["added"], plan["updated"], plan["removed"])]
