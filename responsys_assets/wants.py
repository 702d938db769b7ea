"""What is to be done, decided from listings and the lake alone: what sensors ask."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from responsys_assets.config.project import Project
from responsys_assets.deliveries.plans import Plans
from responsys_assets.deliveries.source import read_source
from responsys_assets.exported.arrival import Decision
from responsys_assets.lake.days import Day
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import SnapshotStore, digest
from responsys_assets.profiles.refresh import profile_inputs
from responsys_assets.segments.refresh import segment_inputs
from responsys_assets.segments.suppressions import read_suppressions


@dataclass(frozen=True)
class Want:
    """Exports of one list and day that are to be fetched or staged anew."""

    list_name: str
    day: dt.date
    digest: str

    @property
    def label(self) -> str:
        return f"{self.list_name}/{self.day}"


def wanted_exports(
    decisions: Iterable[Decision], exports: Mapping[str, Iterable[Export]], project: Project
) -> list[Want]:
    """What to ingest, the newest day first: it matters most.

    The digest holds the identity of each file and what staging would be judged on, so that a
    file that was sent again, a verdict or a changed setting is a new want.
    """
    found: dict[tuple[dt.date, str], list[str]] = {}
    for decision in decisions:
        if decision.action == "take":
            ready = decision.ready.as_json() if decision.ready else ""
            identity = f"take {decision.data.as_json()} {ready} {decision.said}"
            found.setdefault((decision.day, decision.list), []).append(identity)
    for name, known in exports.items():
        settings = project.staging_settings(name)
        for export in known:
            if export.needs_staging(settings):
                identity = f"stage {export.export_id} {export.evidence} {settings}"
                found.setdefault((export.day, name), []).append(identity)
    return [
        Want(name, day, digest(sorted(identities))[:32])
        for (day, name), identities in sorted(found.items(), reverse=True)
    ]


def missing_today(project: Project, lake: Lake) -> list[str]:
    """Required lists without an accepted export of today."""
    today = project.today()
    return [
        name
        for name, source in project.config.lists.items()
        if source.required and not Day.read(lake, name, today).accepted
    ]


def outdated(project: Project, lake: Lake) -> dict[str, str]:
    """What a refresh would do: the assets that lag behind, each with the digest of its inputs.

    Only the first stage that lags is named, for the next ones will follow from it. What waits
    for a person does not lag.

    Raises:
        ResponsysError: if a suppression file cannot be read.
    """
    inputs = profile_inputs(project, lake)
    if inputs is None:
        return {}
    profiles = SnapshotStore(lake.profiles()).current()
    if profiles is None or profiles.inputs_digest != digest(inputs):
        return {"profiles": digest(inputs)}
    suppressions = read_suppressions(project)
    found = {}
    for name in project.config.segments:
        wanted = digest(segment_inputs(project, name, profiles, suppressions))
        current = SnapshotStore(lake.segment(name)).current()
        if current is None or current.inputs_digest != wanted:
            found[f"segments/{name}"] = wanted
    if found:
        return found
    for name in project.config.deliveries:
        source, plans = read_source(project, lake, name), Plans(project, lake, name)
        plan = plans.waiting()
        settled = (
            plan is not None
            and plan.inputs_digest == source.digest
            and (plans.result(plan).state in ("held", "unchanged"))
        )
        if not settled and not source.was_delivered():
            found[f"deliveries/{name}"] = source.digest
    return found


def exports_of(lake: Lake, names: Iterable[str]) -> dict[str, list[Export]]:
    """The exports that the lake has of some lists."""
    return {name: read_exports(lake, name) for name in names}
