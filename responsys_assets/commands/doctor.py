"""`responsys doctor`."""

from __future__ import annotations

import click
from rich.console import Console

from responsys_assets.commands.checkup import check_up
from responsys_assets.commands.cli import Command, Reply, State, pass_state
from responsys_assets.commands.terminal import table
from responsys_assets.errors import ExitCode


@click.command("doctor", cls=Command)
@pass_state
def doctor_command(state: State) -> Reply:
    """Check configuration, variables, keys, host keys, access and files; say what to do.

    Changes nothing, here or on a server. 1 if there is a problem; a note is none.
    """
    project = state.project()
    with state.progress.step("looking"):
        findings = list(check_up(project))
    problems = sum(finding.state == "problem" for finding in findings)

    def show(console: Console) -> None:
        rows = [(f.state, f.check, f.subject, f.detail) for f in findings]
        console.print(table(("state", "check", "what", "finding"), rows))
        said = f"{problems} problems" if problems != 1 else "1 problem"
        console.print(f"{said}." if problems else "No problem: `responsys sync` can run.")

    return Reply(
        {"problems": problems, "checks": [finding.as_json() for finding in findings]},
        show,
        ExitCode.FAILED if problems else ExitCode.DONE,
    )
