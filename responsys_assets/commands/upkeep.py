"""`responsys prune` and `responsys verify`."""

from __future__ import annotations

import click
from rich.console import Console

from responsys_assets.commands.cli import Command, Reply, State, lake_of, pass_state
from responsys_assets.commands.terminal import table
from responsys_assets.consent.audit import ledger_claims
from responsys_assets.errors import ExitCode
from responsys_assets.lake.retention import prune
from responsys_assets.lake.verify import verify


@click.command("prune", cls=Command)
@pass_state
def prune_command(state: State) -> Reply:
    """Apply retention (`keep` in the configuration); every sync does it, too."""
    project = state.project()
    done = prune(project, lake_of(project))

    def show(console: Console) -> None:
        if not done.files:
            console.print("Nothing is older than `keep` says.")
            return
        console.print(
            f"Let go {done.exported:,} exports, {done.rejects:,} quarantine files and "
            f"{done.snapshots:,} snapshots: {done.bytes / 1e6:,.1f} MB. Receipts stay."
        )

    return Reply({"pruned": done.as_json(), "files": done.files}, show)


@click.command("verify", cls=Command)
@pass_state
def verify_command(state: State) -> Reply:
    """Re-hash everything that receipts and manifests name; 1 if anything is amiss."""
    lake = lake_of(state.project())
    done = verify(lake, state.progress, ledger_claims(lake))

    def show(console: Console) -> None:
        if done.findings:
            rows = [(str(f.file), f.problem, f.advice) for f in done.findings]
            console.print(table(("file", "problem", "what to do"), rows))
        pruned = f"; {done.pruned:,} were let go by retention" if done.pruned else ""
        console.print(
            f"{done.files:,} files, {done.bytes / 1e6:,.1f} MB hashed, "
            f"{len(done.findings):,} problems{pruned}."
        )

    return Reply(done.as_json(), show, ExitCode.FAILED if done.findings else ExitCode.DONE)
