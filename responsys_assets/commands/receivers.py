"""`responsys deliveries`: who has got what, and closing a receiver that was left."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console

from responsys_assets.commands.cli import Command, Reply, State, lake_of, pass_state
from responsys_assets.commands.deliver import deliveries_table
from responsys_assets.commands.terminal import table
from responsys_assets.config.project import Project
from responsys_assets.deliveries.close import close
from responsys_assets.deliveries.receivers import Received, Receivers
from responsys_assets.errors import ConfigError


@click.command("deliveries", cls=Command)
@click.argument("name", metavar="[DELIVERY]", required=False)
@click.option("--close", "closing", is_flag=True, help="Remove everybody where it went before.")
@click.argument("target", metavar="[TARGET]", required=False)
@pass_state
def deliveries_command(state: State, name: str | None, closing: bool, target: str | None) -> Reply:
    """Receivers, what they have and since when.

    --close removes everybody at the receivers that this delivery has left (or at TARGET alone,
    written as it is shown here): a file of removals, or an empty file for mode: full.
    """
    project = state.project()
    lake = lake_of(project)
    receivers = Receivers(project, lake)
    if not closing:
        found = [each for each in receivers.all().values() if name in (None, each.delivery)]
        return _listed(project, found)
    chosen = [
        each
        for each in receivers.all().values()
        if each.delivery == name and (target is None or str(each.target) == target)
    ]
    if target is None:
        left = {each.target for each in receivers.left()}
        chosen = [each for each in chosen if each.target in left]
    if not chosen:
        known = ", ".join(str(each.target) for each in receivers.left()) or "(none)"
        where = target or "receiver that it left"
        raise ConfigError(
            "unknown_target", f"{name or 'no delivery'} has no {where}; those left are {known}"
        )
    results = [close(project, lake, each.target, state.progress) for each in chosen]
    document: dict[str, Any] = {
        "closed": [
            {**each.as_json(), "removed": result.removed, "files": list(result.files)}
            for each, result in zip(chosen, results, strict=True)
        ]
    }

    def show(console: Console) -> None:
        console.print(deliveries_table(results, "Closed:"))

    return Reply(document, show)


def _listed(project: Project, found: list[Received]) -> Reply:
    receivers = Receivers(project, lake_of(project))

    def state_of(received: Received) -> str:
        if receivers.in_use(received.target):
            return "in use"
        return "closed" if received.closed else "left"

    def show(console: Console) -> None:
        rows = [
            (each.delivery, str(each.target), state_of(each), each.rows, each.at[:19])
            for each in found
        ]
        console.print(table(("delivery", "target", "state", "people", "delivered"), rows))

    return Reply(
        {"receivers": [{**each.as_json(), "state": state_of(each)} for each in found]}, show
    )
