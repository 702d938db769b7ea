"""The demo's history: exports day by day, a sync after each, and a proof of what was delivered."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from responsys_assets.config.project import Project
from responsys_assets.deliveries.status import status
from responsys_assets.demo.account import DemoAccount
from responsys_assets.errors import PgpError
from responsys_assets.lake.lake import Lake
from responsys_assets.pgp.home import GpgHome
from responsys_assets.pgp.process import program
from responsys_assets.progress import Progress
from responsys_assets.sync import SyncResult, sync

_SYNC_AT = dt.time(6)
PARTNER_DELIVERY = "rome_gold_to_partner"


@dataclass(frozen=True)
class Proof:
    """A delivered file, opened by the partner with the partner's own key."""

    file: Path
    rows: int
    promised: int
    columns: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return self.rows == self.promised

    def as_json(self) -> dict[str, Any]:
        return {
            "file": str(self.file),
            "rows": self.rows,
            "promised": self.promised,
            "columns": list(self.columns),
            "decrypts": self.holds,
        }


def run_history(account: DemoAccount, progress: Progress) -> SyncResult:
    """Export and sync every day of the history; the server must be running.

    The past days are synced with the clock of their own morning. After the last one an increment
    of WEB is sent again, mended, and synced, too.
    """
    exporter = account.exporter()
    for day in range(account.wish.days):
        for export in exporter.exports(day):
            with progress.step(f"export {export.name}", export.records, "rows") as advance:
                exporter.write(export)
                advance(export.records)
        project = _project(account, day)
        sync(project, progress=progress)
    last = account.wish.days - 1
    exporter.write(exporter.increment(last, mended=True))
    return sync(account.project(), progress=progress)


def _project(account: DemoAccount, day: int) -> Project:
    """The project as it was on the morning of a past day; now on the last day."""
    project = account.project()
    if day == account.wish.days - 1:
        return project
    date = dt.date.fromisoformat(account.wish.first_day) + dt.timedelta(days=day)
    morning = dt.datetime.combine(date, _SYNC_AT, project.zone)
    return replace(project, now=_clock(morning))


def _clock(start: dt.datetime) -> Callable[[], dt.datetime]:
    return lambda: start


def read_proof(account: DemoAccount) -> Proof | None:
    """Open what the partner got, with nothing but gpg and the partner's private key.

    Raises:
        PgpError: if it cannot be decrypted.
    """
    project = account.project()
    delivered = status(project, Lake(project.lake_path), PARTNER_DELIVERY).delivered
    if delivered is None or not delivered.files:
        return None
    file = account.folder / "project" / "outbox" / "partner" / delivered.files[0]
    promised = int(file.with_name(f"{file.name}.ready").read_text())
    content = gzip.decompress(_decrypted(file, account.partner_key)).decode()
    rows = list(csv.reader(io.StringIO(content, newline="")))
    return Proof(file, len(rows) - 1, promised, tuple(rows[0]))


def _decrypted(file: Path, private_key: Path) -> bytes:
    with GpgHome() as home:
        gpg = [program("gpg"), "--homedir", str(home.path), "--batch", "--quiet", "--no-tty"]
        for arguments in (["--import", str(private_key)], ["--decrypt", str(file)]):
            done = subprocess.run(  # noqa: S603 (fixed arguments)
                [*gpg, *arguments], capture_output=True, check=False
            )
            if done.returncode != 0:
                raise PgpError("not_decrypted", "the partner cannot decrypt it", file=str(file))
    return done.stdout
