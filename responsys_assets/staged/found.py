"""What damaged records of a block say: gathered one by one, and then as frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from responsys_assets.normalise import normalise
from responsys_assets.staged.columns import RECORD, Layout
from responsys_assets.staged.guesses import PIECE
from responsys_assets.staged.holds import assumed_frame


@dataclass(frozen=True)
class Found:
    """Holds that are sure, guesses at keys (see guesses.py), and the undecodable records of which
    the key cannot be read."""

    holds: pl.DataFrame
    guesses: pl.DataFrame | None
    unidentified: pl.Series


@dataclass
class Gathered:
    """Texts as they were read: a possible key with its addresses, by record and piece; addresses
    that are closed, by record and number of the channel."""

    guesses: list[tuple[int, int, tuple[str | None, ...], tuple[str, ...]]] = field(
        default_factory=list
    )
    closed: list[tuple[int, int, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.guesses) + len(self.closed)

    def found(self, layout: Layout) -> Found:
        """The same, normalised."""
        holds = [self._closed(layout, n) for n in range(len(layout.channels))]
        nothing = assumed_frame(layout, pl.Series(dtype=pl.Int64), *_nobody(layout, 0))
        return Found(pl.concat([nothing, *holds]), self._guesses(layout), pl.Series(dtype=pl.Int64))

    def _guesses(self, layout: Layout) -> pl.DataFrame:
        rows = self.guesses
        names = [layout.columns[index].name for index in layout.match]
        keys = [
            normalise(texts(row[2][n] for row in rows), name, layout.country).alias(part)
            for n, (name, part) in enumerate(zip(names, layout.key_names, strict=True))
        ]
        addresses = [
            normalise(texts(row[3][n] for row in rows), channel.address, layout.country).alias(
                channel.address
            )
            for n, (channel, _, _) in enumerate(layout.channels)
        ]
        return pl.DataFrame(
            [
                pl.Series(RECORD, [row[0] for row in rows], pl.Int64),
                pl.Series(PIECE, [row[1] for row in rows], pl.Int32),
                *keys,
                *addresses,
            ]
        )

    def _closed(self, layout: Layout, number: int) -> pl.DataFrame:
        """Holds without a key: the addresses of one channel."""
        rows = [row for row in self.closed if row[1] == number and is_text(row[2])]
        keys, closed = _nobody(layout, len(rows))
        closed[number] = normalise(
            texts(row[2] for row in rows), layout.channels[number][0].address, layout.country
        )
        records = pl.Series([row[0] for row in rows], dtype=pl.Int64)
        return assumed_frame(layout, records, keys, closed).unique(maintain_order=True)


def is_text(value: str) -> bool:
    """Whether all of a value could be decoded."""
    return value.isascii() or not any("\ud800" <= mark <= "\udfff" for mark in value)


def texts(values: Iterable[str | None]) -> pl.Series:
    """A series of texts."""
    return pl.Series([*values], dtype=pl.String)


def _nobody(layout: Layout, rows: int) -> tuple[list[pl.Series], list[pl.Series | None]]:
    """No key and no address, for so many rows."""
    nothing = pl.repeat(None, rows, dtype=pl.String, eager=True)
    return [nothing] * len(layout.match), [None] * len(layout.channels)
