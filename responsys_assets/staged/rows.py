"""Well-formed records judged by their values: types, time of update, match key."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from responsys_assets.normalise import normalise, normalise_permission
from responsys_assets.staged.arrow import to_arrow
from responsys_assets.staged.columns import Cast, cast
from responsys_assets.staged.fields import Fields
from responsys_assets.staged.holds import holds_frame
from responsys_assets.staged.judge import NO_KEY
from responsys_assets.staged.reading import Reading
from responsys_assets.staged.times import DAY, micros, to_utc

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """Records with their values; `typed` are the columns that are not text, by index.

    `updated` is microseconds of UTC, null where it is empty or not to be believed. `faults` is 0
    where nothing is wrong, else an index into `reasons` (reason, column): the first one found.
    """

    fields: Fields
    typed: dict[int, pl.Series]
    updated: pl.Series
    keys: list[pl.Series]
    faults: NDArray[np.int16]
    reasons: list[tuple[str, str]]

    def only(self, rows: Flags) -> Rows:
        """Some of the rows."""
        chosen = pl.Series(rows)
        return Rows(
            self.fields.only(rows),
            {index: values.filter(chosen) for index, values in self.typed.items()},
            self.updated.filter(chosen),
            [key.filter(chosen) for key in self.keys],
            self.faults[rows],
            self.reasons,
        )

    def arrays(self) -> list[pa.Array]:
        """The data columns in file order."""
        return [
            to_arrow(self.typed[index]) if index in self.typed else self.fields.column(index)
            for index in range(len(self.fields.views))
        ]


def judge_rows(fields: Fields, reading: Reading) -> Rows:
    """Cast what is typed, read the time, normalise the key."""
    layout, form = reading.layout, reading.source.timestamp_format
    faults = np.zeros(fields.rows, np.int16)
    reasons = [("", "")]

    def note(flags: pl.Series, reason: str, index: int) -> None:
        if flags.any():
            reasons.append((reason, layout.columns[index].name))
            faults[flags.to_numpy() & (faults == 0)] = len(reasons) - 1

    casts = {
        index: cast(fields.series(index), column.kind, form, reading.zone)
        for index, column in enumerate(layout.columns)
        if column.kind != "text"
    }
    for index, found in casts.items():
        if index != layout.updated_at:
            note(found.unreadable, f"bad_{layout.columns[index].kind}", index)
    if layout.updated_at is None:
        updated = pl.repeat(micros(reading.stamp), fields.rows, dtype=pl.Int64, eager=True)
    else:
        index = layout.updated_at
        found = _moments(fields, casts, index, reading)
        note(found.unreadable, "bad_updated_at", index)
        future = (found.values > micros(reading.stamp) + DAY).fill_null(value=False)
        note(future, "updated_at_in_future", index)
        updated = found.values.set(future, None)
    keys = [
        normalise(fields.series(index), layout.columns[index].name, layout.country)
        for index in layout.match
    ]
    for index, key in zip(layout.match, keys, strict=True):
        note(key == "", NO_KEY, index)
    typed = {index: found.values for index, found in casts.items()}
    return Rows(fields, typed, updated, keys, faults, reasons)


def _moments(fields: Fields, casts: dict[int, Cast], index: int, reading: Reading) -> Cast:
    """`updated_at` as microseconds of UTC, whatever type its column has."""
    kind = reading.layout.columns[index].kind
    if kind == "date":  # its first moment in account time
        found = casts[index]
        local = found.values.cast(pl.Datetime("us")).to_physical().fill_null(0).to_numpy()
        utc = pl.Series(to_utc(local, reading.zone), dtype=pl.Int64)
        return Cast(utc.set(found.values.is_null(), None), found.unreadable)
    if kind == "timestamp":
        found = casts[index]
    else:
        form = reading.source.timestamp_format
        found = cast(fields.series(index), "timestamp", form, reading.zone)
    return Cast(found.values.to_physical(), found.unreadable)


def holds_of(rows: Rows, records: pl.Series, reading: Reading) -> pl.DataFrame:
    """What rejected well-formed records say; `records` are their ordinals."""
    channels, country = reading.layout.channels, reading.layout.country
    nothing = pl.repeat("", len(records), dtype=pl.String, eager=True)
    return holds_frame(
        reading.layout,
        records,
        rows.keys,
        rows.updated,
        permissions=[normalise_permission(rows.fields.series(index)) for _, index, _ in channels],
        addresses=[
            nothing
            if index is None
            else normalise(rows.fields.series(index), channel.address, country)
            for channel, _, index in channels
        ],
    )
