"""`responsys sync`."""

from __future__ import annotations

import time

import click
from rich.console import Console

from responsys_assets.commands.cli import Command, Reply, State, known_name, pass_state
from responsys_assets.commands.dagster_home import tell_dagster
from responsys_assets.commands.deliver import deliveries_table, show_held, show_left
from responsys_assets.commands.exports import show_columns
from responsys_assets.commands.status import show_former_lists, show_late
from responsys_assets.commands.terminal import table
from responsys_assets.deliveries.receivers import Receivers
from responsys_assets.errors import ExitCode
from responsys_assets.exported.deadlines import late_lists
from responsys_assets.lake.lake import Lake
from responsys_assets.sync import SyncResult, sync


@click.command("sync", cls=Command)
@click.option("--no-deliver", is_flag=True, help="Plan the deliveries, send none.")
@click.option("--list", "lists", multiple=True, metavar="LIST", help="Only this list's exports.")
@pass_state
def sync_command(state: State, no_deliver: bool, lists: tuple[str, ...]) -> Reply:
    """Poll, ingest, merge, segment and deliver what is new.

    The same work that the sensors and the schedule do; it may be run at any time. 3 if
    something waits for a person: a held file or delivery, a list that is late.
    """
    project = state.project()
    for name in lists:
        known_name("list", name, [*project.config.lists])
    began = time.monotonic()
    result = sync(project, lists=lists or None, deliver=not no_deliver, progress=state.progress)
    seconds = time.monotonic() - began
    tell_dagster(project, state.progress)
    lake = Lake(project.lake_path)
    overdue, left = late_lists(project, lake), Receivers(project, lake).left()

    def show(console: Console) -> None:
        show_sync(console, result, seconds)
        show_late(console, overdue)
        if overdue and result.deliveries:
            names = ", ".join(each.list_name for each in overdue)
            console.print(f"No delivery knows of opt-outs in {names} since the last export there.")
        show_left(console, left)

    late = {
        "late": {each.list_name: each.as_json() for each in overdue},
        "left_receivers": [each.as_json() for each in left],
    }
    done = ExitCode.WAITING if overdue else ExitCode.DONE
    errors = [f"{asset}: {error}" for asset, error in result.errors.items()]
    return Reply(result.as_json() | late, show, result.exit_code or done, errors=errors)


def show_sync(console: Console, result: SyncResult, seconds: float | None = None) -> None:
    """What a sync did, for a person."""
    rows = [
        (
            name,
            export.file,
            export.state,
            export.records,
            export.staged,
            export.rejected,
            export.detail or export.reason or "",
        )
        for name, report in result.lists.items()
        for export in report.exports
    ]
    if rows:
        console.print(
            table(("list", "export", "state", "records", "staged", "rejected", "why"), rows)
        )
    for name, report in result.lists.items():
        if report.error:
            console.print(f"List {name} was not looked at: {report.error}")
        judged = [export for export in report.exports if export.records]
        show_columns(console, name, judged[-1] if judged else None)
    known = sum(report.known for report in result.lists.values())
    if not result.changed:
        console.print(f"Nothing new: {known} exports are known.")
    show_former_lists(console, result.former_lists)
    if result.profiles:
        console.print(f"Profiles: {result.profiles.rows:,} in snapshot {result.profiles.name}.")
    if result.waits:
        console.print(f"Nothing is delivered: {result.waits}.", style="bold red")
    for name, segment in result.segments.items():
        console.print(f"Segment {name}: {segment.rows:,} rows.")
    for file, odd, count in sorted(_unreadable_suppressions(result)):
        console.print(
            f"Suppression file {file}: {odd:,} of {count:,} entries are not understood and keep "
            "nobody out; `responsys doctor` names their lines."
        )
    if result.deliveries:
        console.print(deliveries_table(result.deliveries.values()))
        show_held(console, result.deliveries.values())
    if any(e.waits_for_person for report in result.lists.values() for e in report.exports):
        console.print(
            "Something waits for a person: see `responsys status`, then "
            "`responsys exports LIST accept|retry|withdraw FILE --why TEXT`."
        )
    if seconds is not None:
        console.print(f"Took {seconds:.1f} s.")


def _unreadable_suppressions(result: SyncResult) -> set[tuple[str, int, int]]:
    """File, entries that are not understood, entries; of the suppressions that segments used."""
    return {
        (file["file"], file["unreadable"], file["entries"])
        for segment in result.segments.values()
        for file in segment.manifest["inputs"]["suppressions"]
        if file.get("unreadable")
    }
