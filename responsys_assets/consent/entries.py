"""Entries of the consent ledger, and what persons decided about them.

    consent/<list>/<day>/<id>.<reading>.json            the entry: what was recorded, and from what
    consent/<list>/<day>/<id>.<reading>.parquet         statements: one row a staged record
    consent/<list>/<day>/<id>.<reading>.claims.parquet  what its rejected records claim
    consent/<list>/<n>.forgotten.json                   a former list's statements are taken back
    consent/<list>/<n>.settled.json                     claims of rejected records are settled

An entry is made when a reading of an export is accepted, and is never changed or removed. It
stands by itself: receipts, staged files and snapshots may be lost without it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

from responsys_assets.lake.exports import Export
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.receipts import Kind, Outcome, Receipt

_CLAIMS = ".claims.parquet"
_FORGOTTEN = ".forgotten.json"
_SETTLED = ".settled.json"


class Entry(Receipt):
    """What one accepted reading of an export says of consent.

    `match_on` are the columns of the `_key_<n>` of its files (None: not known), `spelling` the
    rules by which these were normalised. `zone` is the time zone in which wall-clock times were
    read, None if there are none; `resolution` how long the moment lasts that a time tells.
    `opted_in` and `opted_out` count the statements of each channel.
    """

    list: str
    file: str
    export_id: str
    reading: str
    kind: Kind
    stamp: dt.datetime
    mtime: float
    sha256: str
    match_on: tuple[str, ...] | None
    spelling: str | None
    zone: str | None
    resolution: int
    rows: int
    opted_in: dict[str, int]
    opted_out: dict[str, int]
    statements_sha256: str
    claims_sha256: str | None
    recorded_at: dt.datetime

    @property
    def day(self) -> dt.date:
        return self.stamp.date()

    @property
    def name(self) -> str:
        return f"{self.export_id}.{self.reading}"

    @property
    def order(self) -> tuple[dt.datetime, float, str]:
        """Place among the exports of its list."""
        return (self.stamp.astimezone(dt.UTC), self.mtime, self.sha256)

    def statements(self, lake: Lake) -> Path:
        """The Parquet file of its statements."""
        return self._folder(lake) / f"{self.name}.parquet"

    def claims(self, lake: Lake) -> Path | None:
        """The Parquet file of what its rejected records claim, if it has any."""
        return self._folder(lake) / f"{self.name}{_CLAIMS}" if self.claims_sha256 else None

    def receipt(self, lake: Lake) -> Path:
        return self._folder(lake) / f"{self.name}.json"

    def _folder(self, lake: Lake) -> Path:
        return lake.consent(self.list) / self.day.isoformat()


class Forgotten(Receipt):
    """A person took back all that a list said before it left the configuration."""

    who: str
    when: dt.datetime
    why: str


class Settled(Receipt):
    """A person settled what rejected records of an export claim; no `records`: all of them."""

    export_id: str
    records: tuple[int, ...] = ()
    who: str
    when: dt.datetime
    why: str


def reading_of(outcome: Outcome) -> str:
    """Names a reading by what it made, so the same reading is recorded once."""
    made = f"{outcome.parquet_sha256}|{outcome.holds_sha256}"
    return hashlib.sha256(made.encode()).hexdigest()[:12]


def entry_of(lake: Lake, export: Export, outcome: Outcome) -> Path:
    """The receipt of the entry of a reading, recorded or not."""
    folder = lake.consent(export.list_name) / export.day.isoformat()
    return folder / f"{export.export_id}.{reading_of(outcome)}.json"


def read_entries(lake: Lake, list_name: str) -> list[Entry]:
    """The entries of a list, in the order of its exports; raises LakeError for a damaged one."""
    paths = sorted(lake.consent(list_name).glob("*/*.json"))
    return sorted((Entry.read(path) for path in paths), key=lambda e: (e.order, e.recorded_at))


def read_forgotten(lake: Lake, list_name: str) -> list[Forgotten]:
    """When a list's statements were taken back, the first time first."""
    return [Forgotten.read(p) for p in sorted(lake.consent(list_name).glob(f"*{_FORGOTTEN}"))]


def read_settled(lake: Lake, list_name: str) -> list[Settled]:
    """The settlements of a list, in the order they were made."""
    return [Settled.read(p) for p in sorted(lake.consent(list_name).glob(f"*{_SETTLED}"))]


def note(lake: Lake, list_name: str, decision: Forgotten | Settled) -> Path:
    """Write a decision of a person; under the lake's lock."""
    ending = _FORGOTTEN if isinstance(decision, Forgotten) else _SETTLED
    folder = lake.consent(list_name)
    numbers = [int(path.name.removesuffix(ending)) for path in folder.glob(f"*{ending}")]
    number = max(numbers, default=0) + 1
    path = folder / f"{number:04d}{ending}"
    with lake.workspace() as workspace:
        decision.write(workspace, path)
    return path


def ledger_lists(lake: Lake) -> list[str]:
    """The lists that have a ledger, configured or not."""
    root = lake.consent("")
    return sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
