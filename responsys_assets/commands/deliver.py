"""`responsys plan` and `responsys apply`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from responsys_assets.commands.cli import (
    Command,
    Reply,
    State,
    known_name,
    lake_of,
    pass_state,
    user_name,
)
from responsys_assets.commands.terminal import table
from responsys_assets.config.project import Project
from responsys_assets.consent.refresh import known_exports
from responsys_assets.deliveries.deliver import deliver
from responsys_assets.deliveries.plan import plan
from responsys_assets.deliveries.plans import Plans
from responsys_assets.deliveries.receivers import Received, Receivers
from responsys_assets.deliveries.send import Release
from responsys_assets.deliveries.states import DeliveryResult, people, said_of_opt_outs
from responsys_assets.edits import rereadings
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
    results = []
    with lake.writing(progress.say):
        for name in _chosen(project, names):
            _refresh(project, lake, name, progress)
            results.append(plan(project, lake, name, progress))
            _shown(project, lake, results[-1])
    return _reply(project, lake, results)


@click.command("apply", cls=Command)
@click.argument("names", metavar="[DELIVERY]...", nargs=-1)
@click.option("--release", is_flag=True, help="Send the held plan that you have looked at.")
@click.option("--plan", "plan_id", metavar="ID", help="The held plan to send (as shown by `plan`).")
@click.option("--why", metavar="TEXT", help="Why it is sent; recorded with your name.")
@pass_state
def apply_command(
    state: State, names: tuple[str, ...], release: bool, plan_id: str | None, why: str | None
) -> Reply:
    """Send what is planned, and plan what is not.

    --release sends the held plan that you looked at. If a sync has made another one since, that
    is shown instead and waits for another look. --plan says which one you mean.
    """
    if release and not names:
        raise ConfigError("usage", "--release needs the name of a delivery")
    if not release and (plan_id or why):
        raise ConfigError("usage", "--plan and --why go with --release")
    if plan_id and len(names) > 1:
        raise ConfigError("usage", "--plan is the plan of one delivery; name only that")
    project = state.project()
    lake, progress = lake_of(project), state.progress
    word = Release(user_name(), why, plan_id) if release else None
    results = []
    with lake.writing(progress.say):
        for name in _chosen(project, names):
            _refresh(project, lake, name, progress)
            results.append(deliver(project, lake, name, release=word, progress=progress))
            _shown(project, lake, results[-1])
    return _reply(project, lake, results)


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
        if result.opt_outs is not None:
            files = " ".join(result.opt_outs.files)
            console.print(f"{result.name}: {said_of_opt_outs(result.opt_outs)}: {files}")
        if result.state == "held":
            console.print(f"{result.name} is held: {result.detail or result.reason}")


def show_left(console: Console, left: Iterable[Received]) -> None:
    """Receivers that have people and get nothing any more, with what to do."""
    for each in left:
        console.print(
            f"{each.target} is not delivered to any more and still has {people(each.rows)} from "
            f"{each.delivery}: `responsys deliveries {each.delivery} --close --why TEXT` removes "
            f"them there{_beside(each)}",
            style="bold red",
        )


def _beside(left: Received) -> str:
    """What closing would do if the old and the new file names have one reader."""
    if not left.beside:
        return ""
    return (
        f". Delivery {', '.join(left.beside)} writes to the same folder under another name: if one "
        "reader takes both names, --close removes its people, those of the new files included; "
        "close only if nobody reads the new files together with the old"
    )


def _chosen(project: Project, names: Sequence[str]) -> list[str]:
    known = [*project.config.deliveries]
    return [known_name("delivery", name, known) for name in names or known]


def _refresh(project: Project, lake: Lake, name: str, progress: Progress) -> None:
    profiles.up_to_date(project, lake, progress)
    source = project.config.deliveries[name].segment
    if source != "profiles":
        segments.refresh(project, lake, source, progress)


def _shown(project: Project, lake: Lake, result: DeliveryResult) -> None:
    """Remember that a person looks at this plan."""
    if result.state == "held" and result.snapshot is not None:
        journal = Plans(project, lake, result.name).journal(result.snapshot)
        if not journal.knows("shown"):
            journal.note("shown")


def _reply(project: Project, lake: Lake, results: Sequence[DeliveryResult]) -> Reply:
    left = Receivers(project, lake).left()
    anew = rereadings(project, lake, known_exports(lake))
    document: dict[str, Any] = {
        "deliveries": {
            result.name: {
                **result.as_json(),
                "snapshot": result.snapshot.name if result.snapshot else None,
                "folder": str(result.snapshot.path / "files") if result.snapshot else None,
            }
            for result in results
        },
        "left_receivers": [each.as_json() for each in left],
        "read_anew": {each.list_name: each.as_json() for each in anew},
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
        show_left(console, left)
        for each in anew:
            console.print(f"This is without an edit of the settings: {each}.")

    held = any(result.state == "held" for result in results)
    return Reply(document, show, ExitCode.WAITING if held else ExitCode.DONE)
