"""`responsys plan` and `responsys apply`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from responsys_assets.commands.cli import Command, Reply, State, known_name, lake_of, pass_state
from responsys_assets.commands.terminal import table
from responsys_assets.config.project import Project
from responsys_assets.deliveries.plan import plan
from responsys_assets.deliveries.plans import Plans
from responsys_assets.deliveries.send import send
from responsys_assets.deliveries.states import DeliveryResult
from responsys_assets.errors import ConfigError, ExitCode
from responsys_assets.lake.lake import Lake
from responsys_assets.profiles import refresh as profiles
from responsys_assets.progress import Progress
from responsys_assets.segments import refresh as segments


@click.command("plan", cls=Command)
@click.argument("names", metavar="[DELIVERY]...", nargs=-1)
@pass_state
def plan_command(state: State, names: tuple[str, ...]) -> Reply:
    """Build delivery files and show what would change; nothing is sent."""
    project = state.project()
    lake, progress = lake_of(project), state.progress
    with lake.writing(progress.say):
        results = [_plan(project, lake, name, progress) for name in _chosen(project, names)]
    return _reply(results)


@click.command("apply", cls=Command)
@click.argument("names", metavar="[DELIVERY]...", nargs=-1)
@click.option("--release", is_flag=True, help="Send a plan that the guard holds; name it.")
@pass_state
def apply_command(state: State, names: tuple[str, ...], release: bool) -> Reply:
    """Send what is planned, and plan what is not.

    --release lets the plan go that was held when you looked at it. If what it is made from
    has changed since, it is void: a new plan is made, and held if need be.
    """
    if release and not names:
        raise ConfigError("usage", "--release needs the name of the delivery to let go")
    project = state.project()
    lake, progress = lake_of(project), state.progress
    with lake.writing(progress.say):
        results = [
            _apply(project, lake, name, release=release, progress=progress)
            for name in _chosen(project, names)
        ]
    return _reply(results)


def deliveries_table(results: Iterable[DeliveryResult], title: str = "") -> Table:
    """Deliveries, one a line."""
    rows = [
        (
            result.name,
            result.state,
            result.rows,
            result.added,
            result.updated,
            result.removed,
            " ".join(result.files) or None,
        )
        for result in results
    ]
    headers = ("delivery", "state", "rows", "added", "updated", "removed", "files")
    return table(headers, rows, title)


def show_held(console: Console, results: Iterable[DeliveryResult]) -> None:
    """Why deliveries are held, in sentences."""
    for result in results:
        if result.state == "held":
            console.print(f"{result.name} is held: {result.detail or result.reason}")


def _chosen(project: Project, names: Sequence[str]) -> list[str]:
    known = [*project.config.deliveries]
    return [known_name("delivery", name, known) for name in names or known]


def _plan(project: Project, lake: Lake, name: str, progress: Progress) -> DeliveryResult:
    profiles.up_to_date(project, lake, progress)
    source = project.config.deliveries[name].segment
    if source != "profiles":
        segments.refresh(project, lake, source, progress)
    return plan(project, lake, name, progress)


def _apply(
    project: Project, lake: Lake, name: str, *, release: bool, progress: Progress
) -> DeliveryResult:
    seen = Plans(project, lake, name).waiting()
    planned = _plan(project, lake, name, progress)
    if planned.state not in ("planned", "held"):
        return planned
    # only the plan that a person could have looked at is let go
    same = seen is not None and planned.snapshot is not None and seen.name == planned.snapshot.name
    if planned.state == "held" and not (release and same):
        return planned
    return send(project, lake, name, release=release, progress=progress)


def _reply(results: Sequence[DeliveryResult]) -> Reply:
    document: dict[str, Any] = {
        "deliveries": {
            result.name: {
                **result.as_json(),
                "snapshot": result.snapshot.name if result.snapshot else None,
                "folder": str(result.snapshot.path / "files") if result.snapshot else None,
            }
            for result in results
        }
    }

    def show(console: Console) -> None:
        if not results:
            console.print("The configuration has no deliveries.")
            return
        console.print(deliveries_table(results))
        show_held(console, results)
        for result in results:
            if result.state in ("planned", "held") and result.snapshot:
                console.print(f"{result.name}: the files are in {result.snapshot.path / 'files'}")

    held = any(result.state == "held" for result in results)
    return Reply(document, show, ExitCode.WAITING if held else ExitCode.DONE)
