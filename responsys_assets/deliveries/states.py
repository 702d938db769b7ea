"""What becomes of a delivery, as people and programs are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from responsys_assets.lake.snapshots import Snapshot

State = Literal["planned", "unchanged", "held", "delivered"]


@dataclass(frozen=True)
class DeliveryResult:
    """A plan, or what sending it came to.

    `files` are names at the destination in the order of sending, `rows` the rows of the
    audience; `added`, `updated` and `removed` compare it with what was last delivered (all
    added if nothing was). A `held` one has a `reason` (stable) and a `detail` that says what
    to do; `unreachable` people whom the receiver still has may not be reached any more.
    `opt_outs` are what went out at once while the rest is held: removals, and updates of people
    whose delivered permission says now that they opted out. `snapshot` is the plan, or the last
    delivery if there was nothing to plan.
    """

    name: str
    state: State
    files: tuple[str, ...] = ()
    rows: int = 0
    added: int = 0
    updated: int = 0
    removed: int = 0
    reason: str | None = None
    detail: str | None = None
    unreachable: int = 0
    opt_outs: DeliveryResult | None = None
    snapshot: Snapshot | None = None

    @property
    def plan_id(self) -> str:
        """The short name of a plan, for people."""
        return short_id(self.snapshot) if self.snapshot else ""

    def as_json(self) -> dict[str, Any]:
        """The delivery's part of the `--json` documents."""
        document: dict[str, Any] = {
            "state": self.state,
            "files": list(self.files),
            "added": self.added,
            "updated": self.updated,
            "removed": self.removed,
            "rows": self.rows,
        }
        if self.state == "held":
            document |= {"reason": self.reason, "detail": self.detail}
        if self.unreachable:
            document["unreachable"] = self.unreachable
        if self.opt_outs is not None:
            gone = self.opt_outs
            document["opt_outs"] = {"removed": gone.removed, "files": list(gone.files)}
            if gone.updated:
                document["opt_outs"]["updated"] = gone.updated
        return document


def people(count: int) -> str:
    """A number of people in words."""
    return "1 person" if count == 1 else f"{count:,} people"


def said_of_opt_outs(gone: DeliveryResult) -> str:
    """What left at once although the rest is held."""
    said = []
    if gone.removed:
        verb = "was" if gone.removed == 1 else "were"
        said.append(f"{people(gone.removed)} who may not be reached any more {verb} removed")
    if gone.updated:
        said.append(f"the receiver was told that {people(gone.updated)} opted out")
    return f"{' and '.join(said)} at once, without waiting for a release"


def short_id(plan: Snapshot) -> str:
    """Eight letters and digits that tell a plan from others of its delivery."""
    return plan.name.rpartition("_")[2]
