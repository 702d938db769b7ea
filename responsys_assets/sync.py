"""The whole line: what `sync` does at once and the Dagster assets one by one.

Every step asks the lake what is done and does the rest, so it may be run again at any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from responsys_assets.config.project import Project
from responsys_assets.consent.ledger import former_lists
from responsys_assets.deliveries import deliver as deliveries
from responsys_assets.deliveries.plan import plan
from responsys_assets.deliveries.source import delivery_config
from responsys_assets.deliveries.states import DeliveryResult
from responsys_assets.errors import ExitCode, LakeError, ResponsysError
from responsys_assets.ingest import ListReport, ingest
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.retention import prune
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.profiles import refresh as profiles
from responsys_assets.progress import SILENT, Progress
from responsys_assets.segments import refresh as segments


@dataclass
class SyncResult:
    """What a sync did; `changed` is false if it found nothing new.

    `waits`: why nothing is selected and sent from the profiles there are. `former_lists`: lists
    that left the configuration and still close what they closed, with opt-outs they stated last.
    `errors`: segments and deliveries that failed, by asset; they keep no other from its turn.
    """

    lists: dict[str, ListReport]
    profiles: Snapshot | None = None
    waits: str | None = None
    former_lists: dict[str, int] = field(default_factory=dict)
    segments: dict[str, Snapshot] = field(default_factory=dict)
    deliveries: dict[str, DeliveryResult] = field(default_factory=dict)
    errors: dict[str, ResponsysError] = field(default_factory=dict)
    changed: bool = False

    @contextmanager
    def collected(self, asset: str) -> Iterator[None]:
        """An error of one asset is kept and stops nothing else; a fault of the lake stops all."""
        try:
            yield
        except LakeError:
            raise
        except ResponsysError as error:
            self.errors[asset] = error

    @property
    def exit_code(self) -> ExitCode:
        reports = [report for each in self.lists.values() for report in each.exports]
        unseen = any(each.error for each in self.lists.values())
        if unseen or any(report.transient for report in reports):
            return ExitCode.FAILED
        if self.errors:
            return min(error.exit_code for error in self.errors.values())
        held = any(delivery.state == "held" for delivery in self.deliveries.values())
        if held or self.waits or any(report.waits_for_person for report in reports):
            return ExitCode.WAITING
        return ExitCode.DONE

    def as_json(self) -> dict[str, Any]:
        """The document of `sync --json`."""
        return {
            "lists": {name: report.as_json() for name, report in self.lists.items()},
            "profiles": {
                "rows": self.profiles.rows if self.profiles else 0,
                "snapshot": self.profiles.name if self.profiles else None,
                **({"waits": self.waits} if self.waits else {}),
            },
            "former_lists": self.former_lists,
            "segments": {name: {"rows": found.rows} for name, found in self.segments.items()},
            "deliveries": {name: result.as_json() for name, result in self.deliveries.items()},
            **self._errors_json(),
        }

    def _errors_json(self) -> dict[str, Any]:
        """Every error by its asset, and the worst as `error`, as in any document of a failure."""
        if not self.errors:
            return {}
        worst = min(self.errors.values(), key=lambda error: error.exit_code)
        return {
            "error": worst.as_json(),
            "errors": {asset: error.as_json() for asset, error in self.errors.items()},
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
        for name, report in result.lists.items():
            if report.failure:
                result.errors[f"staged/{name}"] = report.failure
        result.changed = any(
            export.state == "staged" for each in result.lists.values() for export in each.exports
        )
        merged = profiles.refreshed(project, lake, progress)
        result.profiles, result.waits = merged.snapshot, merged.waits
        result.changed |= merged.new
        result.former_lists = former_lists(project, lake)
        if result.profiles is not None and not result.waits:
            _hand_on(project, lake, result, deliver=deliver, progress=progress)
        prune(project, lake)
    return result


def _hand_on(
    project: Project, lake: Lake, result: SyncResult, *, deliver: bool, progress: Progress
) -> None:
    """Select and deliver."""
    for name in project.config.segments:
        with result.collected(f"segments/{name}"):
            result.segments[name], selected = segments.refresh(project, lake, name, progress)
            result.changed |= selected
    for name, delivery in project.config.deliveries.items():
        if f"segments/{delivery.segment}" in result.errors:
            continue  # that is all there is to say
        with result.collected(f"deliveries/{name}"):
            done = _deliver(project, lake, name, deliver=deliver, progress=progress)
            result.deliveries[name] = done
            result.changed |= done.state == "delivered"


def deliver_one(
    project: Project,
    lake: Lake,
    name: str,
    *,
    deliver: bool = True,
    progress: Progress = SILENT,
) -> DeliveryResult:
    """Plan a delivery and, unless it is held or unchanged, send it.

    What it is made from is brought up to date first.

    Raises:
        LakeError: if there are no profiles of what is accepted now.
    """
    with lake.writing(progress.say):
        profiles.up_to_date(project, lake, progress)
        segment = delivery_config(project, name).segment
        if segment != "profiles":
            segments.refresh(project, lake, segment, progress)
        return _deliver(project, lake, name, deliver=deliver, progress=progress)


def _deliver(
    project: Project, lake: Lake, name: str, *, deliver: bool, progress: Progress
) -> DeliveryResult:
    do = deliveries.deliver if deliver else plan
    return do(project, lake, name, progress=progress)
