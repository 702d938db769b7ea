"""From blocks of text to staged rows and rejects: each record goes one way or the other."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from responsys_assets.normalise import permission_bits
from responsys_assets.staged.arrow import coded, to_arrow
from responsys_assets.staged.bits import Places
from responsys_assets.staged.blocks import Block
from responsys_assets.staged.charset import Bytes
from responsys_assets.staged.damaged import DamagedRecords, read_damaged
from responsys_assets.staged.fields import bare_ends, binary, good_fields
from responsys_assets.staged.judge import Tally
from responsys_assets.staged.quarantine import RAW_LIMIT, Kind, Quarantine, Rejects
from responsys_assets.staged.reading import Reading
from responsys_assets.staged.rows import Rows, holds_of, judge_rows
from responsys_assets.staged.splitter import FAULTS, PADDING, Cut, Splitter
from responsys_assets.threads import ahead

_ASCII = 0x80
_DAMAGES: list[Kind] = [(fault, "") for fault in (*FAULTS, "bad_encoding")]
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
class _Faults:
    """Rejected records of a block, ascending: where, which record, which of `kinds` is wrong."""

    starts: Places
    ends: Places
    order: Places
    kind: NDArray[np.int16]
    kinds: Sequence[Kind]


class Intake:
    """Reads the blocks of one export in order; rejects go to quarantine, rows are returned."""

    def __init__(self, reading: Reading, quarantine: Quarantine, position: Position) -> None:
        self._reading = reading
        self._quarantine = quarantine
        self._position = position
        self._splitter = Splitter(reading.dialect, len(reading.layout.columns))
        self.tally = Tally(blank=position.blank, reasons=quarantine.reasons)

    def batches(self, blocks: Iterable[Block]) -> Iterator[tuple[pa.RecordBatch, int]]:
        """The staged rows of each block, and the size of the text they came from."""
        with contextlib.closing(ahead(self._cuts(blocks), 1)) as cuts:
            for text, cut, size in cuts:
                yield self._batch(text, cut), cut.used
                self._move_on(text, cut, min(cut.used, size))

    def _cuts(self, blocks: Iterable[Block]) -> Generator[tuple[Bytes, Cut, int]]:
        """Texts as they are cut, each with its size: what is left of one begins the next."""
        left = np.zeros(0, np.uint8)
        for block in blocks:
            size = len(left) + len(block.text)
            text = np.zeros(size + PADDING, np.uint8)
            text[: len(left)] = left
            text[len(left) : size] = block.text
            cut = self._splitter.split(text, size, final=block.final)
            left = text[cut.used : size].copy()
            yield text, cut, size

    def _move_on(self, text: Bytes, cut: Cut, used: int) -> None:
        position, tally = self._position, self.tally
        position.byte += int(self._reading.charset.offsets(text, np.array([used], np.int32))[0])
        position.line += int(np.searchsorted(cut.lines, used))
        position.record += cut.records
        tally.records += cut.records
        tally.blank += cut.blank
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
        permissions = pl.repeat(0, count, dtype=pl.UInt8, eager=True)
        for channel, index, _ in reading.layout.channels:
            bits, odd = permission_bits(rows.fields.series(index))
            permissions |= bits * (1 << channel.shift)
            self.tally.odd_permissions[channel.permission] += odd
        self.tally.staged += count
        name = coded(np.zeros(count, np.int32), [reading.file])
        lines = position.line + np.searchsorted(cut.lines, cut.starts[which])
        records = position.record + 1 + cut.order[which].astype(np.int64)
        return pa.RecordBatch.from_arrays(
            [
                *rows.arrays(),
                name,
                to_arrow(lines),
                to_arrow(records),
                to_arrow(rows.updated),
                to_arrow(permissions),
                *map(to_arrow, rows.keys),
            ],
            schema=reading.schema,
        )

    def _reject_rows(self, text: Bytes, cut: Cut, rows: Rows, which: NDArray[np.int64]) -> None:
        ends = cut.ends[which, -1] + 1
        faults = _Faults(cut.starts[which], ends, cut.order[which], rows.faults, rows.reasons)
        rejects, _ = self._rejects(text, cut, faults)
        self._quarantine.add(rejects)
        self._quarantine.hold(holds_of(rows, pl.Series(rejects.record), self._reading))

    def _reject_damaged(self, text: Bytes, cut: Cut, undecodable: NDArray[np.int64]) -> None:
        spans = cut.spans
        bad = np.full(len(undecodable), len(FAULTS), np.int16)
        starts = np.concatenate([spans.starts, cut.starts[undecodable]])
        ascending = np.argsort(starts)
        faults = _Faults(
            starts[ascending],
            np.concatenate([spans.ends, cut.ends[undecodable, -1] + 1])[ascending],
            np.concatenate([spans.order, cut.order[undecodable]])[ascending],
            np.concatenate([spans.faults.astype(np.int16), bad])[ascending],
            _DAMAGES,
        )
        rejects, ends = self._rejects(text, cut, faults)
        self._quarantine.add(rejects)
        records = DamagedRecords(
            text, faults.starts, ends, rejects.record, faults.kind == len(FAULTS)
        )
        for found in read_damaged(records, self._reading.layout, self._reading.dialect):
            self._quarantine.guess(found)

    def _rejects(self, text: Bytes, cut: Cut, faults: _Faults) -> tuple[Rejects, Places]:
        """The rejects of faults in ascending order, and their ends without line ends."""
        position, charset = self._position, self._reading.charset
        starts = faults.starts
        ends = bare_ends(text, starts, faults.ends, self._reading.dialect)
        if charset.is_as_sent(text):
            raw = binary(text, starts, np.minimum(ends, starts + RAW_LIMIT))
        else:
            sent = pl.Series(
                [
                    charset.raw(text[start:end].tobytes())[:RAW_LIMIT]
                    for start, end in zip(starts, ends, strict=True)
                ],
                dtype=pl.Binary,
            )
            raw = to_arrow(sent).cast(pa.binary())
        rejects = Rejects(
            record=position.record + 1 + faults.order.astype(np.int64),
            byte=position.byte + charset.offsets(text, starts),
            line=position.line + np.searchsorted(cut.lines, starts),
            kind=faults.kind,
            raw=raw,
            kinds=faults.kinds,
        )
        return rejects, ends


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
