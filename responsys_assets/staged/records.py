"""Both readings of a text: its records, if one begins outside of quotes or inside of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

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
    places,
    places_of,
    rank,
)
from responsys_assets.staged.charset import Bytes

_CR, _LF, _QUOTE = 13, 10, 34

NOT_CUT: Final = -1
UNKNOWN: Final = -2
NEAR: Final = 64  # lines: as far as the parts of a record that was cut are looked for


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
    inside: bool  # whether the text begins inside of quotes

    @cached_property
    def ragged(self) -> NDArray[np.int64]:
        """Well-quoted records with another number of columns."""
        return np.flatnonzero(~(self.good | self.blank | self.crooked))

    @cached_property
    def goods(self) -> Places:
        """Which records are good."""
        return np.flatnonzero(self.good).astype(np.int32)

    @cached_property
    def last_filled(self) -> int:
        """The last record that is not a blank line."""
        filled = np.flatnonzero(~self.blank)
        return int(filled[-1]) if len(filled) else -1


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
        self._bad: dict[bool, list[int]] = {}  # by reading
        self._followed: dict[bool, NDArray[np.bool_]] = {}
        whole = text[: (size // 64 + 1) * 64]
        self._newlines = places_of(dialect.newline, whole)
        self._marks = places_of(dialect.separator, whole) | self._newlines
        if dialect.quoted:
            self._quotes = places_of(_QUOTE, whole)
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
            edge = edge | (places_of(_CR, whole) & before(self._newlines))
        self._may_close = before(edge)

    @cached_property
    def even(self) -> Table:
        return self._table(self._inside, inside_first=False)

    @cached_property
    def odd(self) -> Table:
        return self._table(~self._inside, inside_first=True)

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
        found = [t.ends[self._next_is_good(t)] for t in tables]
        return [int(place) for place in np.sort(np.concatenate(found))]

    def _next_is_good(self, table: Table) -> NDArray[np.bool_]:
        """Whether the record after each one is good, blank lines left out; or the text ends."""
        if table.inside not in self._followed:
            filled = np.append(np.flatnonzero(~table.blank), len(table.ends))
            at = filled[np.searchsorted(filled, np.arange(1, len(table.ends) + 1))]
            ends = self.final and table.tail >= self.size
            self._followed[table.inside] = np.append(table.good, [ends])[at]
        return self._followed[table.inside]

    @cached_property
    def quotes(self) -> Places:
        """All quotes."""
        return places(self._quotes)

    def bad_rows(self, table: Table) -> list[int]:
        """Records of a reading that need a closer look; all others end where they seem to."""
        if table.inside not in self._bad:
            bad = ~(table.good | table.blank)
            if len(table.ragged):
                bad[table.ragged[self._plainly_ragged(table)]] = False
            self._bad[table.inside] = np.flatnonzero(bad).tolist()
        return self._bad[table.inside]

    def _plainly_ragged(self, table: Table) -> NDArray[np.bool_]:
        """Which ragged records are a line each, and no part of a record that a quote cut."""
        rows = table.ragged
        plain: NDArray[np.bool_]
        plain = self.lines[np.searchsorted(self.lines, table.starts[rows])] == table.ends[rows]
        if self.dialect.quoted:
            near = np.flatnonzero(plain & self.near_damage(table, rows))
            plain[near] = [not self.ends_in_quote(table, int(row)) for row in rows[near]]
        return plain

    def ends_in_quote(self, table: Table, row: int) -> bool:
        """Whether the last character of a record is a quote."""
        last = table.ends[row] - 1
        if self.dialect.newline == _LF and self.text[last] == _CR:
            last -= 1
        return bool(self.text[last] == _QUOTE)

    def near_damage(self, table: Table, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a misquoted record, or what may become one, follows before a good one."""
        count = len(table.ends)
        whole = self.final and table.tail >= self.size
        crooked = np.append(np.flatnonzero(table.crooked), 2 * count + NEAR if whole else count)
        damage = crooked[np.searchsorted(crooked, rows)]
        goods = np.append(table.goods, 2 * count + NEAR)
        near = damage < goods[np.searchsorted(goods, rows)]
        found: NDArray[np.bool_] = np.logical_and(near, damage <= rows + NEAR)
        return found

    def resumed(self, table: Table, row: int) -> int:
        """Where the rest of a record ends that a stray quote at its line end cut in two.

        What follows must make sense as the rest of a quoted field and the columns after it, and
        hold no good record. NOT_CUT if it does not, UNKNOWN if only the next block tells.
        """
        other = self.even if table.inside else self.odd
        start, end = int(table.starts[row]), int(table.ends[row])
        at = rank(other.ends, end)
        rest = int(other.ends[at]) if at < len(other.ends) else self.size
        good = rank(table.goods, row + 1)
        if good < len(table.goods) and table.starts[table.goods[good]] < rest:
            return NOT_CUT
        missing = self.columns - 1 - (rank(table.columns, end) - int(table.first[row]))
        if at >= (other.last_filled if missing == 0 else len(other.ends)):
            if not self.final:
                return UNKNOWN if self.size - start <= self.limit else NOT_CUT
            if at == len(other.ends):
                return NOT_CUT
        if _between(other.columns, end, rest) != missing + 1 or _between(other.wrong, end, rest):
            return NOT_CUT
        # a whole record may end so by itself
        lonely = self.looks_like_rest(end, rest) and self._next_is_good(other)[at]
        return rest if missing or lonely else NOT_CUT

    def looks_like_rest(self, end: int, rest: int) -> bool:
        """Whether what is between two line ends has too few separators for a record."""
        return _between(self._separators, end, rest) < self.columns - 1

    @cached_property
    def _separators(self) -> Places:
        return places(self._marks & ~self._newlines)

    def _table(self, inside: Bits, *, inside_first: bool) -> Table:
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
        return Table(
            ends,
            starts,
            columns,
            first,
            good,
            blank,
            crooked,
            wrong,
            doubled,
            tail,
            inside=inside_first,
        )


def _between(places: Places, after: int, upto: int) -> int:
    """How many of ascending places come after the one and not after the other."""
    return rank(places, upto + 1) - rank(places, after + 1)
