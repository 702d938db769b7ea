"""Telling Dagster what a command did, where there is a Dagster to tell."""

from __future__ import annotations

import importlib
import os

from responsys_assets.config.project import Project
from responsys_assets.progress import Progress


def tell_dagster(project: Project, progress: Progress) -> None:
    """With `$DAGSTER_HOME` set, what the lake has shows in the Dagster UI as after a run.

    The lake is the truth and the work is done: Dagster's own troubles are said, not raised.
    """
    if not os.environ.get("DAGSTER_HOME"):
        return
    runless = importlib.import_module("responsys_assets.orchestration.runless")  # slow, so late
    try:
        runless.report_to_dagster(project)
    except Exception as error:  # noqa: BLE001 - whatever Dagster's storage has
        progress.say(f"Dagster was not told of this ({type(error).__name__}); the rest is done")
