"""From the server into the lake: what is new is fetched, checked and staged.

Every step asks the lake what is done and does the rest, so it may be run again at any time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from responsys_assets.config.project import Project
from responsys_assets.consent.record import record_all
from responsys_assets.errors import LakeError, ResponsysError, ServerError
from responsys_assets.exported.arrival import Decision
from responsys_assets.exported.fetch import fetch
from responsys_assets.exported.poll import Poll, poll, take_note
from responsys_assets.lake.exports import Export, drop_superseded, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.progress import SILENT, Progress, Stoppable
from responsys_assets.servers import Server, open_server
from responsys_assets.staged.stage import stage
from responsys_assets.threads import ahead


@dataclass(frozen=True)
class ExportReport:
    """What became of one export: staged, held, failed or waiting.

    `in_force`: an earlier reading of it is accepted and stays in force.
    """

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
    in_force: bool = False
    new_columns: tuple[str, ...] = ()
    gone_columns: tuple[str, ...] = ()

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
            "in_force": self.in_force or self.state == "staged",
            "new_columns": list(self.new_columns),
            "gone_columns": list(self.gone_columns),
        }

    @classmethod
    def of(cls, export: Export) -> ExportReport:
        """The report of an export that staging has judged: of its newest reading."""
        outcome = export.latest
        report = cls(export.list_name, export.file, export.day, export.state)
        if outcome is None:
            return report
        if export.refused and export.accepted:
            report = replace(report, state=export.refused.state, in_force=True)
        return replace(
            report,
            reason=outcome.reason,
            detail=export.detail,
            records=outcome.records,
            staged=outcome.staged,
            rejected=outcome.rejected,
            blank=outcome.blank,
            unidentified=outcome.unidentified,
            new_columns=outcome.new_columns,
            gone_columns=outcome.gone_columns,
        )


@dataclass
class ListReport:
    """What a sync saw and did for one list.

    `error`: why its folder could not be looked at. `failure`: why its exports could not be
    staged, which is no fault of theirs: a key of ours, for example.
    """

    known: int = 0
    exports: list[ExportReport] = field(default_factory=list)
    error: ServerError | None = None
    failure: ResponsysError | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "known": self.known,
            "exports": [export.as_json() for export in self.exports],
            **({"error": self.error.as_json()} if self.error else {}),
        }


def ingest(
    project: Project, lake: Lake, names: Sequence[str], progress: Progress = SILENT
) -> dict[str, ListReport]:
    """Fetch and stage what is new in these lists; reports what was decided or still waits.

    Raises:
        ServerError: if none of the lists can be looked at; else the report of a list says so.
        LakeError: if the lake cannot be written.
    """
    with lake.writing(progress.say):
        found = poll(project, lake, names)
        take_note(lake, found)
        reports = _seen(found, names)
        with _fetched(project, lake, names, found.decisions, progress) as lists:
            for name, failures in lists:
                judged: list[Export] = []
                try:
                    judged = stage_all(project, lake, name, progress)
                except LakeError:
                    raise
                except ResponsysError as error:  # of this list alone: the others go on
                    reports[name].failure = error
                reports[name].exports += failures
                _add_judged(reports[name], read_exports(lake, name), judged, found.of(name))
    return reports


def _seen(found: Poll, names: Sequence[str]) -> dict[str, ListReport]:
    """What the servers showed, before anything is fetched."""
    reports = {name: ListReport() for name in names}
    for unseen in found.unseen:
        for name in unseen.lists:
            reports[name].error = unseen.error
    for decision in found.decisions:
        report = reports[decision.list]
        report.known += decision.action == "known"
        if decision.action == "wait":
            waiting = _not_here(decision, "waiting", decision.reason, decision.detail)
            report.exports.append(waiting)
    return reports


def _add_judged(
    report: ListReport,
    exports: Iterable[Export],
    judged: Iterable[Export],
    decisions: Sequence[Decision],
) -> None:
    """Add what was judged just now, and what waits for a person and is still shown."""
    now = {export.export_id for export in judged}
    shown = {(each.data.name, each.data.size, each.data.mtime) for each in decisions}
    report.exports += [
        ExportReport.of(export)
        for export in exports
        if export.export_id in now or _still_waits(export, shown)
    ]
    # a content that was sent again turns out to be known only once it is here
    told = {export.file for export in report.exports}
    taken = [each for each in decisions if each.action == "take"]
    report.known += sum(each.data.name not in told for each in taken)


@contextmanager
def _fetched(
    project: Project,
    lake: Lake,
    names: Sequence[str],
    decisions: Sequence[Decision],
    progress: Progress,
) -> Iterator[Iterator[tuple[str, list[ExportReport]]]]:
    """The lists as they get here, with what could not be fetched: the next ones are fetched
    while one is staged. A person who stops this stops the fetch that is under way; after an
    error it goes on to its end, as a server may keep its files for days only."""
    stoppable = Stoppable(progress)
    fetching = _fetch_lists(project, lake, names, decisions, stoppable)
    with closing(ahead(fetching, len(names))) as lists:
        try:
            yield lists
        except Exception:
            for _ in lists:
                pass
            raise
        finally:
            stoppable.stop()


def _fetch_lists(
    project: Project,
    lake: Lake,
    names: Sequence[str],
    decisions: Sequence[Decision],
    progress: Progress,
) -> Generator[tuple[str, list[ExportReport]]]:
    with ExitStack() as connections:
        fetching = _Fetching(project, lake, progress, connections)
        for name in names:
            yield name, fetching.all(each for each in decisions if each.list == name)


class _Fetching:
    """Fetches from servers that stay connected; one that is lost costs patience once."""

    def __init__(
        self, project: Project, lake: Lake, progress: Progress, connections: ExitStack
    ) -> None:
        self._project, self._lake, self._progress = project, lake, progress
        self._connections = connections
        self._servers: dict[str, Server] = {}
        self._lost: dict[str, ServerError] = {}

    def all(self, decisions: Iterable[Decision]) -> list[ExportReport]:
        """Fetch what is to be taken; returns what could not be fetched now."""
        failures = []
        for decision in decisions:
            if decision.action != "take":
                continue
            try:
                server = self._server(decision.server)
                fetch(self._project, self._lake, decision, server, self._progress)
            except ServerError as error:
                if error.code == "server_unreachable":
                    self._lost[decision.server] = error
                failures.append(_not_here(decision, "failed", error.code, error.message))
        return failures

    def _server(self, name: str) -> Server:
        if name in self._lost:
            raise self._lost[name]
        if name not in self._servers:
            opened = self._connections.enter_context(open_server(self._project, name))
            self._servers[name] = opened
        return self._servers[name]


def fetch_all(
    project: Project, lake: Lake, decisions: Iterable[Decision], progress: Progress = SILENT
) -> list[ExportReport]:
    """Fetch every export that is to be taken; returns those that could not be fetched now.

    One file that cannot be read does not keep the others; it is tried again by the next sync.
    """
    with lake.writing(progress.say), ExitStack() as connections:
        return _Fetching(project, lake, progress, connections).all(decisions)


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
        # on record before another reading may take its place
        record_all(lake, known, project.now, if_readable=True)
        drop_superseded(
            replace(export, refused=None) if export.is_moot(settings) else export
            for export in known
        )
        judged = {
            stage(project, lake, export, progress).export_id
            for export in known
            if (day is None or export.day == day) and export.needs_staging(settings)
        }
        return [e for e in read_exports(lake, list_name) if e.export_id in judged]


def _not_here(
    decision: Decision, state: str, reason: str | None, detail: str | None
) -> ExportReport:
    """The report of an export that is still to be fetched: it is waiting, or that failed."""
    return ExportReport(
        decision.list,
        decision.data.name,
        decision.day,
        state,
        reason=reason,
        detail=detail,
        transient=state == "failed",
    )


def _still_waits(export: Export, shown: set[tuple[str, int, float]]) -> bool:
    """Held or failed, and still on the server: once it has gone, `status` alone shows it. A
    reading of an accepted export that fails waits for the settings, wherever the file is."""
    if not export.waits_for_person:
        return False
    if export.accepted:  # it is today's settings that do not fit
        return True
    data = export.arrival.data
    return (data.name, data.size, data.mtime) in shown
