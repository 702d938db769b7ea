"""`responsys init`: a commented project to start from."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import click
from rich.console import Console

from responsys_assets.commands.cli import Command, Reply, State, pass_state
from responsys_assets.commands.dagster_home import HOME, INSTANCE
from responsys_assets.config.loader import DEFAULT_FILE
from responsys_assets.config.schema import json_schema
from responsys_assets.errors import ConfigError
from responsys_assets.lake.publish import disk_errors, make_private_folder

SCHEMA_FILE = "responsys.schema.json"
_TEMPLATES = {
    DEFAULT_FILE: "responsys.yaml",
    ".env.example": "env.example",
    ".gitignore": "gitignore",
    "workspace.yaml": "workspace.yaml",
    f"{HOME}/{INSTANCE}": INSTANCE,
}


@click.command("init", cls=Command)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@pass_state
def init_command(_: State, folder: Path) -> Reply:
    """A commented project to start from: configuration, variables, JSON Schema for editors."""
    made = write_project(folder.absolute())

    def show(console: Console) -> None:
        lines = [
            f"A project to start from is in {folder}:",
            *(f"  {path.relative_to(folder.absolute())}" for path in made),
            "",
            "Next:",
            f"  1. cd {folder} && responsys keys new    and upload the public parts it prints",
            "  2. copy .env.example to .env and fill it in",
            "  3. edit responsys.yaml: server, lists, segments, deliveries",
            "  4. responsys doctor                     says what is still missing",
            "  5. responsys sync",
        ]
        console.file.write("\n".join(lines) + "\n")

    return Reply({"folder": str(folder.absolute()), "files": [str(p) for p in made]}, show)


def write_project(folder: Path) -> list[Path]:
    """Write the files of a new project; returns their paths.

    Raises:
        ConfigError: if one of them is there already; then nothing is written.
    """
    templates = files("responsys_assets.templates")
    content = {name: (templates / source).read_text() for name, source in _TEMPLATES.items()}
    content[SCHEMA_FILE] = json.dumps(json_schema(), indent=2) + "\n"
    for name in content:
        if (folder / name).exists():
            raise ConfigError(
                "exists",
                "is there already and is not replaced; choose another folder",
                file=str(folder / name),
            )
    with disk_errors(f"cannot write the project to {folder}"):
        make_private_folder(folder)
        for name, text in content.items():
            make_private_folder((folder / name).parent)
            (folder / name).write_text(text)
    return [folder / name for name in content]
