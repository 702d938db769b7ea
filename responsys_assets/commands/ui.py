"""`responsys ui`."""

from __future__ import annotations

import importlib
import os
import socket

import click
from rich.console import Console

from responsys_assets.commands.cli import Command, Reply, State, pass_state
from responsys_assets.commands.dagster_home import prepare_dagster_home
from responsys_assets.errors import ResponsysError


@click.command("ui", cls=Command)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=3000,
    show_default=True,
    help="Another free one is used if it is taken.",
)
@click.option(
    "--host-name",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name that a proxy in front of it is asked for, besides localhost.",
)
@click.option("--read-only", is_flag=True, help="To look at; starts nothing, not even sensors.")
@pass_state
def ui_command(state: State, *, port: int, hosts: tuple[str, ...], read_only: bool) -> Reply:
    """The Dagster UI of this project, for this machine alone, until Ctrl-C.

    Runs Dagster's daemon as well: sensors and schedules that are switched on work while this
    runs. History is kept in $DAGSTER_HOME, else in .dagster beside the configuration.
    """
    project = state.project()
    home = prepare_dagster_home(project)
    os.environ.update(
        DAGSTER_HOME=str(home),
        RESPONSYS_CONFIG=str(project.file.absolute()),
        DAGSTER_REDACT_USER_CODE_ERRORS="1",
        PYTHONWARNINGS="ignore",  # Dagster's own are nothing for users
    )
    webserver = importlib.import_module("responsys_assets.orchestration.webserver")  # slow
    listener: socket.socket = webserver.listen(port)
    url = "http://{}:{}".format(*listener.getsockname())

    def show(console: Console) -> None:
        what = "to look at only, " if read_only else ""
        console.print(f"The Dagster UI, {what}until Ctrl-C: {url}")
        console.print(f"Its history is in {home}.")

    def serve() -> None:
        if not webserver.serve(listener, hosts=hosts, read_only=read_only):
            raise ResponsysError("daemon_died", "Dagster's daemon has ended; start this again")

    return Reply({"url": url, "home": str(home), "read_only": read_only}, show, afterwards=serve)
