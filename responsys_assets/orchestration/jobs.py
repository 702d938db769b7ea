"""Jobs: one a list that ingests a day, one that refreshes all behind the lists, the daily sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import dagster as dg

from responsys_assets.config.project import Project
from responsys_assets.orchestration import catalog
from responsys_assets.orchestration.deadlines import deadline_job
from responsys_assets.orchestration.tags import ON_MISSING, PRUNE, YES

REFRESH = "refresh"
DAILY_SYNC = "daily_sync"


if TYPE_CHECKING:
    # what `define_asset_job` returns has no public name
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

    Job: TypeAlias = dg.JobDefinition | UnresolvedAssetJobDefinition


def ingest_name(list_name: str) -> str:
    return f"ingest_{list_name}"


def refreshed(project: Project) -> list[dg.AssetKey]:
    """Everything behind the lists."""
    return [
        catalog.CONSENT,
        catalog.PROFILES,
        *map(catalog.segment_key, project.config.segments),
        *map(catalog.delivery_key, project.config.deliveries),
    ]


def build(project: Project) -> dict[str, Job]:
    """All jobs of a configuration, by name."""
    config = project.config
    lists = {name: [catalog.exported_key(name), catalog.staged_key(name)] for name in config.lists}
    found: list[Job] = [
        _asset_job(ingest_name(name), keys, f"Fetch and stage the exports of {name} of one day.")
        for name, keys in lists.items()
    ]
    said = "Merge, select and deliver what the lists have."
    found.append(_asset_job(REFRESH, refreshed(project), said, {PRUNE: YES}))
    if config.schedule is not None:
        keys = [key for pair in lists.values() for key in pair] + refreshed(project)
        tags = {PRUNE: YES, ON_MISSING: config.schedule.on_missing}
        found.append(_asset_job(DAILY_SYNC, keys, "All of `responsys sync`, for one day.", tags))
    may_be_late = [name for name, each in config.lists.items() if each.deadline != "none"]
    found += [deadline_job(project, name) for name in may_be_late]
    return {job.name: job for job in found}


def _asset_job(
    name: str, keys: list[dg.AssetKey], description: str, tags: dict[str, str] | None = None
) -> Job:
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*keys),
        description=description,
        tags=tags,
        executor_def=dg.in_process_executor,
    )
