"""From blocks of text to staged rows and rejects: each record goes one way or the other."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from responsys_assets.normalise import is_odd_permission
from responsys_assets.staged.blocks import Block
from responsys_assets.staged.charset import Bytes
from responsys_assets.staged.fields import good_fields, without_line_end
from responsys_assets.staged.holds import DamagedHolds
from responsys_assets.staged.judge import Tally
from responsys_assets.staged.quarantine import RAW_LIMIT, Quarantine, Reject
from responsys_assets.staged.reading import Reading
from responsys_assets.staged.rows import Rows, holds_of, judge_rows, to_arrow
from responsys_assets.staged.splitter import PADDING, Cut, Splitter

_ASCII = 0x80
_PIECE = 1 << 14  # bytes to decode at a time


@dataclass
class Position:
    """Where in the file the next text begins: offset, physical line, records before it.

    `blank` lines were met before the header.
    """

    byte: int = 0
    line: int = 1
    record: int = 0
    blank: int = 0


@dataclass(frozen=True)
class _Fault:
    """A rejected record of a block: its first and last byte, which record it is, what is wrong."""

    start: int
    end: int
    order: int
    reason: str
    column: str = ""


class Intake:
    """Reads the blocks of one export in order; rejects go to quarantine, rows are returned."""

    def __init__(self, reading: Reading, quarantine: Quarantine, position: Position) -> None:
        self._reading = reading
        self._quarantine = quarantine
        self._position = position
        self._splitter = Splitter(reading.dialect, len(reading.layout.columns))
        self.tally = Tally(blank=position.blank, reasons=quarantine.reasons)
        self._odd = {c.permission: 0 for c, _, _ in reading.layout.channels}

    @property
    def remark(self) -> str | None:
        """What a person should know about the permissions that were sent."""
        odd = [f"{name} ({count})" for name, count in self._odd.items() if count]
        return f"values that are not I, O or empty count as O: {', '.join(odd)}" if odd else None

    def batches(self, blocks: Iterable[Block]) -> Iterator[tuple[pa.RecordBatch, int]]:
        """The staged rows of each block, and the size of the text they came from."""
        left = np.zeros(0, np.uint8)
        for block in blocks:
            size = len(left) + len(block.text)
            text = np.zeros(size + PADDING, np.uint8)
            text[: len(left)] = left
            text[len(left) : size] = block.text
            cut = self._splitter.split(text, size, final=block.final)
            yield self._batch(text, cut), cut.used
            self._move_on(text, cut, min(cut.used, size))
            left = text[cut.used : size]

    def _move_on(self, text: Bytes, cut: Cut, used: int) -> None:
        position, tally = self._position, self.tally
        position.byte += self._reading.charset.offsets(text, [used])[0]
        position.line += int(np.searchsorted(cut.lines, used))
        position.record += cut.records
        tally.records += cut.records
        tally.blank += cut.blank
        tally.unidentified = self._quarantine.unidentified
        self._quarantine.end_block()
        if tally.records != tally.staged + tally.rejected:
            raise AssertionError("records are not all staged or rejected")

    def _batch(self, text: Bytes, cut: Cut) -> pa.RecordBatch:
        fields = good_fields(text, cut, self._reading.dialect)
        which = np.arange(fields.rows)
        undecodable = _undecodable(text, cut)
        if len(undecodable):
            which = np.delete(which, undecodable)
            clean = np.ones(fields.rows, bool)
            clean[undecodable] = False
            fields = fields.only(clean)
        if len(cut.spans) or len(undecodable):
            self._reject_damaged(text, cut, undecodable)
        rows = judge_rows(fields, self._reading)
        faulty = rows.faults != 0
        if faulty.any():
            self._reject_rows(text, cut, rows.only(faulty), which[faulty])
            rows, which = rows.only(~faulty), which[~faulty]
        return self._staged(cut, rows, which)

    def _staged(self, cut: Cut, rows: Rows, which: NDArray[np.int64]) -> pa.RecordBatch:
        reading, position, count = self._reading, self._position, len(which)
        for channel, index, _ in reading.layout.channels:
            odd = int(is_odd_permission(rows.fields.series(index)).sum())
            self._odd[channel.permission] += odd
        self.tally.staged += count
        name = pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), [reading.file])
        lines = position.line + np.searchsorted(cut.lines, cut.starts[which])
        records = position.record + 1 + cut.order[which].astype(np.int64)
        return pa.RecordBatch.from_arrays(
            [
                *rows.arrays(),
                name,
                pa.array(lines),
                pa.array(records),
                to_arrow(rows.updated),
                *map(to_arrow, rows.keys),
            ],
            schema=reading.schema,
        )

    def _reject_rows(self, text: Bytes, cut: Cut, rows: Rows, which: NDArray[np.int64]) -> None:
        faults = [
            _Fault(int(cut.starts[row]), int(cut.ends[row, -1]), int(cut.order[row]), *reason)
            for row, reason in zip(which, (rows.reasons[code] for code in rows.faults), strict=True)
        ]
        rejects, _ = self._rejects(text, cut, faults)
        records = pl.Series([reject.record for reject in rejects], dtype=pl.Int64)
        self._quarantine.add(rejects, holds_of(rows, records, self._reading))

    def _reject_damaged(self, text: Bytes, cut: Cut, undecodable: NDArray[np.int64]) -> None:
        faults = [_Fault(span.start, span.end - 1, span.order, span.fault) for span in cut.spans]
        faults += [
            _Fault(int(cut.starts[n]), int(cut.ends[n, -1]), int(cut.order[n]), "bad_encoding")
            for n in undecodable
        ]
        faults.sort(key=lambda fault: fault.start)
        rejects, texts = self._rejects(text, cut, faults)
        holds = DamagedHolds(self._reading.layout, self._reading.dialect)
        for reject, record in zip(rejects, texts, strict=True):
            if reject.reason == "bad_encoding":
                holds.add_undecodable(reject.record, record)
            else:
                holds.add(reject.record, record)
        self._quarantine.add(rejects, holds.frame())

    def _rejects(
        self, text: Bytes, cut: Cut, faults: list[_Fault]
    ) -> tuple[list[Reject], list[bytes]]:
        """The rejects of faults in ascending order, and their texts without line ends."""
        position, reading = self._position, self._reading
        starts = [fault.start for fault in faults]
        lines = position.line + np.searchsorted(cut.lines, starts)
        texts = [
            without_line_end(text[fault.start : fault.end + 1].tobytes(), reading.dialect)
            for fault in faults
        ]
        rejects = [
            Reject(
                record=position.record + 1 + fault.order,
                byte=position.byte + offset,
                line=int(line),
                reason=fault.reason,
                column=fault.column,
                raw=reading.charset.raw(record)[:RAW_LIMIT],
            )
            for fault, offset, line, record in zip(
                faults, reading.charset.offsets(text, starts), lines, texts, strict=True
            )
        ]
        return rejects, texts


def _undecodable(text: Bytes, cut: Cut) -> NDArray[np.int64]:
    """Which good records of a cut are not UTF-8."""
    whole = text[: cut.used]
    if whole.max(initial=0) < _ASCII:
        return np.zeros(0, np.int64)
    edges = np.array([0, cut.used], np.int64)
    as_one = [None, pa.py_buffer(edges), pa.py_buffer(text)]
    try:
        pa.Array.from_buffers(pa.large_string(), 1, as_one).validate(full=True)
    except pa.ArrowInvalid:
        return _rows_with(_invalid_places(whole.tobytes()), cut)
    return np.zeros(0, np.int64)


def _invalid_places(text: bytes) -> list[int]:
    """Where UTF-8 decoding fails."""
    found: list[int] = []
    at = 0
    while at < len(text):
        piece = memoryview(text)[at : at + _PIECE]
        try:
            at += codecs.utf_8_decode(piece, "strict", at + _PIECE >= len(text))[1]
        except UnicodeDecodeError as error:
            found.append(at + error.start)
            at += error.end
    return found


def _rows_with(places: list[int], cut: Cut) -> NDArray[np.int64]:
    rows = np.searchsorted(cut.ends[:, -1], places)
    rows = rows[rows < len(cut.starts)]
    inside = cut.starts[rows] <= np.array(places)[: len(rows)]
    return np.unique(rows[inside])
