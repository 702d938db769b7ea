"""`responsys demo`: everything to try without an account."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console

from responsys_assets.commands.cli import Command, Reply, State, pass_state
from responsys_assets.commands.dagster_home import tell_dagster
from responsys_assets.commands.deliver import deliveries_table
from responsys_assets.commands.exports import export_json
from responsys_assets.commands.terminal import table
from responsys_assets.config.project import Project
from responsys_assets.deliveries.states import DeliveryResult
from responsys_assets.deliveries.status import status
from responsys_assets.demo.account import (
    TIMEZONE,
    USERNAME,
    DemoAccount,
    finish_account,
    make_account,
    open_account,
)
from responsys_assets.demo.run import Proof, read_proof, run_history
from responsys_assets.demo.server import SftpServer
from responsys_assets.errors import ConfigError, ExitCode, ResponsysError
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.sync import SyncResult, sync


@click.command("demo", cls=Command)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--rows",
    type=click.IntRange(min=100),
    default=2000,
    show_default=True,
    help="Records of each list.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 366),
    default=1,
    show_default=True,
    help="Days of history; the last one is today.",
)
@click.option("--seed", type=int, default=2026, show_default=True, help="Same seed, same people.")
@click.option("--serve", is_flag=True, help="Keep the account's server up until Ctrl-C.")
@pass_state
def demo_command(
    state: State, *, folder: Path, rows: int, days: int, seed: int, serve: bool
) -> Reply:
    """A simulated Responsys account in DIR, and a project that syncs it.

    A real SFTP server on loopback, PGP keys, encrypted exports of three lists with dirt in
    them. If DIR holds a demo already, it is synced (and served) as it is.
    """
    account = open_account(folder.absolute())
    new = account is None
    account = account or _made(folder.absolute(), rows, days, seed)
    server = _started(account)
    try:
        if new:
            result = run_history(account, state.progress)
            finish_account(account)
        else:
            result = sync(account.project(), progress=state.progress)
        tell_dagster(account.project(), state.progress)
        report = _Report(account, result, read_proof(account))
    except BaseException:
        server.stop()
        raise
    if not serve:
        server.stop()
    return Reply(
        report.as_json(),
        lambda console: report.show(console, serving=serve),
        ExitCode.DONE if report.good else ExitCode.FAILED,
        (lambda: _serve(server, quiet=state.json)) if serve else None,
    )


def _made(folder: Path, rows: int, days: int, seed: int) -> DemoAccount:
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(
            "exists",
            "is not empty and holds no finished demo; choose another folder or remove this one",
            file=str(folder),
        )
    today = dt.datetime.now(ZoneInfo(TIMEZONE)).date()
    return make_account(folder, rows=rows, days=days, seed=seed, today=today)


def _started(account: DemoAccount) -> SftpServer:
    try:
        return account.server().start()
    except RuntimeError:
        raise ResponsysError(
            "port_taken",
            f"the demo's server cannot listen on 127.0.0.1:{account.port}: it may be running "
            "already (then use `responsys sync` in the project), or another program has the port",
        ) from None


def _serve(server: SftpServer, *, quiet: bool) -> None:
    """Until Ctrl-C, or until the process is told to end."""
    with contextlib.suppress(KeyboardInterrupt):
        if not quiet:
            click.echo(f"The server listens on 127.0.0.1:{server.port} until Ctrl-C.")
        while server.running:
            time.sleep(1)
    server.stop()


@dataclass(frozen=True)
class _Report:
    """What there is to see after a demo."""

    account: DemoAccount
    result: SyncResult
    proof: Proof | None

    @cached_property
    def _project(self) -> Project:
        return self.account.project()

    @cached_property
    def _exports(self) -> dict[str, list[Export]]:
        lake = Lake(self._project.lake_path)
        return {name: read_exports(lake, name) for name in self._project.config.lists}

    @cached_property
    def _delivered(self) -> dict[str, DeliveryResult]:
        lake = Lake(self._project.lake_path)
        names = self._project.config.deliveries
        found = {name: status(self._project, lake, name).delivered for name in names}
        return {name: result for name, result in found.items() if result}

    @property
    def good(self) -> bool:
        """All lists merged, and what was delivered opens. The demo's own held file is fine."""
        merged = all(any(e.accepted for e in exports) for exports in self._exports.values())
        return merged and self.proof is not None and self.proof.holds

    def as_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.account.folder),
            "config": str(self.account.config_file),
            "lake": str(self._project.lake_path),
            "server": {"host": "127.0.0.1", "port": self.account.port, "username": USERNAME},
            "exports": {n: [export_json(e) for e in found] for n, found in self._exports.items()},
            "delivered": {name: found.as_json() for name, found in self._delivered.items()},
            "proof": self.proof and self.proof.as_json(),
            "sync": self.result.as_json(),
        }

    def show(self, console: Console, *, serving: bool) -> None:
        """The tables, and where things are."""
        rows = [
            (
                name,
                e.file,
                e.state,
                e.outcome.records,
                e.outcome.staged,
                e.outcome.rejected,
                e.outcome.reason or "",
            )
            for name, found in self._exports.items()
            for e in found
            if e.outcome
        ]
        headers = ("list", "export", "state", "records", "staged", "rejected", "why")
        console.print(table(headers, rows, "Exported and staged"))
        merged = self.result.profiles
        selected = [("profiles (merged)", merged.rows if merged else 0)]
        selected += [
            (f"segment {name}", found.rows) for name, found in self.result.segments.items()
        ]
        console.print(table(("merged and selected", "rows"), selected))
        console.print(deliveries_table(self._delivered.values(), "Delivered"))
        if self.proof:
            said = "as its ready file says" if self.proof.holds else "BUT its ready file differs"
            console.print(
                f"The partner opens {self.proof.file.name}: {self.proof.rows:,} rows, {said}."
            )
        folder = self.account.folder
        lines = [
            "",
            f"Everything is in {folder}; README.md there says what to try.",
            f"  exports      {folder / 'account' / 'download'}",
            f"  project      {self.account.config_file}",
            f"  lake         {self._project.lake_path}",
            f"  deliveries   {folder / 'project' / 'outbox'} and {folder / 'account' / 'upload'}",
            "One export is held on purpose: its ready file promises more records than it has.",
        ]
        if not serving:
            lines.append(
                f"The server is down again; `responsys demo {folder} --serve` keeps it up."
            )
        console.print("\n".join(lines))
