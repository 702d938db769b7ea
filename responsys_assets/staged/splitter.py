"""The record splitter: where each record of a text begins and ends, strictly by RFC 4180.

Every byte of the text belongs to a record, a rejected span or a blank line. Inside a record
quotes open and close in turn, so whether a place is inside a field depends on one thing only:
whether an even or an odd number of quotes stands before it, counted from the record's start.
Both readings are worked out for the whole block at once; after a stray quote the walk goes over
to the other reading. That is why one stray quote costs one record, and no second look.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from responsys_assets.staged.bits import Places, rank
from responsys_assets.staged.charset import Bytes
from responsys_assets.staged.records import Dialect, MarkedText, Table

Fault = Literal["ragged", "misquoted", "too_long"]

LIMIT = 8 << 20
PADDING = 128  # bytes that a text must have behind its end


@dataclass(frozen=True)
class Span:
    """A rejected piece of text, its line end included; `order` counts the block's records."""

    start: int
    end: int
    fault: Fault
    order: int


@dataclass
class Cut:
    """What a block of text holds.

    `starts` (rows) and `ends` (rows, columns) locate the good records: the place of a record and
    the separator or line end behind each of its columns. `doubled` are the second quotes of
    doubled ones inside them. `lines` are all line ends of the text. What follows `used` is for
    the next block.
    """

    starts: Places
    ends: Places
    order: Places
    doubled: Places
    spans: list[Span]
    lines: Places
    records: int
    blank: int
    used: int


class Splitter:
    """Cuts the blocks of one file; a block begins where the one before was used up to."""

    def __init__(self, dialect: Dialect, columns: int, limit: int = LIMIT) -> None:
        self._dialect = dialect
        self._columns = columns
        self._limit = limit
        self._overlong = False

    def split(self, text: Bytes, size: int, *, final: bool) -> Cut:
        """Cut `text[:size]`; behind it are `PADDING` bytes of zeros, up to a multiple of 64.

        With `final` the text is used to its end, whose line end may be missing: it is then added
        to the text at `size`.
        """
        newline = self._dialect.newline
        begin = 0
        if self._overlong:  # what is left of a record that was given up
            found = np.flatnonzero(text[:size] == newline)[:1]
            self._overlong = not len(found) and not final
            begin = int(found[0]) + 1 if len(found) else size
            text[:begin] = 0
        if final and size > begin and text[size - 1] != newline:
            text[size] = newline
            size += 1
        block = MarkedText(
            self._dialect, self._columns, self._limit, text, begin=begin, size=size, final=final
        )
        cut = _Walk(block).cut()
        self._overlong |= block.overlong
        return cut


@dataclass
class _Walk:
    """From record to record through a block, changing the reading at faults."""

    block: MarkedText
    starts: list[Places] = field(default_factory=list)
    ends: list[Places] = field(default_factory=list)
    order: list[Places] = field(default_factory=list)
    doubled: list[Places] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    records: int = 0
    blank: int = 0
    blank_bytes: int = 0

    def cut(self) -> Cut:
        block = self.block
        used = self._go()
        empty = np.zeros(0, np.int32)
        cut = Cut(
            starts=_joined(self.starts, empty),
            ends=_joined(self.ends, empty.reshape(0, block.columns)),
            order=_joined(self.order, empty),
            doubled=_joined(self.doubled, empty),
            spans=self.spans,
            lines=block.lines,
            records=self.records,
            blank=self.blank,
            used=used,
        )
        taken = int((cut.ends[:, -1] + 1 - cut.starts).sum(dtype=np.int64)) + self.blank_bytes
        taken += sum(span.end - span.start for span in self.spans)
        if taken != used - block.begin or len(cut.starts) + len(self.spans) != self.records:
            raise AssertionError("the spans of a block do not tile it")
        return cut

    def _go(self) -> int:
        """Returns how far the text was used."""
        block, table, row = self.block, self.block.even, 0
        while True:
            at = bisect_left(table.bad, row)
            bad = table.bad[at] if at < len(table.bad) else len(table.ends)
            self._take(table, row, bad)
            if bad < len(table.ends):
                start = int(table.starts[bad])
                end = self._end_of_bad(table, bad)
            else:
                start = table.tail
                if start >= block.size:
                    return start
                if not block.final and block.size - start <= block.limit:
                    return start
                end = self._restart(start)
            if end is None:
                if block.size - start <= block.limit:
                    return start  # the next block tells
                end = self._give_up(start)
                if end is None:
                    return block.size
            fault: Fault = "misquoted"
            if bad < len(table.ends) and end == table.ends[bad]:
                fault = "misquoted" if table.crooked[bad] else "ragged"
            self._reject(start, end, fault)
            table = block.table_after(end)
            row = rank(table.ends, end) + 1

    def _take(self, table: Table, row: int, until: int) -> None:
        """The good records and blank lines of a stretch without faults."""
        if row == until:
            return
        block = self.block
        blank = int(np.count_nonzero(table.blank[row:until]))
        if blank:
            rows = row + np.flatnonzero(~table.blank[row:until])
            self.blank += blank
            lengths = table.ends[row:until] + 1 - table.starts[row:until]
            self.blank_bytes += int(lengths[table.blank[row:until]].sum(dtype=np.int64))
            picked = table.first[rows][:, None] + np.arange(block.columns)
            ends = table.columns[picked]
            starts = table.starts[rows]
        else:
            begin = int(table.first[row])
            ends = table.columns[begin : begin + (until - row) * block.columns]
            ends = ends.reshape(-1, block.columns)
            starts = table.starts[row:until]
        count = len(starts)
        self.starts.append(starts)
        self.ends.append(ends)
        self.order.append(np.arange(self.records, self.records + count, dtype=np.int32))
        self.records += count
        if len(table.doubled):
            edges = np.searchsorted(table.doubled, (table.starts[row], table.ends[until - 1]))
            self.doubled.append(table.doubled[edges[0] : edges[1]])

    def _end_of_bad(self, table: Table, row: int) -> int | None:
        """The line end with which a bad record ends; None if the text does not say."""
        start, end = int(table.starts[row]), int(table.ends[row])
        if table.crooked[row]:
            return self._restart(start)
        lines = self.block.lines
        if lines[rank(lines, start)] == end:
            return self._end_of_ragged_line(table, row)
        restart = self._restart(start)
        return end if restart is None else min(end, restart)

    def _end_of_ragged_line(self, table: Table, row: int) -> int | None:
        """The end of a line with too few or too many columns.

        A stray quote before a line end inside a field cuts a record in two. Such a record goes on:
        if the next line makes no sense by itself, but does so as the rest of a quoted field.
        """
        block, end = self.block, int(table.ends[row])
        last = row + 1 == len(table.ends)
        width = rank(table.columns, end) - int(table.first[row]) + 1
        missing = block.columns - width
        if missing < 0 or not block.dialect.quoted or not (last or table.crooked[row + 1]):
            return end
        other = block.even if table is block.odd else block.odd
        at = rank(other.ends, end)
        if at == len(other.ends):
            return end if block.final else None
        rest = int(other.ends[at])
        columns = rank(other.columns, rest + 1) - rank(other.columns, end + 1)
        wrong = rank(other.wrong, rest + 1) - rank(other.wrong, end + 1)
        return rest if columns == missing + 1 and not wrong else end

    def _restart(self, start: int) -> int | None:
        at = bisect_left(self.block.restarts, start)
        return self.block.restarts[at] if at < len(self.block.restarts) else None

    def _give_up(self, start: int) -> int | None:
        """Reject what is too long to go on with, up to the last line end; None if there is none."""
        block = self.block
        at = rank(block.lines, start)
        if at < len(block.lines):
            return int(block.lines[-1])
        self.spans.append(Span(start, block.size, "too_long", self.records))
        self.records += 1
        block.overlong = True
        return None

    def _reject(self, start: int, end: int, fault: Fault) -> None:
        """One rejected record, or one a line if each line looks like a record of its own."""
        if end - start > self.block.limit:
            fault = "too_long"
        edges = self._lines_as_records(start, end) if fault != "ragged" else [end]
        for edge in edges:
            self.spans.append(Span(start, edge + 1, fault, self.records))
            self.records += 1
            start = edge + 1

    def _lines_as_records(self, start: int, end: int) -> list[int]:
        lines = self.block.lines
        inner = lines[rank(lines, start) : rank(lines, end)]
        if not len(inner):
            return [end]
        edges = np.append(inner, end)
        marks = np.flatnonzero(self.block.text[start:end] == self.block.dialect.separator) + start
        counts = np.diff(np.searchsorted(marks, edges), prepend=0)
        return edges.tolist() if (counts == self.block.columns - 1).all() else [end]


def _joined(parts: list[Places], empty: Places) -> Places:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else empty
