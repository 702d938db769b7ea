"""`responsys COMMAND`: finds it, prints its reply, and turns every error into a sentence."""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import click

import responsys_assets
from responsys_assets.commands.cli import Reply, State, common_options
from responsys_assets.commands.terminal import console
from responsys_assets.errors import ConfigError, ExitCode, ResponsysError

COMMANDS = {
    "init": ("init", "A commented project to start from."),
    "keys": ("keys", "Make the PGP and SSH key pairs, or print the public parts to upload."),
    "demo": ("demo", "A simulated Responsys account with a project that syncs it."),
    "doctor": ("doctor", "Check configuration, keys, access and files; say what to do."),
    "sync": ("sync", "Poll, ingest, merge, segment and deliver what is new."),
    "plan": ("deliver", "Build delivery files and show what would change."),
    "apply": (
        "deliver",
        "Send what is planned; --release sends a held plan that you have looked at.",
    ),
    "deliveries": (
        "receivers",
        "Who has received what; --close removes everyone at a receiver that is no longer used.",
    ),
    "exports": ("exports", "Exports of a list; accept, retry or withdraw one."),
    "status": ("status", "Lists, last exports, held files, snapshots, deliveries."),
    "rejects": ("rejects", "Rejected records with reason, record, byte and line."),
    "path": ("path", "The data files of an asset's current state, one a line."),
    "ui": ("ui", "The Dagster UI, for this machine alone, and Dagster's daemon."),
    "prune": ("upkeep", "Apply retention."),
    "verify": ("upkeep", "Re-hash everything that receipts and manifests name."),
}


class LazyGroup(click.Group):
    """Imports a command's module when the command is called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__package__}.{COMMANDS[cmd_name][0]}")
        return cast("click.Command", getattr(module, f"{cmd_name}_command"))

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, params=common_options(), no_args_is_help=False)
@click.version_option(responsys_assets.__version__, prog_name="responsys")
def cli() -> None:
    """Keeps a company's Responsys profile data in step with the rest of its stack."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its exit code."""
    os.umask(0o077)  # whatever a command writes is for its user alone
    code = run(sys.argv[1:] if arguments is None else arguments)
    sys.stdout.flush()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run a command, print its reply or its error; returns the exit code."""
    options = arguments[: list(arguments).index("--")] if "--" in arguments else arguments
    as_json = "--json" in options
    try:
        result = cli.main(list(arguments), "responsys", standalone_mode=False, obj=State())
        if not isinstance(result, Reply):
            return int(result or 0)  # --help and --version have spoken
        _say(result, as_json)
        if result.afterwards:
            result.afterwards()
        return int(result.exit_code)
    except BrokenPipeError:  # the reader of our output has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.FAILED)
    except KeyboardInterrupt:  # while something is said
        return _report(_explained(click.Abort()), as_json)
    except Exception as error:  # noqa: BLE001 - this is where every error becomes a sentence
        return _report(_explained(error), as_json)


def _say(reply: Reply, as_json: bool) -> None:
    if as_json:
        json.dump(reply.document, sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
    else:
        reply.show(console(sys.stdout))
    sys.stdout.flush()
    for error in () if as_json else reply.errors:
        sys.stderr.write(f"responsys: {' '.join(error.split())}\n")


def _explained(error: Exception) -> ResponsysError:
    if isinstance(error, ResponsysError):
        return error
    if isinstance(error, click.UsageError):
        context = error.ctx.command_path if error.ctx else "responsys"
        return ConfigError("usage", f"{error.format_message()} (see {context} --help)")
    if isinstance(error, click.Abort):
        return ResponsysError("stopped", "stopped; run it again to go on where it was")
    if isinstance(error, OSError) and error.strerror:
        name = error.filename if isinstance(error.filename, str) else None
        return ResponsysError("disk", f"{error.strerror}; mend this and run it again", file=name)
    return _internal(error)


def _internal(error: Exception) -> ResponsysError:
    """A fault of our own. Texts of engines quote records, so its text is not shown by default."""
    if os.environ.get("RESPONSYS_DEBUG") == "1":
        traceback.print_exception(error, file=sys.stderr)
    package = Path(responsys_assets.__file__).parent
    places = [
        f"{Path(frame.filename).relative_to(package.parent)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if package in Path(frame.filename).parents
    ]
    return ResponsysError(
        "internal",
        f"this is a fault of the program ({type(error).__name__} at {places[-1] if places else '?'}"
        "); what was done before stays done. RESPONSYS_DEBUG=1 shows the traceback, which may "
        "quote records",
    )


def _report(error: ResponsysError, as_json: bool) -> int:
    if as_json:
        json.dump({"error": error.as_json()}, sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
    else:
        sys.stderr.write(f"responsys: {' '.join(str(error).split())}\n")
    return int(error.exit_code)
