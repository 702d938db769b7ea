"""The whole line, step by step: what `sync` does at once and the Dagster assets one by one.

Every step asks the lake what is done and does the rest, so it may be run again at any time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from responsys_assets.config.project import Project
from responsys_assets.deliveries.plan import plan
from responsys_assets.deliveries.send import send
from responsys_assets.deliveries.states import DeliveryResult
from responsys_assets.errors import ExitCode, ServerError
from responsys_assets.exported.arrival import Decision
from responsys_assets.exported.fetch import fetch
from responsys_assets.exported.poll import poll
from responsys_assets.lake.exports import Export, drop_superseded, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.retention import prune
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.profiles import refresh as profiles
from responsys_assets.progress import SILENT, Progress
from responsys_assets.segments import refresh as segments
from responsys_assets.servers import Server, open_server
from responsys_assets.staged.stage import stage


@dataclass(frozen=True)
class ExportReport:
    """What became of one export: staged, held, failed or waiting."""

    list_name: str
    file: str
    day: dt.date | None
    state: str
    reason: str | None = None
    detail: str | None = None
    records: int = 0
    staged: int = 0
    rejected: int = 0
    blank: int = 0
    unidentified: int = 0
    transient: bool = False

    @property
    def waits_for_person(self) -> bool:
        return self.state in ("held", "failed") and not self.transient

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "records": self.records,
            "staged": self.staged,
            "rejected": self.rejected,
            "blank": self.blank,
            "unidentified": self.unidentified,
            "state": self.state,
            "reason": self.reason,
            "detail": self.detail,
        }

    @classmethod
    def of(cls, export: Export) -> ExportReport:
        """The report of an export that staging has judged."""
        outcome = export.outcome
        report = cls(export.list_name, export.file, export.day, export.state)
        if outcome is None:
            return report
        return replace(
            report,
            reason=outcome.reason,
            detail=outcome.detail,
            records=outcome.records,
            staged=outcome.staged,
            rejected=outcome.rejected,
            blank=outcome.blank,
            unidentified=outcome.unidentified,
        )


@dataclass
class ListReport:
    """What a sync saw and did for one list; `error`: why its folder could not be looked at."""

    known: int = 0
    exports: list[ExportReport] = field(default_factory=list)
    error: ServerError | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "known": self.known,
            "exports": [export.as_json() for export in self.exports],
            **({"error": self.error.as_json()} if self.error else {}),
        }


@dataclass
class SyncResult:
    """What a sync did; `changed` is false if it found nothing new."""

    lists: dict[str, ListReport]
    profiles: Snapshot | None = None
    segments: dict[str, Snapshot] = field(default_factory=dict)
    deliveries: dict[str, DeliveryResult] = field(default_factory=dict)
    changed: bool = False

    @property
    def exit_code(self) -> ExitCode:
        reports = [report for each in self.lists.values() for report in each.exports]
        unseen = any(each.error for each in self.lists.values())
        if unseen or any(report.transient for report in reports):
            return ExitCode.FAILED
        held = any(delivery.state == "held" for delivery in self.deliveries.values())
        if held or any(report.waits_for_person for report in reports):
            return ExitCode.WAITING
        return ExitCode.DONE

    def as_json(self) -> dict[str, Any]:
        """The document of `sync --json`."""
        return {
            "lists": {name: report.as_json() for name, report in self.lists.items()},
            "profiles": {
                "rows": self.profiles.rows if self.profiles else 0,
                "snapshot": self.profiles.name if self.profiles else None,
            },
            "segments": {name: {"rows": found.rows} for name, found in self.segments.items()},
            "deliveries": {name: result.as_json() for name, result in self.deliveries.items()},
        }


def sync(
    project: Project,
    *,
    lists: Sequence[str] | None = None,
    deliver: bool = True,
    progress: Progress = SILENT,
) -> SyncResult:
    """Poll, ingest, merge, segment and deliver, whatever of it there is to do.

    Raises:
        ResponsysError: if none of the lists can be looked at, the lake cannot be written, or
            the configuration does not fit the data. What was done before stays done.
    """
    lake = Lake(project.lake_path)
    names = list(project.config.lists) if lists is None else [*lists]
    for name in names:
        project.list_config(name)
    with lake.writing(progress.say):
        result = SyncResult(lists=ingest(project, lake, names, progress))
        result.changed = any(
            export.state == "staged" for each in result.lists.values() for export in each.exports
        )
        result.profiles, merged = profiles.refresh(project, lake, progress)
        result.changed |= merged
        if result.profiles is not None:
            for name in project.config.segments:
                result.segments[name], selected = segments.refresh(project, lake, name, progress)
                result.changed |= selected
            for name in project.config.deliveries:
                done = deliver_one(project, lake, name, deliver=deliver, progress=progress)
                result.deliveries[name] = done
                result.changed |= done.state == "delivered"
        prune(project, lake)
    return result


def ingest(
    project: Project, lake: Lake, names: Sequence[str], progress: Progress = SILENT
) -> dict[str, ListReport]:
    """Fetch and stage what is new in these lists; reports what was decided or still waits.

    Raises:
        ServerError: if none of the lists can be looked at; else the report of a list says so.
    """
    with lake.writing(progress.say):
        found = poll(project, lake, names)
        decisions = found.decisions
        reports = {name: ListReport() for name in names}
        for unseen in found.unseen:
            for name in unseen.lists:
                reports[name].error = unseen.error
        for decision in decisions:
            report = reports[decision.list]
            report.known += decision.action == "known"
            if decision.action == "wait":
                report.exports.append(_waiting(decision))
        for failure in fetch_all(project, lake, decisions, progress):
            reports[failure.list_name].exports.append(failure)
        for name in names:
            judged = {export.export_id for export in stage_all(project, lake, name, progress)}
            shown = {(d.data.name, d.data.size, d.data.mtime) for d in decisions if d.list == name}
            reports[name].exports += [
                ExportReport.of(export)
                for export in read_exports(lake, name)
                if export.export_id in judged or _still_waits(export, shown)
            ]
            # a content that was sent again turns out to be known only once it is here
            told = {export.file for export in reports[name].exports}
            taken = [d for d in decisions if d.list == name and d.action == "take"]
            reports[name].known += sum(d.data.name not in told for d in taken)
    return reports


def fetch_all(
    project: Project, lake: Lake, decisions: Iterable[Decision], progress: Progress = SILENT
) -> list[ExportReport]:
    """Fetch every export that is to be taken; returns those that could not be fetched now.

    One file that cannot be read does not keep the others; it is tried again by the next sync.
    """
    failures = []
    with lake.writing(progress.say), ExitStack() as connections:
        servers: dict[str, Server] = {}
        lost: dict[str, ServerError] = {}  # so that their other files cost no patience
        for decision in decisions:
            if decision.action != "take":
                continue
            try:
                if decision.server in lost:
                    raise lost[decision.server]
                if decision.server not in servers:
                    opened = connections.enter_context(open_server(project, decision.server))
                    servers[decision.server] = opened
                fetch(project, lake, decision, servers[decision.server], progress)
            except ServerError as error:
                if error.code == "server_unreachable":
                    lost[decision.server] = error
                failures.append(
                    ExportReport(
                        decision.list,
                        decision.data.name,
                        decision.day,
                        "failed",
                        reason=error.code,
                        detail=error.message,
                        transient=True,
                    )
                )
    return failures


def stage_all(
    project: Project,
    lake: Lake,
    list_name: str,
    progress: Progress = SILENT,
    day: dt.date | None = None,
) -> list[Export]:
    """Stage the exports of a list (of one day) that were not judged under today's settings."""
    settings = project.staging_settings(list_name)
    with lake.writing(progress.say):
        known = read_exports(lake, list_name)
        drop_superseded(known)
        return [
            replace(export, outcome=stage(project, lake, export, progress))
            for export in known
            if (day is None or export.day == day) and export.needs_staging(settings)
        ]


def deliver_one(
    project: Project,
    lake: Lake,
    name: str,
    *,
    deliver: bool = True,
    release: bool = False,
    progress: Progress = SILENT,
) -> DeliveryResult:
    """Plan a delivery and, unless it is held or unchanged, send it."""
    with lake.writing(progress.say):
        planned = plan(project, lake, name, progress)
        if not deliver or planned.state not in ("planned", "held"):
            return planned
        if planned.state == "held" and not release:
            return planned
        return send(project, lake, name, release=release, progress=progress)


def _waiting(decision: Decision) -> ExportReport:
    return ExportReport(
        decision.list,
        decision.data.name,
        decision.day,
        "waiting",
        reason=decision.reason,
        detail=decision.detail,
    )


def _still_waits(export: Export, shown: set[tuple[str, int, float]]) -> bool:
    """Held or failed, and still on the server: once it has gone, `status` alone shows it."""
    if export.state not in ("held", "failed"):
        return False
    data = export.arrival.data
    return (data.name, data.size, data.mtime) in shown
