"""Guesses: possible keys of damaged records, until it is known which keys their list has.

A damaged record may have shifted, so what stands in the place of its key can be anything. It is
the key only if the list has, or had, a person of that key; else nobody knows whose record it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from responsys_assets.errors import LakeError
from responsys_assets.lake.parquet import ParquetFile
from responsys_assets.staged.columns import RECORD, Layout
from responsys_assets.staged.holds import assumed_frame

PIECE = "_piece"


@dataclass(frozen=True)
class Settled:
    """The holds of damaged records, and the records of which no key is known."""

    holds: pl.DataFrame
    unidentified: pl.Series


class Guesses:
    """Collects the possible keys of one export's damaged records in a file.

    A record is a number of pieces, each of which may be a person's; columns are RECORD, PIECE,
    the parts of the key (null: nothing there looks like one) and the addresses of channels.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self._path = path
        self._layout = layout
        self._file: ParquetFile | None = None

    def add(self, guesses: pl.DataFrame) -> None:
        """Guesses of a block, normalised; every piece has at least one row."""
        table = guesses.to_arrow()
        if self._file is None:
            self._file = ParquetFile(self._path, table.schema)
        self._file.write(table)

    def settle(self, staged: Iterable[Path]) -> Settled:
        """Keep those guesses that are keys in one of these staged files, asked in this order.

        Raises:
            LakeError: if one of them cannot be read.
        """
        layout, names = self._layout, self._layout.key_names
        if self._file is None:
            return Settled(_nobody(layout, pl.Series(dtype=pl.Int64)), pl.Series(dtype=pl.Int64))
        self._file.close()
        guesses = pl.scan_parquet(self._path, glob=False, hive_partitioning=False)
        wanted = guesses.select(names).drop_nulls().unique().collect()
        known = _known(wanted, staged)
        kept = (
            guesses.join(known.lazy(), on=names, how="semi").sort(RECORD, PIECE, *names).collect()
        )
        pieces = guesses.select(RECORD, PIECE).unique()
        lost = pieces.join(kept.lazy(), on=[RECORD, PIECE], how="anti").collect()
        kept = kept.unique([RECORD, *names], keep="first", maintain_order=True)
        found = assumed_frame(
            layout,
            kept[RECORD],
            [kept[name] for name in names],
            [kept[channel.address] for channel, _, _ in layout.channels],
        )
        unidentified = lost[RECORD].unique().sort()
        holds = found.vstack(_nobody(layout, unidentified)).sort(RECORD, maintain_order=True)
        return Settled(holds, unidentified)

    def abandon(self) -> None:
        """Close the file as it is."""
        if self._file is not None:
            self._file.abandon()


def _nobody(layout: Layout, records: pl.Series) -> pl.DataFrame:
    """Holds that only say that a record is somebody's."""
    nothing = pl.repeat(None, len(records), dtype=pl.String, eager=True)
    return assumed_frame(
        layout, records, [nothing] * len(layout.match), [None] * len(layout.channels)
    )


def _known(wanted: pl.DataFrame, staged: Iterable[Path]) -> pl.DataFrame:
    """Those keys that staged files have."""
    names, found = wanted.columns, [wanted.clear()]
    for path in staged:
        if wanted.is_empty():
            break
        try:
            if not set(names) <= set(pq.read_schema(path).names):
                continue  # of the time of another match key
            rows = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            here = (
                rows.select(pl.col(name).cast(pl.String) for name in names)
                .filter(pl.col(names[0]).is_in(wanted[names[0]].implode()))
                .join(wanted.lazy(), on=names, how="semi")
                .unique(maintain_order=True)
                .collect()
            )
        except (OSError, pl.exceptions.PolarsError):
            raise LakeError(
                "staged_unreadable",
                "a staged file cannot be read; run `responsys verify`",
                file=str(path),
            ) from None
        found.append(here)
        wanted = wanted.join(here, on=names, how="anti")
    return pl.concat(found)
