"""Quarantine: rejected records as they were, and what they still say about keys and consent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa

from responsys_assets.staged.columns import RECORD, Layout
from responsys_assets.staged.parquet import ParquetFile

RAW_LIMIT = 1 << 20
_FLUSH_BYTES = 8 << 20

_SCHEMA = pa.schema(
    [
        ("record", pa.int64()),
        ("byte", pa.int64()),
        ("line", pa.int64()),
        ("reason", pa.string()),
        ("column", pa.string()),
        ("detail", pa.string()),
        ("raw", pa.binary()),
    ]
)
_PLAIN = ("record", "byte", "line", "reason", "column", "raw")
_DETAILS = {
    "ragged": "the record has another number of columns than the header",
    "misquoted": "a quote stands where none may be, or is missing",
    "too_long": f"the record is longer than 8 MiB; its first {RAW_LIMIT} bytes are kept",
    "bad_encoding": "the record has bytes that are not of the list's charset",
    "bad_integer": "not a whole number of 64 bits",
    "bad_number": "not a finite number with a decimal point",
    "bad_boolean": "none of true false t f yes no y n 1 0",
    "bad_date": "neither an ISO date nor one of the list's timestamp_format",
    "bad_timestamp": "not of the list's timestamp_format",
    "bad_updated_at": "not of the list's timestamp_format",
    "updated_at_in_future": "more than 24 hours after the export's stamp",
    "no_match_key": "a part of the match key is empty",
}


@dataclass(frozen=True)
class Reject:
    """A rejected record: ordinal, offset in the file, physical line, reason, raw bytes."""

    record: int
    byte: int
    line: int
    reason: str
    column: str
    raw: bytes


class Quarantine:
    """Collects the rejects of one export into two files; memory stays bounded.

    A file exists only once there is something in it.
    """

    def __init__(self, rejects: Path, holds: Path, layout: Layout) -> None:
        self._paths = {"rejects": rejects, "holds": holds}
        self._layout = layout
        self._files: dict[str, ParquetFile] = {}
        self._rejects: list[Reject] = []
        self._holds: list[pl.DataFrame] = []
        self._bytes = 0
        self.reasons: Counter[str] = Counter()
        self.unidentified = 0

    def add(self, rejects: Iterable[Reject], holds: pl.DataFrame) -> None:
        """Rejects of a block, and their holds (see holds.py)."""
        for reject in rejects:
            self._rejects.append(reject)
            self.reasons[reject.reason] += 1
            self._bytes += len(reject.raw) + 100
        no_key = holds.filter(pl.col(self._layout.key_names[0]).is_null())
        self.unidentified += no_key[RECORD].n_unique()
        self._holds.append(holds)
        self._bytes += holds.height * 100

    def end_block(self) -> None:
        """Write what was gathered if it is much; in the order of the file, block by block."""
        if self._bytes > _FLUSH_BYTES:
            self._flush()

    def close(self) -> tuple[str | None, str | None]:
        """Finish the files of rejects and of holds; returns their sha256, None for no file."""
        self._flush()
        sums = {kind: file.close() for kind, file in self._files.items()}
        return sums.get("rejects"), sums.get("holds")

    def abandon(self) -> None:
        """Close the files as they are."""
        for file in self._files.values():
            file.abandon()

    def _flush(self) -> None:
        if self._rejects:
            self._rejects.sort(key=lambda reject: reject.record)
            columns = {name: [getattr(r, name) for r in self._rejects] for name in _PLAIN}
            columns["detail"] = [_DETAILS[r.reason] for r in self._rejects]
            self._write("rejects", pa.table(columns, schema=_SCHEMA))
        holds = [frame for frame in self._holds if frame.height]
        if holds:
            self._write("holds", pl.concat(holds).sort(RECORD, maintain_order=True).to_arrow())
        self._rejects, self._holds, self._bytes = [], [], 0

    def _write(self, kind: str, table: pa.Table) -> None:
        if kind not in self._files:
            self._files[kind] = ParquetFile(self._paths[kind], table.schema)
        self._files[kind].write(table)
