"""What damaged records may still say: holds of ragged, misquoted, too long, undecodable ones.

In a record with the wrong number of columns the values may have shifted, so its key is looked
for several times: counted from the left, counted from the right, and with a shift between its
parts. Records that are lines without quotes are looked at all at once, the others one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from responsys_assets.normalise import WHITESPACE, normalise, normalise_permission
from responsys_assets.staged.bits import Places
from responsys_assets.staged.charset import Bytes
from responsys_assets.staged.columns import RECORD, Layout
from responsys_assets.staged.fields import Pieces, binary, read_record
from responsys_assets.staged.holds import holds_frame
from responsys_assets.staged.records import Dialect

_MOST = 1 << 16  # candidates in memory
_QUOTE, _ASCII = 34, 0x80


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
class _Candidate:
    """Texts of a possible key (None: it cannot be read), of permissions and of addresses."""

    record: int
    key: tuple[str | None, ...]
    permissions: tuple[str, ...]
    addresses: tuple[str, ...]


def damaged_holds(
    damaged: DamagedRecords, layout: Layout, dialect: Dialect
) -> Iterator[pl.DataFrame]:
    """Their holds in portions: one row for each possible key of a record, or one without a key."""
    whole, starts, ends = damaged.text, damaged.starts, damaged.ends
    odd = (whole >= _ASCII) | (whole == dialect.newline)
    if dialect.quoted:
        odd |= whole == _QUOTE
    places = np.flatnonzero(odd).astype(np.int32)
    plain = np.searchsorted(places, starts) == np.searchsorted(places, ends)
    plain &= ~damaged.undecodable
    lines = _Lines(damaged, layout, dialect)
    easy = np.flatnonzero(plain)
    for at in range(0, len(easy), _MOST):
        yield lines.holds(easy[at : at + _MOST])
    reader = _Reader(layout, dialect)
    found: list[_Candidate] = []
    for row in np.flatnonzero(~plain):
        record, text = int(damaged.records[row]), whole[starts[row] : ends[row]].tobytes()
        look = reader.undecodable if damaged.undecodable[row] else reader.damaged
        for candidate in look(record, text):
            found.append(candidate)
            if len(found) == _MOST:
                yield reader.frame(found)
                found = []
    if found:
        yield reader.frame(found)


def _holds(
    layout: Layout,
    records: pl.Series,
    keys: Sequence[pl.Series],
    permissions: Sequence[pl.Series],
    addresses: Sequence[pl.Series],
) -> pl.DataFrame:
    """Candidates, as they were read, as holds."""
    frame = holds_frame(
        layout,
        records,
        [
            normalise(key, layout.columns[index].name, layout.country)
            for key, index in zip(keys, layout.match, strict=True)
        ],
        pl.repeat(None, len(records), dtype=pl.Int64, eager=True),
        permissions=[normalise_permission(said) for said in permissions],
        addresses=[
            normalise(address, channel.address, layout.country)
            for address, (channel, _, _) in zip(addresses, layout.channels, strict=True)
        ],
    )
    return frame.unique([RECORD, *layout.key_names], keep="first", maintain_order=True)


def _shifts(layout: Layout) -> list[int]:
    """From which column on to count from the right: where a separator too many or few may be."""
    inner = sorted((index + 1 for index in layout.match[:-1]), reverse=True)
    return [len(layout.columns), *inner, 0]


@dataclass(frozen=True)
class _Lines:
    """Records that are lines of ASCII without quotes, all at once."""

    damaged: DamagedRecords
    layout: Layout
    dialect: Dialect

    @cached_property
    def _separators(self) -> Places:
        return np.flatnonzero(self.damaged.text == self.dialect.separator).astype(np.int32)

    def holds(self, rows: NDArray[np.int64]) -> pl.DataFrame:
        """The holds of some of the records."""
        layout = self.layout
        none, width = np.full(len(rows), -1), len(layout.columns)
        found = []
        for number, shift in enumerate(_shifts(layout)):
            places = [self._place(rows, index, shift) for index in layout.match]
            keys = [self._texts(rows, place) for place in places]
            known = pl.select(
                pl.all_horizontal(
                    (k.str.strip_chars(WHITESPACE) != "").fill_null(False) for k in keys
                )
            ).to_series()
            addresses = []
            for _, _, index in layout.channels:
                place = none if index is None else self._place(rows, index, shift)
                address = self._texts(rows, place)
                if index is not None:
                    other = self._place(rows, index, 0 if index < shift else width)
                    empty = (address.is_null() | (address == "")).to_numpy()
                    address = self._texts(rows, np.where(empty, other, place))
                addresses.append(address.fill_null(""))
            found.append(self._frame(rows, number, keys, addresses).filter(known))
        candidates = pl.concat(found)
        lost = np.flatnonzero(~np.isin(rows, candidates["row"].to_numpy()))
        nothing = pl.repeat(None, len(lost), dtype=pl.String, eager=True)
        unknown = nothing.fill_null("")
        candidates.vstack(
            self._frame(
                rows[lost], 0, [nothing] * len(layout.match), [unknown] * len(layout.channels)
            ),
            in_place=True,
        )
        candidates = candidates.sort("row", "number")
        nowhere = pl.repeat("", len(candidates), dtype=pl.String, eager=True)
        return _holds(
            layout,
            pl.Series(self.damaged.records[candidates["row"].to_numpy()]),
            [candidates[f"key{n}"] for n in range(len(layout.match))],
            [nowhere] * len(layout.channels),
            [candidates[f"address{n}"] for n in range(len(layout.channels))],
        )

    @staticmethod
    def _frame(
        rows: NDArray[np.int64], number: int, keys: list[pl.Series], addresses: list[pl.Series]
    ) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "row": rows,
                "number": np.full(len(rows), number),
                **{f"key{n}": key for n, key in enumerate(keys)},
                **{f"address{n}": address for n, address in enumerate(addresses)},
            }
        )

    def _place(self, rows: NDArray[np.int64], index: int, shift: int) -> NDArray[np.int64]:
        """Which field of each record stands for a column: -1 if none does; see `_Reader`."""
        first, last = self._span(rows)
        if index < shift:  # the last field of a record that is too short may be cut
            return np.where(index < last - first, index, -1)
        place = last - first + 1 - len(self.layout.columns) + index
        return np.where(place >= 1, place, -1)

    def _span(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The separators of each record: the first, and the first behind it."""
        damaged, separators = self.damaged, self._separators
        first = np.searchsorted(separators, damaged.starts[rows])
        return first, np.searchsorted(separators, damaged.ends[rows])

    def _texts(self, rows: NDArray[np.int64], place: NDArray[np.int64]) -> pl.Series:
        """One field of each record, null for -1."""
        damaged = self.damaged
        first, last = self._span(rows)
        marks = np.append(self._separators, np.int32(0))
        before, after = np.maximum(first + place - 1, 0), first + np.maximum(place, 0)
        starts = np.where(
            place > 0, marks[np.minimum(before, len(marks) - 1)] + 1, damaged.starts[rows]
        )
        ends = np.where(after < last, marks[np.minimum(after, len(marks) - 1)], damaged.ends[rows])
        starts, ends = starts.astype(np.int32), ends.astype(np.int32)
        ends = np.where(place < 0, starts, ends)
        texts = pl.Series(binary(damaged.text, starts, ends).cast(pa.string()))
        return texts.set(pl.Series(place < 0), None)


class _Reader:
    """Records of any kind, one by one, as UTF-8 without their line ends."""

    def __init__(self, layout: Layout, dialect: Dialect) -> None:
        self._layout = layout
        self._dialect = dialect
        self._shifts = _shifts(layout)

    def damaged(self, record: int, text: bytes) -> Iterator[_Candidate]:
        """A ragged, misquoted or too long record."""
        yield from self._candidates(record, read_record(text, self._dialect))
        # its other lines may be records that the damage swallowed
        newline, separator = bytes([self._dialect.newline]), bytes([self._dialect.separator])
        at = text.find(newline) + 1
        while at:
            after = text.find(newline, at) + 1
            line = text[at : after - 1] if after else text[at:]
            looks_whole = line.count(separator) == len(self._layout.columns) - 1
            for candidate in self._candidates(
                record, read_record(line.removesuffix(b"\r"), self._dialect)
            ):
                if looks_whole or None not in candidate.key:
                    yield candidate
            at = after

    def undecodable(self, record: int, text: bytes) -> Iterator[_Candidate]:
        """A well-formed record with bytes that are not of the charset."""
        fields = read_record(text, self._dialect).fields
        yield _Candidate(
            record,
            tuple(_text(fields[index]) for index in self._layout.match),
            tuple(_text(fields[at]) or "" for _, at, _ in self._layout.channels),
            tuple(
                "" if at is None else _text(fields[at]) or "" for _, _, at in self._layout.channels
            ),
        )

    def frame(self, found: Sequence[_Candidate]) -> pl.DataFrame:
        """Candidates as holds."""
        layout = self._layout

        def series(values: Sequence[str | None]) -> pl.Series:
            return pl.Series(values, dtype=pl.String)

        return _holds(
            layout,
            pl.Series([c.record for c in found], dtype=pl.Int64),
            [series([c.key[part] for c in found]) for part in range(len(layout.match))],
            [series([c.permissions[n] for c in found]) for n in range(len(layout.channels))],
            [series([c.addresses[n] for c in found]) for n in range(len(layout.channels))],
        )

    def _candidates(self, record: int, pieces: Pieces) -> list[_Candidate]:
        """The possible keys of one damaged record; one without a key if there is none."""
        layout = self._layout
        shifts = self._shifts if pieces.whole else self._shifts[:1]
        found: list[_Candidate] = []
        for shift in shifts:
            key = tuple(self._aligned(pieces, index, shift) for index in layout.match)
            if all(part and part.strip() for part in key):
                addresses = tuple(
                    "" if index is None else self._either(pieces, index, shift)
                    for _, _, index in layout.channels
                )
                nothing = ("",) * len(addresses)
                found.append(_Candidate(record, key, nothing, addresses))
        if not found:
            nothing = ("",) * len(layout.channels)
            found.append(_Candidate(record, (None,) * len(layout.match), nothing, nothing))
        return found

    def _aligned(self, pieces: Pieces, index: int, shift: int) -> str | None:
        """A column's value, counted from the left before the shift, else from the right."""
        fields = pieces.fields
        if index < shift:
            # the last field of a record that is too short may be cut
            usable = len(fields) - 1 if pieces.whole else len(fields)
            return _text(fields[index]) if index < usable else None
        place = len(fields) - len(self._layout.columns) + index
        return _text(fields[place]) if place >= 1 else None

    def _either(self, pieces: Pieces, index: int, shift: int) -> str:
        value = self._aligned(pieces, index, shift)
        if not value and pieces.whole:
            value = self._aligned(pieces, index, 0 if index < shift else len(self._layout.columns))
        return value or ""


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
