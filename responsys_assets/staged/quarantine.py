"""Quarantine: rejected records as they were, and what they still say about keys and consent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from responsys_assets.lake.parquet import ParquetFile
from responsys_assets.staged.arrow import coded, to_arrow
from responsys_assets.staged.columns import RECORD
from responsys_assets.staged.found import Found
from responsys_assets.staged.guesses import Guesses

RAW_LIMIT = 1 << 20
_FLUSH_BYTES = 8 << 20
_REJECT_BYTES = 26
Numbers = NDArray[np.int64]

_NAMES = pa.dictionary(pa.int16(), pa.string())
_SCHEMA = pa.schema(
    [
        ("record", pa.int64()),
        ("byte", pa.int64()),
        ("line", pa.int64()),
        ("reason", _NAMES),
        ("column", _NAMES),
        ("detail", _NAMES),
        ("raw", pa.binary()),
    ]
)
_DETAILS = {
    "ragged": "the record has another number of columns than the header",
    "misquoted": "a quote stands where none may be, or is missing",
    "too_long": f"the record is longer than 8 MiB; its first {RAW_LIMIT} bytes are kept",
    "bad_encoding": "the record has bytes that are not of the list's charset",
    "bad_integer": "not a whole number of 64 bits",
    "bad_number": "not a finite number with a decimal point, or more digits than a number keeps; "
    "declare the column text to keep them",
    "bad_boolean": "none of true false t f yes no y n 1 0",
    "bad_date": "neither an ISO date nor one of the list's timestamp_format",
    "bad_timestamp": "not of the list's timestamp_format, or not of the years 1 to 9999 in UTC",
    "bad_updated_at": "not of the list's timestamp_format, or not of the years 1 to 9999 in UTC",
    "updated_at_in_future": "more than 24 hours after the export was made",
    "no_match_key": "a part of the match key is empty",
}


Kind = tuple[str, str]
"""Why a record is rejected, and the column whose value it is, if it is one."""


@dataclass(frozen=True)
class Rejects:
    """Rejected records: ordinals, offsets in the file, physical lines, which of `kinds`, raw bytes.

    Arrays of one length.
    """

    record: Numbers
    byte: Numbers
    line: Numbers
    kind: NDArray[np.int16]
    raw: pa.Array
    kinds: Sequence[Kind]


class Quarantine:
    """Collects the rejects of one export into two files; memory stays bounded.

    A file exists only once there is something in it.
    """

    def __init__(self, rejects: Path, holds: Path, guesses: Guesses) -> None:
        self._paths = {"rejects": rejects, "holds": holds}
        self._guesses = guesses
        self._files: dict[str, ParquetFile] = {}
        self._kinds: dict[Kind, int] = {}
        self._rejects: list[Rejects] = []
        self._holds: list[pl.DataFrame] = []
        self._bytes = 0
        self.reasons: Counter[str] = Counter()
        self.unidentified = 0

    def add(self, rejects: Rejects) -> None:
        """Rejects of a block."""
        codes = np.zeros(len(rejects.kinds), np.int16)
        for kind, count in zip(*np.unique(rejects.kind, return_counts=True), strict=True):
            why = rejects.kinds[kind]
            codes[kind] = self._kinds.setdefault(why, len(self._kinds))
            self.reasons[why[0]] += int(count)
        self._rejects.append(replace(rejects, kind=codes[rejects.kind]))
        self._bytes += rejects.raw.nbytes + len(rejects.raw) * _REJECT_BYTES

    def hold(self, holds: pl.DataFrame) -> None:
        """What rejects of a block still say (see holds.py)."""
        self._holds.append(holds)
        self._bytes += int(holds.estimated_size())

    def guess(self, found: Found) -> None:
        """What damaged records of a block may say."""
        self.hold(found.holds)
        self.unidentified += len(found.unidentified)
        if found.guesses is not None:
            self._guesses.add(found.guesses)

    def settle(self, staged: Iterable[Path]) -> None:
        """Find out which of all guesses are keys that these staged files have."""
        settled = self._guesses.settle(staged)
        self.hold(settled.holds)
        self.unidentified += len(settled.unidentified)

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
        self._guesses.abandon()
        for file in self._files.values():
            file.abandon()

    def _flush(self) -> None:
        if self._rejects:
            self._write("rejects", self._table(self._rejects))
        holds = [frame for frame in self._holds if frame.height]
        if holds:
            self._write("holds", pl.concat(holds).sort(RECORD, maintain_order=True).to_arrow())
        self._rejects, self._holds, self._bytes = [], [], 0

    def _table(self, rejects: Sequence[Rejects]) -> pa.Table:
        record, byte, line, kind = (
            np.concatenate([getattr(some, name) for some in rejects])
            for name in ("record", "byte", "line", "kind")
        )
        order = np.argsort(record)
        raw = pa.concat_arrays([some.raw for some in rejects]).take(to_arrow(order))

        def named(names: Sequence[str]) -> pa.Array:
            distinct = list(dict.fromkeys(names))  # Parquet wants each name once
            codes = np.array([distinct.index(name) for name in names], np.int16)
            return coded(codes[kind[order]], distinct)

        return pa.table(
            {
                "record": to_arrow(record[order]),
                "byte": to_arrow(byte[order]),
                "line": to_arrow(line[order]),
                "reason": named([reason for reason, _ in self._kinds]),
                "column": named([column for _, column in self._kinds]),
                "detail": named([_DETAILS[reason] for reason, _ in self._kinds]),
                "raw": raw,
            },
            schema=_SCHEMA,
        )

    def _write(self, kind: str, table: pa.Table) -> None:
        if kind not in self._files:
            self._files[kind] = ParquetFile(self._paths[kind], table.schema)
        self._files[kind].write(table)
