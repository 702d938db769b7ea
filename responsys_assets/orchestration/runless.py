"""The state of the lake, told to Dagster without a run.

After a sync from the shell the UI shows the same as after runs. Dagster's own record says what
it knows already, so this can be repeated, also after its storage was lost.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from responsys_assets.config.project import Project
from responsys_assets.deliveries.status import status
from responsys_assets.lake.days import Day
from responsys_assets.lake.exports import read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import make_private_folder
from responsys_assets.lake.snapshots import SnapshotStore
from responsys_assets.orchestration import catalog, list_reports, snapshot_reports
from responsys_assets.orchestration.consent_report import consent_report
from responsys_assets.orchestration.report import Report

_VERSION_TAG = "dagster/data_version"


def report_to_dagster(project: Project) -> bool:
    """Tell the instance in `$DAGSTER_HOME` what the lake has; False if that is not set."""
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        return False
    make_private_folder(Path(home))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dagster's own are nothing for a shell
        logging.disable(logging.WARNING)
        try:
            with dg.DagsterInstance.get() as instance:
                report_runless(instance, project)
        finally:
            logging.disable(logging.NOTSET)
    return True


def report_runless(instance: dg.DagsterInstance, project: Project) -> None:
    """Record events for every asset (and day) whose data Dagster does not know yet."""
    lake = Lake(project.lake_path)
    found = [*_of_lists(instance, project, lake), *_of_snapshots(instance, project, lake)]
    # a check shows its last result: what needs a person comes last
    for report in sorted(found, key=lambda each: bool(each.failed)):
        tell(instance, report)


def tell_day(instance: dg.DagsterInstance, project: Project, list_name: str, day: dt.date) -> None:
    """Record how a list's day stands."""
    lake = Lake(project.lake_path)
    tell(instance, list_reports.exported(lake, list_name, day))
    tell(instance, list_reports.staged(project, lake, list_name, day))


def tell(instance: dg.DagsterInstance, report: Report) -> None:
    """Record a report: its checks, and a materialisation if none of them failed."""
    if not report.failed:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                report.key,
                partition=report.partition,
                metadata=report.metadata,
                tags={_VERSION_TAG: report.version},
            )
        )
    for check in report.checks:
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=report.key,
                check_name=check.name,
                passed=check.passed,
                description=check.description,
                metadata=check.metadata,
                severity=dg.AssetCheckSeverity.ERROR,
                blocking=True,
            )
        )


def _of_lists(instance: dg.DagsterInstance, project: Project, lake: Lake) -> Iterator[Report]:
    for name in project.config.lists:
        exports = read_exports(lake, name)
        for day in sorted({export.day for export in exports}):
            found = Day.of(name, day, exports)
            version = list_reports.exported_version(found)
            if not _knows(instance, catalog.exported_key(name), version, day):
                yield list_reports.exported(lake, name, day)
            version = list_reports.staged_version(found)
            if found.refused or not _knows(instance, catalog.staged_key(name), version, day):
                yield list_reports.staged(project, lake, name, day)


def _of_snapshots(instance: dg.DagsterInstance, project: Project, lake: Lake) -> Iterator[Report]:
    ledger = consent_report(project, lake)
    kept = lake.consent("").is_dir()
    if ledger.failed or (kept and not _knows(instance, catalog.CONSENT, ledger.version)):
        yield ledger
    profiles = SnapshotStore(lake.profiles()).current()
    if profiles is not None and not _knows(
        instance, catalog.PROFILES, snapshot_reports.snapshot_version(profiles)
    ):
        yield snapshot_reports.profiles(project, profiles)
    for name in project.config.segments:
        segment = SnapshotStore(lake.segment(name)).current()
        if segment is not None and not _knows(
            instance, catalog.segment_key(name), snapshot_reports.snapshot_version(segment)
        ):
            yield snapshot_reports.segment(project, lake, name, segment)
    for name in project.config.deliveries:
        now = status(project, lake, name)
        if now.waiting is not None and now.waiting.state == "held":
            yield snapshot_reports.delivery(project, lake, name, now.waiting)
        elif now.delivered is not None and not _knows(
            instance, catalog.delivery_key(name), snapshot_reports.delivery_version(lake, name)
        ):
            yield snapshot_reports.delivery(project, lake, name, now.delivered)


def _knows(
    instance: dg.DagsterInstance, key: dg.AssetKey, version: str, day: dt.date | None = None
) -> bool:
    """Whether the asset's (and day's) last materialisation has this data version."""
    partitions = [day.isoformat()] if day else None
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=partitions), limit=1
    ).records
    last = records[0].asset_materialization if records else None
    return last is not None and (last.tags or {}).get(_VERSION_TAG) == version
