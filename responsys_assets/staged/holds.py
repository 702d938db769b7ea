"""Holds: what rejected records still say about keys, opt-outs and addresses.

In a record with the wrong number of columns the values may have shifted, so its key is looked
for twice: counted from the left and counted from the right. A hold too many keeps a profile for
a while; a hold too few could undo an opt-out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from responsys_assets.normalise import normalise, normalise_permission
from responsys_assets.staged.columns import RECORD, UPDATED_US, Layout
from responsys_assets.staged.fields import Pieces, read_record
from responsys_assets.staged.records import Dialect


def holds_frame(
    layout: Layout,
    records: pl.Series,
    keys: Sequence[pl.Series],
    updated: pl.Series,
    *,
    permissions: Sequence[pl.Series],
    addresses: Sequence[pl.Series],
) -> pl.DataFrame:
    """Holds in their final form, from normalised series of equal length.

    A key with an empty part is no key. A reject with a key counts as `O` unless it says `I`.
    """
    frame = pl.DataFrame(
        [
            records.alias(RECORD).cast(pl.Int64),
            *(key.alias(name) for name, key in zip(layout.key_names, keys, strict=True)),
            updated.alias(UPDATED_US).cast(pl.Int64),
            *(
                series
                for (channel, _, _), permission, address in zip(
                    layout.channels, permissions, addresses, strict=True
                )
                for series in (permission.alias(channel.permission), address.alias(channel.address))
            ),
        ]
    )
    known = pl.all_horizontal((pl.col(name) != "").fill_null(False) for name in layout.key_names)
    return frame.with_columns(
        *(pl.when(known).then(pl.col(name)).alias(name) for name in layout.key_names),
        *(
            pl.when(known & (pl.col(name) != "I")).then(pl.lit("O")).otherwise(name).alias(name)
            for name in (channel.permission for channel, _, _ in layout.channels)
        ),
    )


@dataclass(frozen=True)
class _Candidate:
    """Texts of a possible key (None: it cannot be read), of permissions and of addresses."""

    record: int
    key: tuple[str | None, ...]
    permissions: tuple[str, ...]
    addresses: tuple[str, ...]


class DamagedHolds:
    """Gathers what the damaged records of a block may say."""

    def __init__(self, layout: Layout, dialect: Dialect) -> None:
        self._layout = layout
        self._dialect = dialect
        self._found: list[_Candidate] = []

    def add(self, record: int, text: bytes) -> None:
        """A ragged, misquoted or too long record, as UTF-8 without its line end."""
        found = self._candidates(record, read_record(text, self._dialect))
        # its other lines may be records that the damage swallowed
        separator = bytes([self._dialect.separator])
        for line in text.split(bytes([self._dialect.newline]))[1:]:
            pieces = read_record(line.removesuffix(b"\r"), self._dialect)
            looks_whole = line.count(separator) == len(self._layout.columns) - 1
            found += [
                candidate
                for candidate in self._candidates(record, pieces)
                if looks_whole or None not in candidate.key
            ]
        self._found += found

    def add_undecodable(self, record: int, text: bytes) -> None:
        """A well-formed record with bytes that are not of the charset."""
        fields = read_record(text, self._dialect).fields
        self._found.append(
            _Candidate(
                record,
                tuple(_text(fields[index]) for index in self._layout.match),
                tuple(_text(fields[at]) or "" for _, at, _ in self._layout.channels),
                tuple(
                    "" if at is None else _text(fields[at]) or ""
                    for _, _, at in self._layout.channels
                ),
            )
        )

    def frame(self) -> pl.DataFrame:
        """All of it as holds: one row for each possible key, or one without a key."""
        found = self._found
        layout = self._layout

        def series(values: Sequence[str | None]) -> pl.Series:
            return pl.Series(values, dtype=pl.String)

        keys = [
            normalise(series([c.key[part] for c in found]), layout.columns[index].name)
            for part, index in enumerate(layout.match)
        ]
        frame = holds_frame(
            layout,
            pl.Series([c.record for c in found], dtype=pl.Int64),
            keys,
            pl.repeat(None, len(found), dtype=pl.Int64, eager=True),
            permissions=[
                normalise_permission(series([c.permissions[n] for c in found]))
                for n in range(len(layout.channels))
            ],
            addresses=[
                normalise(series([c.addresses[n] for c in found]), channel.address)
                for n, (channel, _, _) in enumerate(layout.channels)
            ],
        )
        return frame.unique([RECORD, *layout.key_names], keep="first", maintain_order=True)

    def _candidates(self, record: int, pieces: Pieces) -> list[_Candidate]:
        """The possible keys of one damaged record; one without a key if there is none."""
        layout = self._layout
        width = len(layout.columns)
        shifts = [width]
        if pieces.whole:  # where a separator too many or too few may stand
            shifts += [*sorted((index + 1 for index in layout.match[:-1]), reverse=True), 0]
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
