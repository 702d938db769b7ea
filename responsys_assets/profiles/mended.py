"""Which rejected records a later version of their export has mended.

Of a full export that is sent again only the last version is in force, rejects included. Of an
increment every version counts, so what its rejects say has to end record by record: a record is
mended if a later content of the same stamp has more staged records than this one of a key that
it may have had, or of an address that it had. A key alone that both have staged is no sign.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl
import pyarrow.parquet as pq

from responsys_assets.errors import LakeError
from responsys_assets.normalise import normalise
from responsys_assets.profiles.live import ListExports, Source
from responsys_assets.staged.columns import RECORD
from responsys_assets.system_columns import CHANNELS

_COUNT = "_count"


def mended_records(source: ListExports) -> list[tuple[int, int]]:
    """Export (its place in the list) and record of every reject that was mended later.

    Raises:
        LakeError: if a staged file cannot be read.
    """
    try:
        return [
            (one.seq, record)
            for one in source.in_force
            if (later := _sent_again(source, one)) and one.holds is not None
            for record in _mended(one, later, source.country)
        ]
    except (OSError, pl.exceptions.PolarsError):
        raise LakeError(
            "staged_unreadable",
            f"a staged file of list {source.name} cannot be read; run `responsys verify`",
        ) from None


def _sent_again(source: ListExports, one: Source) -> list[Source]:
    """Later contents of an export's stamp."""
    return [
        other
        for other in source.in_force
        if other.seq > one.seq
        and other.export.kind == one.export.kind
        and other.stamp_us == one.stamp_us
    ]


def _mended(one: Source, later: Sequence[Source], country: str | None) -> list[int]:
    assert one.holds is not None  # noqa: S101 - for the type checker
    holds = pl.read_parquet(one.holds, glob=False)
    found = pl.Series(RECORD, [], dtype=pl.Int64)
    for names, values in _identities(holds, country):
        said = holds.select(RECORD, *names).drop_nulls()
        said = said.filter(pl.all_horizontal(pl.col(name) != "" for name in names))
        before = _counts(one, said, names, values)
        for other in later:
            after = _counts(other, said, names, values)
            grown = after.join(before, names, how="left", suffix="_before").filter(
                pl.col(_COUNT) > pl.col(f"{_COUNT}_before").fill_null(0)
            )
            found = found.append(said.join(grown, names, how="semi")[RECORD])
    return found.unique().sort().to_list()


def _identities(
    holds: pl.DataFrame, country: str | None
) -> Iterator[tuple[list[str], list[pl.Expr]]]:
    """Columns of holds by which a record is known again, and how staged rows tell them."""
    keys = [name for name in holds.columns if name.startswith("_key_")]
    yield keys, [pl.col(name) for name in keys]
    for channel in CHANNELS.values():
        if channel.address in holds.columns:
            yield (
                [channel.address],
                [normalise(pl.col(channel.address).cast(pl.String), channel.address, country)],
            )


def _counts(
    source: Source, said: pl.DataFrame, names: Sequence[str], values: Sequence[pl.Expr]
) -> pl.DataFrame:
    """How many staged records of an export have each of the things said."""
    if source.rows is None or not set(names) <= set(pq.read_schema(source.rows).names):
        return said.select(names).clear().with_columns(pl.lit(0, pl.UInt32).alias(_COUNT))
    return (
        pl.scan_parquet(source.rows, glob=False)
        .select(values)
        .join(said.lazy().select(names).unique(), list(names), how="semi")
        .group_by(names)
        .agg(pl.len().alias(_COUNT))
        .collect(engine="streaming")
    )
