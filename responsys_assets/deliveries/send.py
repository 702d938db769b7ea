"""Sending: the bytes that were planned, unless something has changed since."""

from __future__ import annotations

from dataclasses import dataclass

from responsys_assets.config.project import Project
from responsys_assets.deliveries.plans import Plans
from responsys_assets.deliveries.source import Source, delivery_config, read_source
from responsys_assets.deliveries.states import DeliveryResult
from responsys_assets.deliveries.transfer import Transfer, at_destination, clear_abandoned
from responsys_assets.errors import DeliveryError, ServerError
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.progress import SILENT, Progress


@dataclass(frozen=True)
class Release:
    """A person's word that a held plan may go; `plan` is the one that was looked at, if said."""

    who: str
    why: str | None = None
    plan: str | None = None


def send(
    project: Project,
    lake: Lake,
    name: str,
    *,
    release: Release | None = None,
    progress: Progress = SILENT,
) -> DeliveryResult:
    """Send the plan that waits, or go on with the one that was interrupted.

    A held plan is returned as it is, unless `release` says who sends it, and why.

    Raises:
        DeliveryError: `plan_void` if anything the plan was made from has changed, `no_plan` if
            there is none, `not_releasable` if no release could help.
        ServerError: if the destination cannot take it; what was sent is not sent again.
    """
    delivery_config(project, name)
    with lake.writing(progress.say):
        plans = Plans(project, lake, name)
        waiting = plans.waiting()
        if waiting is None:
            return _nothing_waits(plans, read_source(project, lake, name))
        _require_valid(project, lake, name, waiting)
        result = plans.result(waiting)
        if result.state == "unchanged" or (result.state == "held" and release is None):
            return result
        if result.state == "held" and release is not None:
            if not waiting.manifest["releasable"]:
                raise DeliveryError("not_releasable", f"delivery {name}: {result.detail}")
            plans.journal(waiting).note("released", who=release.who, why=release.why)
        transfer(plans, waiting, progress)
        return plans.result(waiting)


def transfer(plans: Plans, plan: Snapshot, progress: Progress) -> None:
    """Bring a plan's files to the destination and record that it has them."""
    clear_abandoned(plans)
    sending = Transfer(plan, plans.journal(plan))
    total = sum(
        entry["bytes"] for entry in plan.manifest["files"] if entry["name"].startswith("files/")
    )
    with progress.step(f"send {plans.name}", total) as advance:
        try:
            at_destination(plans, plan, lambda server: sending.run(server, advance))
        except ServerError as error:
            named = f"delivery {plans.name}: {error.message}"
            raise type(error)(error.code, named, file=error.file, key=error.key) from error
    plans.record(plan)


def _nothing_waits(plans: Plans, source: Source) -> DeliveryResult:
    if source.base is not None and source.was_delivered():
        return plans.result(source.base, "unchanged")
    raise DeliveryError(
        "no_plan",
        f"there is no plan for delivery {plans.name}: run `responsys plan {plans.name}` first",
    )


def _require_valid(project: Project, lake: Lake, name: str, plan: Snapshot) -> None:
    try:
        valid = read_source(project, lake, name).made(plan)
    except DeliveryError:  # its segment is older than what it is made from
        valid = False
    if not valid:
        raise DeliveryError(
            "plan_void",
            f"the plan of delivery {name} is void: its rows, the suppressions or the "
            f"configuration have changed since; run `responsys plan {name}` and look again",
        )
