"""Dagster's own folder, and telling Dagster what a command did where there is one to tell."""

from __future__ import annotations

import importlib
import os
from importlib.resources import files
from pathlib import Path

from responsys_assets.config.project import Project
from responsys_assets.lake.publish import disk_errors, make_private_folder
from responsys_assets.progress import Progress

HOME = ".dagster"
INSTANCE = "dagster.yaml"


def prepare_dagster_home(project: Project) -> Path:
    """`$DAGSTER_HOME`, else a folder beside the configuration: private, and with settings.

    Raises:
        LakeError: if it cannot be made.
    """
    said = os.environ.get("DAGSTER_HOME")
    home = Path(said) if said else project.file.parent / HOME
    with disk_errors(f"cannot make {home}"):
        make_private_folder(home)
        if not (home / INSTANCE).exists():
            (home / INSTANCE).write_text(instance_settings())
    return home.absolute()


def instance_settings() -> str:
    """What a `dagster.yaml` for one machine says."""
    return (files("responsys_assets.templates") / INSTANCE).read_text()


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
