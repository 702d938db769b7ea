"""The exports of a list as the lake knows them: receipts read, states derived."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import disk_errors
from responsys_assets.lake.receipts import PRUNED, Arrival, Kind, Outcome, Verdict


@dataclass(frozen=True)
class Export:
    """One export: a stamp and a content, however often the server showed it."""

    lake: Lake
    list_name: str
    arrivals: tuple[Arrival, ...]  # by mtime, the latest last; never empty
    verdicts: tuple[Verdict, ...]  # in the order they were given
    outcome: Outcome | None

    @property
    def arrival(self) -> Arrival:
        """The latest arrival."""
        return self.arrivals[-1]

    @property
    def file(self) -> str:
        return self.arrival.data.name

    @property
    def stamp(self) -> dt.datetime:
        return self.arrival.stamp

    @property
    def day(self) -> dt.date:
        return self.arrival.day

    @property
    def kind(self) -> Kind:
        return self.arrival.kind

    @property
    def mtime(self) -> float:
        return self.arrival.data.mtime

    @property
    def sha256(self) -> str:
        return self.arrival.sha256

    @property
    def export_id(self) -> str:
        return self.arrival.export_id

    @property
    def order(self) -> tuple[dt.datetime, float, str]:
        """Place among the exports of its list: stamp, mtime, sha256."""
        return (self.stamp.astimezone(dt.UTC), self.mtime, self.sha256)

    @property
    def folder(self) -> Path:
        return self.lake.exported(self.list_name) / self.day.isoformat() / self.sha256[:12]

    @property
    def ciphertext(self) -> Path:
        """The export as it was sent; absent once pruned."""
        return self.folder / self.arrivals[0].data.name

    @property
    def _staged(self) -> Path:
        return self.lake.staged(self.list_name) / self.day.isoformat()

    @property
    def _edition(self) -> str:
        """Staged anew, it gets new names: the files that its receipt names never change."""
        edition = self.outcome.edition if self.outcome else 0
        return f"{self.export_id}.{edition}" if edition else self.export_id

    @property
    def receipt(self) -> Path:
        return self._staged / f"{self.export_id}.json"

    @property
    def parquet(self) -> Path:
        return self._staged / f"{self._edition}.parquet"

    @property
    def holds(self) -> Path:
        return self._staged / f"{self._edition}.holds.parquet"

    @property
    def rejects(self) -> Path:
        folder = self.lake.rejects(self.list_name) / self.day.isoformat()
        return folder / f"{self._edition}.parquet"

    @property
    def named(self) -> set[Path]:
        """The files of its staging: the receipt, and what that gives a digest for."""
        if self.outcome is None:
            return set()
        claims = {
            self.parquet: self.outcome.parquet_sha256,
            self.holds: self.outcome.holds_sha256,
            self.rejects: self.outcome.rejects_sha256,
        }
        return {self.receipt, *(path for path, sha256 in claims.items() if sha256)}

    @cached_property
    def evidence(self) -> str:
        """What staging is judged on besides content and settings: ready files and verdicts."""
        said = [f"{v.action}:{v.when.isoformat()}" for v in self.verdicts if v.action != "withdraw"]
        shown = {
            f"{a.ready_text}:{a.ambiguous_ready}{':unsettled' * a.unsettled}" for a in self.arrivals
        }
        return "|".join((*sorted(shown), *said))

    @property
    def last_verdict(self) -> Verdict | None:
        return self.verdicts[-1] if self.verdicts else None

    @property
    def withdrawn(self) -> bool:
        return self.last_verdict is not None and self.last_verdict.action == "withdraw"

    @property
    def accepted_by_person(self) -> bool:
        return self.last_verdict is not None and self.last_verdict.action == "accept"

    @property
    def state(self) -> str:
        """staged, held, failed, withdrawn, or fetched (not staged yet)."""
        if self.withdrawn:
            return "withdrawn"
        return self.outcome.state if self.outcome else "fetched"

    @property
    def accepted(self) -> bool:
        return self.state == "staged"

    def needs_staging(self, settings: str) -> bool:
        """Whether what is known of it was not yet judged under these settings.

        What was accepted stays as it is once its file was pruned and cannot be read again.
        """
        if self.withdrawn:
            return False
        if self.outcome is None:
            return True
        known = self.outcome.settings == settings and self.outcome.evidence == self.evidence
        return not known and (self.ciphertext.exists() or self.outcome.state != "staged")


def drop_superseded(exports: Iterable[Export]) -> None:
    """Remove what receipts of these exports no longer name, or do not name yet after a crash.

    Raises:
        LakeError: if a file cannot be removed.
    """
    known = list(exports)
    ids = {export.export_id for export in known}
    named = {path for export in known for path in export.named}
    folders = {path.parent for export in known for path in (export.parquet, export.rejects)}
    for folder in sorted(folders):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            file = path.with_name(path.name.removesuffix(PRUNED))
            if file not in named and file.name.split(".")[0] in ids:
                with disk_errors(f"cannot remove {path.name}"):
                    path.unlink()


def read_exports(lake: Lake, list_name: str) -> list[Export]:
    """All exports of a list, in their order; raises LakeError for a damaged receipt."""
    found = []
    for folder in sorted(lake.exported(list_name).glob("*/*")):
        verdicts = [Verdict.read(path) for path in sorted(folder.glob("*.verdict.json"))]
        by_id: dict[str, list[Arrival]] = {}
        for path in folder.glob("*.arrival.json"):
            arrival = Arrival.read(path)
            by_id.setdefault(arrival.export_id, []).append(arrival)
        for export_id, arrivals in by_id.items():
            arrivals.sort(key=lambda a: (a.data.mtime, a.fetched_at))
            said = tuple(v for v in verdicts if v.export_id == export_id)
            export = Export(lake, list_name, tuple(arrivals), said, None)
            outcome = Outcome.read(export.receipt) if export.receipt.exists() else None
            found.append(replace(export, outcome=outcome))
    return sorted(found, key=lambda e: e.order)
