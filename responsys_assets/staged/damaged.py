"""What damaged records may still say: ragged, misquoted, too long, undecodable ones.

In a damaged record the values may have shifted, so its key is looked for in several ways, each
as good as the next: counted from the left and from the right, with quotes and without, with
another delimiter. Which of them is a key, `guesses.py` finds out. Whose record it is may stay
unknown; the addresses in it are closed all the same, unless it plainly says that they need not.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from responsys_assets.normalise import normalise
from responsys_assets.staged.bits import Places
from responsys_assets.staged.charset import Bytes
from responsys_assets.staged.columns import Layout
from responsys_assets.staged.fields import read_record
from responsys_assets.staged.found import Found, Gathered, is_text, texts
from responsys_assets.staged.holds import holds_frame
from responsys_assets.staged.records import Dialect

_MOST = 1 << 16  # guesses in memory
_DELIMITERS = ",;|\t"
_ANY_DELIMITER = re.compile(r"[,;|\t\r\n]")
_NOT_OF_ADDRESSES = re.compile(r"[\s,;|\"<>()\[\]\\:\0]+")
_LONGEST_ADDRESS = 320  # RFC 5321
_NUMBER = re.compile(r"\+?[0-9 ()./-]{7,24}")
_FEWEST_DIGITS = 7
_WIDE_AT = "\uff20"
_UNSEEN = " \t\r\n\0\xa0\ufeff\u200b\"'"


@dataclass(frozen=True)
class DamagedRecords:
    """Damaged records of a text, ascending, without their line ends.

    `undecodable` ones are well-formed, but have bytes that are not of the charset.
    """

    text: Bytes
    starts: Places
    ends: Places
    records: NDArray[np.int64]
    undecodable: NDArray[np.bool_]


@dataclass(frozen=True)
class _Fields:
    """The values of a record as one way of reading tells them.

    Counted from the left and from the right; the last or first of them may be cut, and is left out.
    """

    left: Sequence[str]
    right: Sequence[str]


def read_damaged(damaged: DamagedRecords, layout: Layout, dialect: Dialect) -> Iterator[Found]:
    """What they still say, in portions."""
    reader = _Reader(layout, dialect)
    yield reader.undecodable(damaged)
    gathered = Gathered()
    for row in np.flatnonzero(~damaged.undecodable):
        text = damaged.text[damaged.starts[row] : damaged.ends[row]].tobytes()
        reader.look(int(damaged.records[row]), text.decode("utf-8", "surrogateescape"), gathered)
        if len(gathered) >= _MOST:
            yield gathered.found(layout)
            gathered = Gathered()
    if len(gathered):
        yield gathered.found(layout)


class _Reader:
    """Looks at damaged records one by one."""

    def __init__(self, layout: Layout, dialect: Dialect) -> None:
        self._layout = layout
        self._dialect = dialect
        self._width = len(layout.columns)
        self._separator, self._newline = chr(dialect.separator), chr(dialect.newline)
        # a separator too many or too few may stand before, behind or between the parts of a key
        inner = sorted({index + 1 for index in layout.match[:-1]}, reverse=True)
        self._shifts = [self._width, *inner, 0]
        self._channels = [channel.name for channel, _, _ in layout.channels]

    def look(self, record: int, text: str, gathered: Gathered) -> None:
        """Gather the possible keys of a record, and the addresses that it closes."""
        for number, piece in enumerate(self._pieces(text)):
            keys: dict[tuple[str | None, ...], tuple[str, ...]] = {}
            for fields in self._readings(piece):
                for shift in self._shifts:
                    key = tuple(self._value(fields, index, shift) for index in self._layout.match)
                    if all(key) and key not in keys:
                        keys[key] = self._addresses(fields, shift)
            if not keys:
                keys[(None,) * len(self._layout.match)] = ("",) * len(self._channels)
            gathered.guesses += [(record, number, key, told) for key, told in keys.items()]
            gathered.closed += [(record, *closed) for closed in self._closed(piece)]

    def _pieces(self, text: str) -> list[str]:
        """What may be the record of one person each: a stray quote can make one of many lines,
        and a lost line end one of two."""
        lines = [line for line in text.split(self._newline) if line.strip()]
        separators = text.count(self._separator)
        if len(lines) > 1 and separators != self._width - 1:
            return lines
        joined = self._width > 1 and separators >= 2 * (self._width - 1)
        return [text, ""] if joined else [text]

    def _readings(self, text: str) -> Iterator[_Fields]:
        """The values of a piece, in every way in which they may have been meant."""
        own = text.count(self._separator)
        marks = [mark for mark in _DELIMITERS if text.count(mark) > own]
        bare = text.replace('"', "") if self._dialect.quoted else text
        for mark in (self._separator, *marks):
            values = bare.split(mark)
            yield _Fields(values[:-1], values[:0:-1])
            if bare is not text:
                values = _quoted(text, mark)
                yield _Fields(values[:-1], values[:0:-1])
                back = [value[::-1] for value in _quoted(text[::-1], mark)]
                yield _Fields(back[:0:-1], back[:-1])

    def _value(self, fields: _Fields, index: int, shift: int) -> str | None:
        """A column's value, counted from the left before the shift, else from the right."""
        values, at = (
            (fields.left, index) if index < shift else (fields.right, self._width - 1 - index)
        )
        value = values[at].strip() if at < len(values) else ""
        return value if value and is_text(value) else None

    def _addresses(self, fields: _Fields, shift: int) -> tuple[str, ...]:
        return tuple(
            ""
            if index is None
            else self._value(fields, index, shift)
            or self._value(fields, index, 0 if index < shift else self._width)
            or ""
            for _, _, index in self._layout.channels
        )

    def _closed(self, piece: str) -> Iterator[tuple[int, str]]:
        """Number of the channel and text of every address that is anywhere in a piece, unless
        each permission in it is an I."""
        if not self._channels:
            return
        values = [value.strip(_UNSEEN) for value in _ANY_DELIMITER.split(piece)]
        said = [value.upper() for value in values if len(value) == 1]
        if "O" not in said and said.count("I") >= len(self._channels):
            return
        for number, channel in enumerate(self._channels):
            if channel == "email":
                for address in _emails(piece):
                    yield number, address
            elif channel == "mobile":
                for value in values:
                    digits = sum(map(str.isdigit, value))
                    if digits >= _FEWEST_DIGITS and _NUMBER.fullmatch(value):
                        yield number, value

    def undecodable(self, damaged: DamagedRecords) -> Found:
        """Well-formed records with bytes that are not of the charset: each value for itself."""
        layout = self._layout
        rows = np.flatnonzero(damaged.undecodable)
        records = pl.Series(damaged.records[rows], dtype=pl.Int64)
        values = [
            read_record(
                damaged.text[damaged.starts[row] : damaged.ends[row]].tobytes(), self._dialect
            ).fields
            for row in rows
        ]
        keys = [
            normalise(
                texts(_text(each[index]) for each in values),
                layout.columns[index].name,
                layout.country,
            )
            for index in layout.match
        ]
        holds = holds_frame(
            layout,
            records,
            keys,
            pl.repeat(None, len(rows), dtype=pl.Int64, eager=True),
            permissions=[texts(_text(each[at]) for each in values) for _, at, _ in layout.channels],
            addresses=[
                texts("" if at is None else each[at].decode(errors="ignore") for each in values)
                for _, _, at in layout.channels
            ],
        )
        unread = pl.select(pl.any_horizontal(key.is_null() for key in keys)).to_series()
        return Found(holds, None, records.filter(unread))


def _emails(text: str) -> Iterator[str]:
    """Everything that looks like an e-mail address, with and without single quotes around it."""
    for word in _NOT_OF_ADDRESSES.split(text.replace(_WIDE_AT, "@")):
        for name, domain in pairwise(word.split("@")):
            address = f"{name}@{domain}"
            if name and domain and len(address) <= _LONGEST_ADDRESS:
                yield from dict.fromkeys((address, address.strip("'")))


def _quoted(text: str, delimiter: str) -> list[str]:
    """The values of a record, quotes understood as far as they make sense."""
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:  # a line end where none may be, or a value without end
        return []


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
