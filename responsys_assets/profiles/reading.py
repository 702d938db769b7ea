"""Staged rows and holds as frames, a range of keys at a time: all that a merge reads.

Which row groups of a file a range needs, its statistics say; rows in any other order would be
read just as right, only more often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from responsys_assets.normalise import permission_bits
from responsys_assets.profiles.earlier import Carried, Earlier
from responsys_assets.profiles.keys import key_names
from responsys_assets.profiles.live import Source
from responsys_assets.profiles.mended import mended_records
from responsys_assets.profiles.permission import channels_of
from responsys_assets.profiles.plan import MergePlan
from responsys_assets.profiles.ranges import KeyRange
from responsys_assets.staged.columns import KEY_PART, PERMISSIONS, RECORD, UPDATED_US
from responsys_assets.system_columns import CHANNELS


@dataclass(frozen=True)
class Part:
    """What one list says about the keys of a range.

    `rows`: its key, `seq` (its export), `record`, `nth` (which of the export's rows it is here),
    `us` (time of update), `since` (when an opt-out counts), `permissions` (bits of all channels),
    the address of each channel under the channel's name, and `place` in the total order. `order`:
    the rows in that order. `holds`: the same without `nth` and `place`, and whether the record
    was `mended`. `earlier`: what exports that are not recent say of permission. `values`: the
    payload of recent exports by `seq`.
    """

    rows: pl.DataFrame
    order: pl.Series
    holds: pl.DataFrame
    earlier: Earlier
    values: Mapping[int, pl.DataFrame]


class ListReader:
    """Reads one list of a plan, range by range; `carried` is what need not be read again."""

    def __init__(self, plan: MergePlan, n: int, carried: Carried) -> None:
        self._source = plan.lists[n]
        self._recent = {one.seq for one in self._source.recent}
        self._carried = carried
        self._keys = key_names(len(plan.match_columns))
        self._channels = channels_of(self._source)
        self._payload = [
            column.name
            for column in plan.columns
            if column.rule != "permission" and n in column.lists
        ]
        self._holds = self._read_holds()
        self._kept, self._reaching = self._reach_back()

    def read(self, within: KeyRange) -> Part:
        """Everything about the keys of a range."""
        sources = [one for one in (*self._source.recent, *self._reaching) if one.rows is not None]
        frames = pl.collect_all(
            [
                self._scan(one, within).select(
                    *self._narrow(one),
                    *self._addresses(one),
                    *(self._values(one) if one.seq in self._recent else ()),
                )
                for one in sources
            ]
        )
        values, rows = {}, [self._empty_rows()]
        for one, frame in zip(sources, frames, strict=True):
            rows.append(frame.select(rows[0].columns))
            if one.seq in self._recent:
                # with the record, or a frame without columns would have no rows
                values[one.seq] = frame.select(
                    pl.col("record").alias(RECORD),
                    *(pl.col(f"_{name}").alias(name) for name in self._payload_of(one)),
                )
        found = pl.concat(rows, rechunk=True)
        order = found.select(pl.arg_sort_by("us", "seq", "record")).to_series()
        place = np.empty(len(order), np.int32)
        place[order.to_numpy()] = np.arange(len(order), dtype=np.int32)
        holds = self._holds.filter(within.has(self._keys[0]))
        rows_in_place = found.with_columns(pl.Series("place", place))
        return Part(rows_in_place, order, holds, self._earlier(within), values)

    def values(self, one: Source, within: KeyRange) -> pl.DataFrame:
        """The payload of an export that is not recent, its rows as in `Part.rows`."""
        return self._scan(one, within).select(RECORD, *self._payload_of(one)).collect()

    def _scan(self, one: Source, within: KeyRange) -> pl.LazyFrame:
        rows = _scan(one, within)
        if one.seq in self._recent:
            return rows
        return rows.filter(pl.col(f"{KEY_PART}0").is_in(self._kept.implode()))

    def _reach_back(self) -> tuple[pl.Series, list[Source]]:
        """The first parts of keys that only holds of the newest complete export have, maybe, and
        the older exports in which their rows may be."""
        source, holds = self._source, self._holds.drop_nulls(self._keys)
        if not source.may_reach_back:
            return pl.Series(dtype=pl.String), []
        held = [
            holds.filter(pl.col("seq") == one.seq).select(self._keys) for one in source.complete
        ]
        kept, first = held[0], 0
        for one, holding in zip(source.complete[1:], held[1:], strict=True):
            kept = kept.join(holding, on=self._keys, how="semi")
            if kept.is_empty():  # where the last of them ends
                first = one.seq
                break
        return held[0][self._keys[0]].unique(), [one for one in source.older if one.seq >= first]

    def _earlier(self, within: KeyRange) -> Earlier:
        found = self._carried.read(len(self._keys), within.has(self._keys[0]))
        for one in self._carried.missing:
            if one.rows is not None:
                rows = _scan(one, within).select(*self._narrow(one), *self._addresses(one))
                found = found.and_rows(rows.collect(), self._channels)
        return found

    def _payload_of(self, one: Source) -> list[str]:
        return [name for name in self._payload if name in one.columns]

    def _narrow(self, one: Source) -> list[pl.Expr]:
        us = pl.col(UPDATED_US)
        return [
            *(
                pl.col(f"{KEY_PART}{n}").cast(pl.String).alias(key)
                for n, key in enumerate(self._keys)
            ),
            pl.lit(one.seq, pl.Int32).alias("seq"),
            us.alias("us"),
            us.fill_null(one.stamp_us).alias("since"),
            pl.col(RECORD).alias("record"),
            pl.int_range(pl.len(), dtype=pl.Int32).alias("nth"),
            pl.col(PERMISSIONS).alias("permissions"),
        ]

    def _addresses(self, one: Source) -> list[pl.Expr]:
        return [_text(c.address, one.columns).alias(c.name) for c in self._channels]

    def _values(self, one: Source) -> list[pl.Expr]:
        return [pl.col(name).alias(f"_{name}") for name in self._payload_of(one)]

    def _empty_rows(self) -> pl.DataFrame:
        return pl.DataFrame(
            schema={
                **dict.fromkeys(self._keys, pl.String),
                "seq": pl.Int32,
                "us": pl.Int64,
                "since": pl.Int64,
                "record": pl.Int64,
                "nth": pl.Int32,
                "permissions": pl.UInt8,
                **{channel.name: pl.String for channel in self._channels},
            }
        )

    def _read_holds(self) -> pl.DataFrame:
        """What rejects of exports in force still say, all of it: there are few.

        A re-sent full export takes the place of its first version: so do the rejects.
        """
        mended = pl.DataFrame(
            mended_records(self._source), {"seq": pl.Int32, "record": pl.Int64}, orient="row"
        )
        frames = [self._empty_rows().drop("nth")]
        for one in self._source.in_force:
            if one.holds is None:
                continue
            held = pl.read_parquet(one.holds, glob=False)
            held = held.with_columns(_opt_outs_of(held).alias(PERMISSIONS))
            columns = [e for e in self._narrow(one) if e.meta.output_name() != "nth"]
            addresses = [_text(c.address, held.columns).alias(c.name) for c in self._channels]
            frames.append(held.select(*columns, *addresses))
        holds = pl.concat(frames)
        return holds.join(
            mended.with_columns(pl.lit(value=True).alias("mended")),
            on=["seq", "record"],
            how="left",
        ).with_columns(pl.col("mended").fill_null(value=False))


def _scan(one: Source, within: KeyRange) -> pl.LazyFrame:
    path: Path | None = one.rows
    assert path is not None  # noqa: S101 - for the type checker
    rows = pl.scan_parquet(path, glob=False, hive_partitioning=False)
    return rows if within == KeyRange(None, None) else rows.filter(within.has(f"{KEY_PART}0"))


def _text(column: str, columns: Sequence[str] | Mapping[str, str]) -> pl.Expr:
    return pl.col(column).cast(pl.String).fill_null("") if column in columns else pl.lit("")


def _opt_outs_of(held: pl.DataFrame) -> pl.Series:
    """The permissions of holds as bits: only opt-outs count."""
    found = pl.zeros(len(held), pl.UInt8, eager=True)
    for channel in CHANNELS.values():
        if channel.permission in held.columns:
            bits, _ = permission_bits(held[channel.permission].cast(pl.String).fill_null(""))
            found |= bits * (1 << channel.shift) & channel.opted_out
    return found
