"""What all commands share: the two common options, and the reply that each one returns."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from responsys_assets.commands.terminal import progress_for
from responsys_assets.config.loader import config_path, load
from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError, ExitCode
from responsys_assets.lake.lake import Lake
from responsys_assets.progress import Progress


@dataclass(frozen=True)
class Reply:
    """What a command has to say: a JSON document, the same for people, and the exit code.

    `errors` are parts that failed, for people; `afterwards` runs once it has been said.
    """

    document: dict[str, Any]
    show: Callable[[Console], None]
    exit_code: ExitCode = ExitCode.DONE
    afterwards: Callable[[], None] | None = None
    errors: Sequence[str] = ()


@dataclass
class State:
    """The common options; they are accepted before and after the name of the command."""

    config: str | None = None
    json: bool = False

    @property
    def config_file(self) -> Path:
        return config_path(self.config)

    def project(self) -> Project:
        """The configuration, read and checked."""
        return load(self.config_file)

    @property
    def progress(self) -> Progress:
        """Bars on a terminal, silence elsewhere."""
        return progress_for(quiet=self.json)


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value and param.name:
        setattr(ctx.ensure_object(State), param.name, value)


def common_options() -> list[click.Parameter]:
    """`--config` and `--json`."""
    return [
        click.Option(
            ["--config"],
            metavar="PATH",
            expose_value=False,
            callback=_remember,
            help="The configuration; else $RESPONSYS_CONFIG, else ./responsys.yaml.",
        ),
        click.Option(
            ["--json"],
            is_flag=True,
            expose_value=False,
            callback=_remember,
            help="Print one JSON document.",
        ),
    ]


class Command(click.Command):
    """A command that also takes the common options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += common_options()


pass_state = click.make_pass_decorator(State, ensure=True)


def known_name(kind: str, name: str, known: list[str]) -> str:
    """`name`, if it is configured.

    Raises:
        ConfigError: with the names that are.
    """
    if name not in known:
        names = ", ".join(known) or "(none)"
        raise ConfigError(f"unknown_{kind}", f"there is no {kind} {name}; expected one of {names}")
    return name


def lake_of(project: Project) -> Lake:
    """The project's lake."""
    return Lake(project.lake_path)


def user_name() -> str:
    """Who calls, for what is recorded."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for this user
        return str(os.getuid())
