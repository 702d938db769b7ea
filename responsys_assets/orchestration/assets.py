"""The assets. Each does for its part what `sync` does, then says what the lake has."""

# no `from __future__ import annotations`: Dagster looks at the type of `context` itself

import datetime as dt
from collections.abc import Callable, Iterator, Mapping

import dagster as dg

from responsys_assets.config.project import Project
from responsys_assets.consent import refresh as consent
from responsys_assets.consent.refresh import known_exports
from responsys_assets.exported.poll import poll, take_note
from responsys_assets.ingest import fetch_all, stage_all
from responsys_assets.lake.days import Day
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.retention import prune
from responsys_assets.orchestration import catalog, list_reports, snapshot_reports
from responsys_assets.orchestration.consent_report import consent_report
from responsys_assets.orchestration.failures import plain_failures
from responsys_assets.orchestration.log import LogProgress
from responsys_assets.orchestration.report import (
    CONSENT_CHECKS,
    DELIVERY_CHECKS,
    EXPORTED_CHECKS,
    PROFILES_CHECKS,
    SEGMENT_CHECKS,
    STAGED_CHECKS,
)
from responsys_assets.orchestration.tags import ON_MISSING, PRUNE, YES
from responsys_assets.profiles import refresh as profiles
from responsys_assets.segments import refresh as segments
from responsys_assets.sync import deliver_one

Events = Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]


def build(project: Project) -> list[dg.AssetsDefinition]:
    """All assets of a configuration."""
    config = project.config
    found = []
    for name in config.lists:
        found += [exported_asset(project, name), staged_asset(project, name)]
    found += [consent_asset(project), profiles_asset(project)]
    found += [segment_asset(project, name) for name in config.segments]
    found += [delivery_asset(project, name) for name in config.deliveries]
    return found


def exported_asset(project: Project, name: str) -> dg.AssetsDefinition:
    spec = catalog.exported_spec(project, name)

    @_step(project, spec, EXPORTED_CHECKS)
    def exported(context: dg.AssetExecutionContext) -> Events:
        with plain_failures():
            lake, progress = Lake(project.lake_path), LogProgress(context.log)
            day = _day(context)
            with lake.writing(progress.say):
                found = poll(project, lake, [name])
                take_note(lake, found)
                shown = [each for each in found.decisions if each.day == day]
                failures = fetch_all(project, lake, shown, progress)
            waiting = [
                f"{each.data.name} waits: {each.detail or each.reason}"
                for each in shown
                if each.action == "wait"
            ]
            if failures:
                said = "; ".join(f"{each.file}: {each.detail}" for each in failures)
                raise dg.Failure(f"{name} for {day}: {said}", allow_retries=False)
            report = list_reports.exported(lake, name, day, waiting)
            yield from report.events(waive=_waived(context, project, name))

    return exported


def staged_asset(project: Project, name: str) -> dg.AssetsDefinition:
    spec = catalog.staged_spec(project, name)

    @_step(project, spec, STAGED_CHECKS)
    def staged(context: dg.AssetExecutionContext) -> Events:
        with plain_failures():
            lake = Lake(project.lake_path)
            day = _day(context)
            stage_all(project, lake, name, LogProgress(context.log), day)
            report = list_reports.staged(project, lake, name, day)
            in_force = bool(Day.read(lake, name, day).accepted)
            yield from report.events(waive=_waived(context, project, name, in_force=in_force))

    return staged


def consent_asset(project: Project) -> dg.AssetsDefinition:
    spec = catalog.consent_spec(project)

    @_step(project, spec, CONSENT_CHECKS)
    def recorded(context: dg.AssetExecutionContext) -> Events:
        with plain_failures():
            lake = Lake(project.lake_path)
            count = consent.refresh(project, lake, known_exports(lake), LogProgress(context.log))
            context.log.info("%s exports recorded", count)
            yield from consent_report(project, lake).events()

    return recorded


def profiles_asset(project: Project) -> dg.AssetsDefinition:
    spec = catalog.profiles_spec(project)

    @_step(project, spec, PROFILES_CHECKS)
    def merged(context: dg.AssetExecutionContext) -> Events:
        with plain_failures():
            lake, progress = Lake(project.lake_path), LogProgress(context.log)
            snapshot, changed = profiles.refresh(project, lake, progress)
            if snapshot is None:
                raise dg.Failure(
                    "there is nothing to merge: no export was accepted yet", allow_retries=False
                )
            context.log.info("%s profiles, %s", snapshot.rows, "new" if changed else "as before")
            if context.run.tags.get(PRUNE) == YES:
                with lake.writing(progress.say):
                    prune(project, lake)
            yield from snapshot_reports.profiles(project, snapshot).events()

    return merged


def segment_asset(project: Project, name: str) -> dg.AssetsDefinition:
    spec = catalog.segment_spec(project, name)
    checks = {} if project.config.segments[name].channel == "none" else SEGMENT_CHECKS

    @_step(project, spec, checks)
    def segment(context: dg.AssetExecutionContext) -> Events:
        with plain_failures():
            lake = Lake(project.lake_path)
            progress = LogProgress(context.log)
            profiles.up_to_date(project, lake, progress)
            snapshot, changed = segments.refresh(project, lake, name, progress)
            context.log.info("%s rows, %s", snapshot.rows, "new" if changed else "as before")
            yield from snapshot_reports.segment(project, lake, name, snapshot).events()

    return segment


def delivery_asset(project: Project, name: str) -> dg.AssetsDefinition:
    spec = catalog.delivery_spec(project, name)

    @_step(project, spec, DELIVERY_CHECKS)
    def delivery(context: dg.AssetExecutionContext) -> Events:
        with plain_failures():
            lake = Lake(project.lake_path)
            result = deliver_one(project, lake, name, progress=LogProgress(context.log))
            yield from snapshot_reports.delivery(project, lake, name, result).events()

    return delivery


def _step(
    project: Project, spec: dg.AssetSpec, checks: Mapping[str, str]
) -> Callable[[Callable[[dg.AssetExecutionContext], Events]], dg.AssetsDefinition]:
    """An asset of one fat step, with its checks."""
    return dg.multi_asset(
        name="__".join(spec.key.path),
        specs=[spec],
        check_specs=[
            dg.AssetCheckSpec(name, asset=spec.key, description=said, blocking=True)
            for name, said in checks.items()
        ],
        pool=catalog.pool(project),
    )


def _day(context: dg.AssetExecutionContext) -> dt.date:
    return dt.date.fromisoformat(context.partition_key)


def _waived(
    context: dg.AssetExecutionContext, project: Project, name: str, *, in_force: bool = False
) -> bool:
    """Whether this run goes on although an export of this list is missing or held.

    Only the daily sync does: if another export of the day is `in_force`, if the list is not
    required, or if `on_missing` is `proceed`.
    """
    on_missing = context.run.tags.get(ON_MISSING)
    return on_missing is not None and (
        in_force or on_missing == "proceed" or not project.config.lists[name].required
    )
