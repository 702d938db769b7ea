"""`responsys deliveries`: who has got what, and closing a receiver that was left."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console

from responsys_assets.commands.cli import (
    Command,
    Reply,
    State,
    known_name,
    lake_of,
    pass_state,
    user_name,
)
from responsys_assets.commands.deliver import deliveries_table
from responsys_assets.commands.terminal import table
from responsys_assets.config.project import Project
from responsys_assets.deliveries.close import close
from responsys_assets.deliveries.receivers import Received, Receivers
from responsys_assets.deliveries.send import Release
from responsys_assets.errors import ConfigError


@click.command("deliveries", cls=Command)
@click.argument("name", metavar="[DELIVERY]", required=False)
@click.argument("target", metavar="[--close [TARGET]]", required=False)
@click.option("--close", "closing", is_flag=True, help="Remove everyone at an unused receiver.")
@click.option("--why", metavar="TEXT", help="Why it is closed; recorded with your name.")
@pass_state
def deliveries_command(
    state: State, name: str | None, closing: bool, target: str | None, why: str | None
) -> Reply:
    """Who has received what, and since when.

    --close removes everyone at the receivers that DELIVERY no longer uses, or at TARGET alone
    (written as it is shown here): a file of removals, or an empty file for mode: full. It needs
    --why.
    """
    _require_usage(closing=closing, target=target, why=why)
    project = state.project()
    lake = lake_of(project)
    receivers = Receivers(project, lake)
    if not closing:
        return _listed(project, _chosen(project, receivers, name))
    chosen = [
        each
        for each in receivers.all().values()
        if each.delivery == name and (target is None or str(each.target) == target)
    ]
    if target is None:
        left = {each.target for each in receivers.left()}
        chosen = [each for each in chosen if each.target in left]
    if not chosen:
        known = [f"{each.target} (from {each.delivery})" for each in receivers.left()]
        raise ConfigError("unknown_target", _nothing_to_close(name, target, known))
    word = Release(user_name(), why)
    results = [close(project, lake, each.target, word, state.progress) for each in chosen]
    document: dict[str, Any] = {
        "closed": [
            {**each.as_json(), "removed": result.removed, "files": list(result.files)}
            for each, result in zip(chosen, results, strict=True)
        ]
    }

    def show(console: Console) -> None:
        console.print(deliveries_table(results, "Closed:"))

    return Reply(document, show)


def _require_usage(*, closing: bool, target: str | None, why: str | None) -> None:
    if closing and not (why and why.strip()):
        raise ConfigError(
            "usage",
            "--close needs --why TEXT, which is recorded with your name; `responsys status` says "
            "whether a reader of newer files in the same folder would lose its people, too",
        )
    if not closing and target is not None:
        raise ConfigError("usage", f"a TARGET goes with --close: {target}")
    if not closing and why is not None:
        raise ConfigError("usage", "--why goes with --close")


def _chosen(project: Project, receivers: Receivers, name: str | None) -> list[Received]:
    """What a delivery has sent, or all; a delivery may have sent nothing yet."""
    every = [*receivers.all().values()]
    if name is None:
        return every
    known = dict.fromkeys((*project.config.deliveries, *(each.delivery for each in every)))
    known_name("delivery", name, [*known])
    return [each for each in every if each.delivery == name]


def _nothing_to_close(name: str | None, target: str | None, known: list[str]) -> str:
    if not known:
        return "there is no receiver to close"
    whose = f"delivery {name} has" if name else "without the name of a delivery there is"
    return f"{whose} no {target or 'receiver'} to close; there is {', '.join(known)}"


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
