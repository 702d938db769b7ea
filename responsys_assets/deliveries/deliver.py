"""What a sync does with a delivery: plan it, send what may go, and never hold an opt-out."""

from __future__ import annotations

from dataclasses import replace

from responsys_assets.config.project import Project
from responsys_assets.deliveries.opt_outs import may_go, opt_outs, require_recipients
from responsys_assets.deliveries.plan import plan
from responsys_assets.deliveries.plans import OPT_OUTS, Plans
from responsys_assets.deliveries.removals import publish_part
from responsys_assets.deliveries.render import UnrenderableError
from responsys_assets.deliveries.send import Release, send
from responsys_assets.deliveries.source import read_source
from responsys_assets.deliveries.states import DeliveryResult
from responsys_assets.errors import ConfigError
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.progress import SILENT, Progress


def deliver(
    project: Project,
    lake: Lake,
    name: str,
    *,
    release: Release | None = None,
    progress: Progress = SILENT,
) -> DeliveryResult:
    """Plan a delivery and send it; of a plan that is held, only the opt-outs go.

    `release` sends the plan that is held, if it is the one that a person has looked at.

    Raises:
        ConfigError: if `release` names a plan, nothing is held and no plan has that name.
        ResponsysError: see `plan` and `send`.
    """
    with lake.writing(progress.say):
        plans = Plans(project, lake, name)
        seen = plans.waiting()
        planned = plan(project, lake, name, progress)
        _require_known(planned, release)
        gone = None
        if planned.state == "planned" and _only_opt_outs(planned.snapshot):
            gone = send(project, lake, name, progress=progress)
            planned = plan(project, lake, name, progress)
        if planned.state == "held":
            if release is not None and _looked_at(plans, seen, planned, release):
                return send(project, lake, name, release=release, progress=progress)
            if _publish_opt_outs(plans, seen, planned):
                gone = send(project, lake, name, progress=progress)
                planned = plan(project, lake, name, progress)
        if planned.state == "planned":
            planned = send(project, lake, name, progress=progress)
        elif planned.state == "held" and release is not None:
            said = f"this plan, {planned.plan_id}, is not the one that was looked at"
            planned = replace(planned, detail=f"{said}; {planned.detail}")
        return replace(planned, opt_outs=gone)


def _only_opt_outs(snapshot: Snapshot | None) -> bool:
    return snapshot is not None and snapshot.manifest["inputs"].get("part") == OPT_OUTS


def _require_known(planned: DeliveryResult, release: Release | None) -> None:
    """A plan that a person names must be there, unless another one is held and can be shown."""
    if release is None or release.plan is None or planned.state == "held":
        return
    snapshot = planned.snapshot if planned.state == "planned" else None
    if snapshot is not None and release.plan in (planned.plan_id, snapshot.name):
        return  # it was released, and is on its way
    raise ConfigError(
        "unknown_plan",
        f"delivery {planned.name} has no plan {release.plan}, and nothing of it is held: "
        f"`responsys apply {planned.name}` sends what there is to send",
    )


def _looked_at(
    plans: Plans, seen: Snapshot | None, planned: DeliveryResult, release: Release
) -> bool:
    """Whether the held plan is the one that a person sends."""
    held = planned.snapshot
    if held is None or seen is None or seen.name != held.name:
        return False
    if release.plan is not None:
        return release.plan in (planned.plan_id, held.name)
    return not held.manifest["changed"] or plans.journal(held).knows("shown")


def _publish_opt_outs(plans: Plans, seen: Snapshot | None, planned: DeliveryResult) -> bool:
    """Plan what must be heard at once of people who opted out, if a held plan has any."""
    held = planned.snapshot
    if held is None or not planned.unreachable:
        return False
    source = read_source(plans.project, plans.lake, plans.name)
    if source.base is None:
        return False
    plans.require_base()
    with plans.lake.workspace() as work:
        part = opt_outs(plans.project, plans.name, source, source.base, work)
    if part is None or not may_go(part):
        return False
    require_recipients(plans.project, plans.name, plans.target, part)
    changed = held.manifest["changed"] or (seen is not None and seen.name == held.name)
    inputs = {**source.inputs, "part": OPT_OUTS}
    try:
        made = publish_part(plans, source.base, part, inputs, changed=changed)
    except UnrenderableError:
        return False
    for old in plans.superseded_by(made):
        plans.remove(old)
    return True
