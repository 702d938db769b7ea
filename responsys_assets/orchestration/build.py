"""A configuration as Dagster definitions."""

from __future__ import annotations

import os

import dagster as dg

from responsys_assets.config.loader import config_path, load
from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError
from responsys_assets.orchestration import assets, jobs, schedules, sensors


def load_definitions() -> dg.Definitions:
    """The definitions of the configuration that this process finds.

    Raises:
        DagsterInvalidDefinitionError: with the one sentence that says what is wrong with it.
    """
    try:
        project = load(config_path(None))
    except ConfigError as error:
        # an error of Dagster's own, because its text is shown even when Dagster redacts
        raise dg.DagsterInvalidDefinitionError(str(error)) from None
    automated = os.environ.get("RESPONSYS_AUTOMATION", "off").lower() in ("on", "1", "true")
    return build_definitions(project, automated=automated)


def build_definitions(project: Project, *, automated: bool = False) -> dg.Definitions:
    """Assets, jobs, sensors and schedules; these run by default only if `automated`."""
    known = jobs.build(project)
    return dg.Definitions(
        assets=assets.build(project),
        jobs=[*known.values()],
        sensors=sensors.build(project, known, automated=automated),
        schedules=schedules.build(project, known, automated=automated),
        executor=dg.in_process_executor,  # few, fat steps
    )
