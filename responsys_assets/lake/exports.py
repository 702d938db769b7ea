"""The exports of a list as the lake knows them: receipts read, states derived."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import disk_errors
from responsys_assets.lake.receipts import PRUNED, REFUSED, Arrival, Kind, Outcome, Verdict


@dataclass(frozen=True)
class Export:
    """One export: a stamp and a content, however often the server showed it.

    `outcome` is the reading in force. An accepted one stays in force until a newer reading is
    accepted; `refused` is a newer reading that was not.
    """

    lake: Lake
    list_name: str
    arrivals: tuple[Arrival, ...]  # by mtime, the latest last; never empty
    verdicts: tuple[Verdict, ...]  # in the order they were given
    outcome: Outcome | None
    refused: Outcome | None = None

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

    def _name(self, reading: Outcome | None) -> str:
        """Staged anew, it gets new names: the files that its receipt names never change."""
        edition = reading.edition if reading else 0
        return f"{self.export_id}.{edition}" if edition else self.export_id

    @property
    def next_edition(self) -> int:
        """The number of the next reading."""
        readings = [reading for reading in (self.outcome, self.refused) if reading]
        return max((reading.edition + 1 for reading in readings), default=0)

    @property
    def receipt(self) -> Path:
        return self._staged / f"{self.export_id}.json"

    @property
    def refused_receipt(self) -> Path:
        return self._staged / f"{self.export_id}{REFUSED}"

    @property
    def parquet(self) -> Path:
        return self._staged / f"{self._name(self.outcome)}.parquet"

    @property
    def holds(self) -> Path:
        return self._staged / f"{self._name(self.outcome)}.holds.parquet"

    @property
    def rejects(self) -> Path:
        """The quarantine of the reading in force."""
        return self.rejects_of(self.outcome)

    def rejects_of(self, reading: Outcome | None) -> Path:
        """The quarantine of a reading."""
        folder = self.lake.rejects(self.list_name) / self.day.isoformat()
        return folder / f"{self._name(reading)}.parquet"

    @property
    def latest(self) -> Outcome | None:
        """The newest reading, accepted or not."""
        return self.refused or self.outcome

    @property
    def detail(self) -> str | None:
        """What a person should know of the newest reading."""
        detail = self.latest.detail if self.latest else None
        if self.refused is None:
            return detail
        return (
            f"with today's settings it is {self.refused.state}: {detail}. The reading that was "
            "accepted before stays in force"
        )

    @property
    def why_kept(self) -> str:
        """Why an earlier reading is still in force: for a message."""
        if self.refused is not None:
            return f"that reading is {self.refused.state}: {self.refused.detail}"
        return "its file is not in the lake any more" if not self.ciphertext.exists() else "not yet"

    @property
    def remedy(self) -> str:
        """How a staged file of it that is lost or damaged comes back."""
        retry = f"`responsys exports {self.list_name} retry {self.file} --why TEXT`"
        if self.ciphertext.exists():
            return f"restore it from a backup of the lake, or have the export read anew: {retry}"
        return (
            "restore it from a backup of the lake: the export it was made from is no longer there. "
            f"Without a backup, have {self.file} sent again, then run {retry}"
        )

    @property
    def waits_for_person(self) -> bool:
        """Whether its newest reading is held or failed."""
        return self.state in ("held", "failed") or (self.accepted and self.refused is not None)

    @property
    def named(self) -> set[Path]:
        """The files of its readings: the receipts, and what these give a digest for."""
        claims: dict[Path, str | None] = {}
        if self.outcome is not None:
            claims = {
                self.receipt: self.export_id,
                self.parquet: self.outcome.parquet_sha256,
                self.holds: self.outcome.holds_sha256,
                self.rejects: self.outcome.rejects_sha256,
            }
        if self.refused is not None:
            claims[self.refused_receipt] = self.export_id
            claims[self.rejects_of(self.refused)] = self.refused.rejects_sha256
        return {path for path, sha256 in claims.items() if sha256}

    @cached_property
    def evidence(self) -> str:
        """What staging is judged on besides content and settings: ready files and verdicts."""
        said = [_mark(v) for v in self.verdicts if v.action != "withdraw"]
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
    def last_withdrawal(self) -> Verdict | None:
        """The newest withdrawal, unless a reading has been in force again since."""
        given = [n for n, verdict in enumerate(self.verdicts) if verdict.action == "withdraw"]
        if not given:
            return None
        since = self.verdicts[given[-1] + 1 :]
        read = self.outcome.evidence if self.outcome else ""
        # a person wants it back: what cannot be read again has its accepted reading only
        again = any(v.action == "accept" or _mark(v) in read for v in since)
        again |= bool(since) and not self.ciphertext.exists()
        return None if again else self.verdicts[given[-1]]

    @property
    def state(self) -> str:
        """staged, held, failed, withdrawn, or fetched (not staged yet)."""
        if self.withdrawn:
            return "withdrawn"
        if self.outcome is None or (self.outcome.state == "staged" and self.last_withdrawal):
            return "fetched"
        return self.outcome.state

    @property
    def accepted(self) -> bool:
        return self.state == "staged"

    def needs_staging(self, settings: str) -> bool:
        """Whether what is known of it was not yet judged under these settings.

        What was accepted stays as it is once its file was pruned and cannot be read again.
        """
        if self.withdrawn:
            return False
        if any(self._is_current(reading, settings) for reading in (self.outcome, self.refused)):
            return False
        return self.ciphertext.exists() or not self.accepted

    def is_moot(self, settings: str) -> bool:
        """Whether the refused reading no longer matters: the one in force is of today."""
        return self.refused is not None and self._is_current(self.outcome, settings)

    def _is_current(self, reading: Outcome | None, settings: str) -> bool:
        return (
            reading is not None
            and reading.settings == settings
            and reading.evidence == self.evidence
        )


def _mark(verdict: Verdict) -> str:
    """A verdict as it stands in `evidence`."""
    return f"{verdict.action}:{verdict.when.isoformat()}"


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
            outcome, refused = (
                Outcome.read(path) if path.exists() else None
                for path in (export.receipt, export.refused_receipt)
            )
            if refused and outcome and refused.edition < outcome.edition:
                refused = None  # a crash left it behind
            found.append(replace(export, outcome=outcome, refused=refused))
    return sorted(found, key=lambda e: e.order)
