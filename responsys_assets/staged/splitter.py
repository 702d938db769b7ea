"""The record splitter: where each record of a text begins and ends, strictly by RFC 4180.

Every byte of the text belongs to a record, a rejected span or a blank line. Inside a record
quotes open and close in turn, so whether a place is inside a field depends on one thing only:
whether an even or an odd number of quotes stands before it, counted from the record's start.
Both readings are worked out for the whole block at once; after a stray quote the walk goes over
to the other reading. That is why one stray quote costs one record, and no second look.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from responsys_assets.staged.bits import Places, rank
from responsys_assets.staged.charset import Bytes
from responsys_assets.staged.records import NEAR, NOT_CUT, UNKNOWN, Dialect, MarkedText, Table

FAULTS: Final = ("ragged", "misquoted", "too_long")
_RAGGED, _MISQUOTED, _TOO_LONG = range(3)

LIMIT = 8 << 20
PADDING = 128  # bytes that a text must have behind its end


@dataclass
class Spans:
    """Rejected pieces of text, ascending, their line ends included; `faults` are of FAULTS.

    `order` counts the block's records.
    """

    starts: Places
    ends: Places
    faults: NDArray[np.int8]
    order: Places

    def __len__(self) -> int:
        return len(self.starts)


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
    spans: Spans
    lines: Places
    blank: int
    used: int

    @property
    def records(self) -> int:
        return len(self.starts) + len(self.spans)


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
    taken: dict[bool, NDArray[np.bool_]] = field(default_factory=dict)  # rows of each reading
    starts: array[int] = field(default_factory=lambda: array("i"))  # rejected spans
    ends: array[int] = field(default_factory=lambda: array("i"))
    faults: array[int] = field(default_factory=lambda: array("b"))

    def cut(self) -> Cut:
        block = self.block
        used = self._go()
        tables = [(block.odd if inside else block.even, m) for inside, m in self.taken.items()]
        starts, ends, doubled = _good(block, tables)
        ragged = [(t, t.ragged[taken[t.ragged]]) for t, taken in tables]
        spans = Spans(
            np.concatenate([np.asarray(self.starts), *(t.starts[rows] for t, rows in ragged)]),
            np.concatenate([np.asarray(self.ends), *(t.ends[rows] + 1 for t, rows in ragged)]),
            np.concatenate([np.asarray(self.faults), np.zeros(_rows(ragged), np.int8)]),
            np.zeros(0, np.int32),
        )
        if _rows(ragged):
            ascending = np.argsort(spans.starts)
            spans.starts, spans.ends = spans.starts[ascending], spans.ends[ascending]
            spans.faults = spans.faults[ascending]
        blank = [(t, np.flatnonzero(t.blank & taken)) for t, taken in tables]
        order = np.arange(len(starts), dtype=np.int32)
        if len(spans):
            spans.order = np.arange(len(spans), dtype=np.int32)
            spans.order += np.searchsorted(starts, spans.starts).astype(np.int32)
            order += np.searchsorted(spans.starts, starts).astype(np.int32)
        cut = Cut(starts, ends, order, doubled, spans, block.lines, _rows(blank), used)
        size = int((ends[:, -1] + 1 - starts).sum(dtype=np.int64))
        size += int((spans.ends - spans.starts).sum(dtype=np.int64))
        size += sum(int((t.ends[rows] + 1 - t.starts[rows]).sum()) for t, rows in blank)
        if size != used - block.begin:
            raise AssertionError("the spans of a block do not tile it")
        return cut

    def _go(self) -> int:
        """Returns how far the text was used."""
        block, table, row = self.block, self.block.even, 0
        while True:
            bad_rows = block.bad_rows(table)
            at = bisect_left(bad_rows, row)
            bad = bad_rows[at] if at < len(bad_rows) else len(table.ends)
            if bad < len(table.ends):
                start = int(table.starts[bad])
                end = self._end_of_bad(table, bad)
            else:
                start, end = table.tail, None
                if start < block.size and (block.final or block.size - start > block.limit):
                    end = self._restart(start)
            waits = end is None and not block.final and block.size - start <= block.limit
            before = self._last_good(table, row, bad) if waits or start < block.size else None
            if before is not None:
                # with nothing behind it in this block, the next one tells whether it is cut
                rest = UNKNOWN if bad == len(table.ends) and waits else block.resumed(table, before)
                if rest >= start or (rest == UNKNOWN and (waits or end is not None)):
                    bad, start, waits = before, int(table.starts[before]), rest == UNKNOWN
                    restart = self._restart(start) if not waits else None
                    end = rest if restart is None else min(rest, restart)
            self._take(table, row, bad)
            if waits or start >= block.size:
                return start  # the next block tells
            if end is None:
                end = self._give_up(start)
                if end is None:
                    return block.size
            ragged = bad < len(table.ends) and end == table.ends[bad] and not table.crooked[bad]
            self._reject(start, end, _RAGGED if ragged else _MISQUOTED)
            table = block.table_after(end)
            row = rank(table.ends, end) + 1

    def _take(self, table: Table, row: int, until: int) -> None:
        """The good records, blank and ragged lines of a stretch without surprises."""
        if row < until:
            if table.inside not in self.taken:
                self.taken[table.inside] = np.zeros(len(table.ends), bool)
            self.taken[table.inside][row:until] = True

    def _last_good(self, table: Table, row: int, until: int) -> int | None:
        """The last good record of a stretch, if a stray quote at its end may have cut it."""
        block = self.block
        if not block.dialect.quoted:
            return None
        last = until - 1
        while last >= max(row, until - NEAR) and not table.good[last]:
            last -= 1
        found = last >= max(row, until - NEAR) and block.ends_in_quote(table, last)
        return last if found else None

    def _end_of_bad(self, table: Table, row: int) -> int | None:
        """The line end with which a bad record ends; None if the text does not say."""
        block = self.block
        start, end = int(table.starts[row]), int(table.ends[row])
        if table.crooked[row]:
            return self._end_of_misquoted(table, start)
        restart = self._restart(start)
        if restart is not None and restart <= end:
            return restart
        if not block.dialect.quoted or not block.ends_in_quote(table, row):
            return end
        rest = block.resumed(table, row)
        if rest != NOT_CUT:
            return None if rest == UNKNOWN else rest
        if restart is None or not block.near_damage(table, np.array([row]))[0]:
            return end
        return restart if block.looks_like_rest(end, restart) else end

    def _end_of_misquoted(self, table: Table, start: int) -> int | None:
        """Where a good record follows, or before lines that cannot be a part of this one."""
        block = self.block
        end = self._restart(start)
        if end is None or not block.dialect.quoted:
            return end
        last = rank(block.quotes, end) - 1
        last_quote = int(block.quotes[last]) if last >= 0 else start
        line_end = int(block.lines[rank(block.lines, last_quote)])
        closed = block.table_after(line_end) is table
        return line_end if start < line_end < end and closed else end

    def _restart(self, start: int) -> int | None:
        at = bisect_left(self.block.restarts, start)
        return self.block.restarts[at] if at < len(self.block.restarts) else None

    def _give_up(self, start: int) -> int | None:
        """Reject what is too long to go on with, up to the last line end; None if there is none."""
        block = self.block
        at = rank(block.lines, start)
        if at < len(block.lines):
            return int(block.lines[-1])
        self._span(start, block.size, _TOO_LONG)
        block.overlong = True
        return None

    def _reject(self, start: int, end: int, fault: int) -> None:
        """One rejected record, or one a line if each line looks like a record of its own."""
        if end - start > self.block.limit:
            fault = _TOO_LONG
        edges = self._lines_as_records(start, end) if fault != _RAGGED else None
        if edges is None:
            self._span(start, end + 1, fault)
            return
        self.starts.extend([start])
        self.starts.frombytes((edges[:-1] + 1).astype(np.int32).tobytes())
        self.ends.frombytes((edges + 1).astype(np.int32).tobytes())
        self.faults.frombytes(bytes([fault]) * len(edges))

    def _span(self, start: int, end: int, fault: int) -> None:
        self.starts.append(start)
        self.ends.append(end)
        self.faults.append(fault)

    def _lines_as_records(self, start: int, end: int) -> Places | None:
        lines = self.block.lines
        inner = lines[rank(lines, start) : rank(lines, end)]
        if not len(inner):
            return None
        edges = np.append(inner, np.int32(end))
        marks = np.flatnonzero(self.block.text[start:end] == self.block.dialect.separator) + start
        counts = np.diff(np.searchsorted(marks, edges), prepend=0)
        return edges if (counts == self.block.columns - 1).all() else None


def _rows(found: list[tuple[Table, NDArray[np.int64]]]) -> int:
    return sum(len(rows) for _, rows in found)


def _good(
    block: MarkedText, tables: list[tuple[Table, NDArray[np.bool_]]]
) -> tuple[Places, Places, Places]:
    """Starts, ends of columns, and doubled quotes of the good records that were taken."""
    starts: list[Places] = [np.zeros(0, np.int32)]
    ends: list[Places] = [np.zeros((0, block.columns), np.int32)]
    doubled: list[Places] = [np.zeros(0, np.int32)]
    for table, taken in tables:
        good = table.good & taken
        if good.all():
            starts.append(table.starts)
            ends.append(table.columns[: len(good) * block.columns].reshape(-1, block.columns))
        else:
            rows = np.flatnonzero(good)
            starts.append(table.starts[rows])
            ends.append(table.columns[table.first[rows][:, None] + np.arange(block.columns)])
        if len(table.doubled):
            at = np.searchsorted(table.ends, table.doubled)
            doubled.append(table.doubled[np.append(good, [False])[at]])
    if len(tables) == 1:
        return starts[1], ends[1], doubled[-1]
    first, every = np.concatenate(starts), np.concatenate(ends)
    ascending = np.argsort(first)
    return first[ascending], every[ascending], np.sort(np.concatenate(doubled))
