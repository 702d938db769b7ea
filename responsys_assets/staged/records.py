"""Both readings of a text: its records, if one begins outside of quotes or inside of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from responsys_assets.staged.bits import (
    Bits,
    Places,
    add,
    after,
    before,
    between,
    has,
    pack,
    places,
)
from responsys_assets.staged.charset import Bytes

_CR, _LF, _QUOTE = 13, 10, 34


@dataclass(frozen=True)
class Dialect:
    """How a file separates columns and records; `newline` is LF (with or without CR) or CR."""

    separator: int
    quoted: bool
    newline: int = _LF


@dataclass
class Table:
    """The records of a text if, at its begin, one is `parity` quotes deep."""

    ends: Places  # of records
    starts: Places
    columns: Places  # ends of columns
    first: NDArray[np.int64]  # of each record in `columns`
    good: NDArray[np.bool_]
    blank: NDArray[np.bool_]
    crooked: NDArray[np.bool_]  # misquoted or too long
    wrong: Places  # quotes that stand where none may be
    doubled: Places
    tail: int  # where a record without an end begins

    @cached_property
    def bad(self) -> list[int]:
        return [int(row) for row in np.flatnonzero(~(self.good | self.blank))]

    def next_is_good(self, end: int, *, final: bool) -> NDArray[np.bool_]:
        """Whether the record after each one is good, blank lines left out; or the text ends."""
        filled = np.append(np.flatnonzero(~self.blank), len(self.ends))
        at = filled[np.searchsorted(filled, np.arange(1, len(self.ends) + 1))]
        good: NDArray[np.bool_] = np.append(self.good, final and self.tail >= end)[at]
        return good


class MarkedText:
    """A text with its quotes, separators and line ends found."""

    def __init__(
        self,
        dialect: Dialect,
        columns: int,
        limit: int,
        text: Bytes,
        *,
        begin: int,
        size: int,
        final: bool,
    ) -> None:
        self.dialect, self.columns, self.limit = dialect, columns, limit
        self.text, self.begin, self.size, self.final = text, begin, size, final
        self.overlong = False
        whole = text[: (size // 64 + 1) * 64]
        self._newlines = pack(whole == dialect.newline)
        self._marks = pack(whole == dialect.separator) | self._newlines
        if dialect.quoted:
            self._quotes = pack(whole == _QUOTE)
            self._inside = between(self._quotes)
            self._set_edges(whole)
        else:
            self._quotes = self._inside = np.zeros_like(self._newlines)

    def _set_edges(self, whole: Bytes) -> None:
        """Where a quoted field may begin, and where it may have ended."""
        edge = self._marks | self._quotes
        self._may_open = after(edge)
        add(self._may_open, self.begin)
        if self.dialect.newline == _LF:
            edge = edge | (pack(whole == _CR) & before(self._newlines))
        self._may_close = before(edge)

    @cached_property
    def even(self) -> Table:
        return self._table(self._inside)

    @cached_property
    def odd(self) -> Table:
        return self._table(~self._inside)

    def table_after(self, newline: int) -> Table:
        """The reading of a record that begins after this line end."""
        return self.odd if has(self._inside, newline) else self.even

    @cached_property
    def lines(self) -> Places:
        """All line ends, those inside quoted fields included."""
        return places(self._newlines) if (self._newlines & self._inside).any() else self.even.ends

    @cached_property
    def restarts(self) -> list[int]:
        """Line ends after which, on a fresh start, a good record follows (or nothing)."""
        tables = (self.even, self.odd) if self.dialect.quoted else (self.even,)
        found = [t.ends[t.next_is_good(self.size, final=self.final)] for t in tables]
        return [int(place) for place in np.sort(np.concatenate(found))]

    def _table(self, inside: Bits) -> Table:
        columns = places(self._marks & ~inside)
        last = np.flatnonzero(self.text[columns] == self.dialect.newline)
        ends = columns[last]
        first = np.zeros(len(last), np.int64)
        first[1:] = last[:-1] + 1
        starts = np.full(len(ends), self.begin, np.int32)
        starts[1:] = ends[:-1] + 1
        lengths = ends - starts
        crooked = lengths > self.limit
        wrong = doubled = np.zeros(0, np.int32)
        if self.dialect.quoted:
            opening, closing = self._quotes & inside, self._quotes & ~inside
            wrong = places((opening & ~self._may_open) | (closing & ~self._may_close))
            rows = np.searchsorted(ends, wrong)
            crooked[rows[rows < len(ends)]] = True
            doubled = places(opening & after(self._quotes))
        blank = lengths == 0
        if self.dialect.newline == _LF:
            blank |= (lengths == 1) & (self.text[starts] == _CR)
        good = (last - first + 1 == self.columns) & ~blank & ~crooked
        tail = int(ends[-1]) + 1 if len(ends) else self.begin
        return Table(ends, starts, columns, first, good, blank, crooked, wrong, doubled, tail)
