"""Staged rows and holds as frames, a range of keys at a time: all that a merge reads.

Which row groups of a file a range needs, its statistics say; rows in any other order would be
read just as right, only more often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from responsys_assets.normalise import normalise, rules
from responsys_assets.normalise.channel_addresses import address_as_sent
from responsys_assets.profiles.keys import key_names
from responsys_assets.profiles.live import Source
from responsys_assets.profiles.plan import MergePlan
from responsys_assets.profiles.ranges import KeyRange
from responsys_assets.profiles.statements import with_times
from responsys_assets.staged.columns import KEY_PART, PERMISSIONS, RECORD, UPDATED_US


@dataclass(frozen=True)
class Part:
    """What one list says about the keys of a range.

    `rows`: its key, `seq` (its export), `record`, `nth` (which of the export's rows it is here),
    `us` (time of update), `said_in`, `said_out` and `permissions` (as in `Statements`), the
    address of each channel under the channel's name, and `place` in the total order. `order`: the
    rows in that order. `holds`: the keys that rejected records may have had, and `seq`. `values`:
    the payload of recent exports by `seq`.
    """

    rows: pl.DataFrame
    order: pl.Series
    holds: pl.DataFrame
    values: Mapping[int, pl.DataFrame]


class ListReader:
    """Reads one list of a plan, range by range."""

    def __init__(self, plan: MergePlan, n: int) -> None:
        self._source = plan.lists[n]
        self._recent = {one.seq for one in self._source.recent}
        self._match_columns = plan.match_columns
        self._zone, self._country = plan.zone, plan.country
        self._keys = key_names(len(plan.match_columns))
        self._channels = plan.channels_of(self._source.name)
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
            zone = one.outcome.zone
            reread_in = self._zone if zone not in (None, self._zone) else None
            timed = with_times(
                frame,
                one.export.stamp,
                zone=zone,
                reread_in=reread_in,
                resolution=one.outcome.resolution,
            )
            rows.append(timed.select(rows[0].columns))
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
        return Part(rows_in_place, order, holds, values)

    def values(self, one: Source, within: KeyRange) -> pl.DataFrame:
        """The payload of an export that is not recent, its rows as in `Part.rows`."""
        return self._scan(one, within).select(RECORD, *self._payload_of(one)).collect()

    def _scan(self, one: Source, within: KeyRange) -> pl.LazyFrame:
        path: Path | None = one.rows
        assert path is not None  # noqa: S101 - for the type checker
        rows = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        rows = rows.with_columns(self._spelled_anew(one))
        if within != KeyRange(None, None):
            rows = rows.filter(within.has(f"{KEY_PART}0"))
        if one.seq in self._recent:
            return rows
        return rows.filter(pl.col(f"{KEY_PART}0").is_in(self._kept.implode()))

    def _spelled_anew(self, one: Source) -> list[pl.Expr]:
        """The key of a reading that is kept since before its spelling would be another one."""
        if one.outcome.spelling in (None, rules(self._country)):
            return []
        return [
            normalise(pl.col(f"{KEY_PART}{n}").cast(pl.String), column, self._country)
            for n, column in enumerate(self._match_columns)
        ]

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

    def _payload_of(self, one: Source) -> list[str]:
        return [name for name in self._payload if name in one.columns]

    def _narrow(self, one: Source) -> list[pl.Expr]:
        return [
            *(
                pl.col(f"{KEY_PART}{n}").cast(pl.String).alias(key)
                for n, key in enumerate(self._keys)
            ),
            pl.lit(one.seq, pl.Int32).alias("seq"),
            pl.col(UPDATED_US).alias("us"),
            pl.col(RECORD).alias("record"),
            pl.int_range(pl.len(), dtype=pl.Int32).alias("nth"),
            pl.col(PERMISSIONS).alias("permissions"),
        ]

    def _addresses(self, one: Source) -> list[pl.Expr]:
        return [address_as_sent(c, one.columns).alias(c.name) for c in self._channels]

    def _values(self, one: Source) -> list[pl.Expr]:
        return [pl.col(name).alias(f"_{name}") for name in self._payload_of(one)]

    def _empty_rows(self) -> pl.DataFrame:
        return pl.DataFrame(
            schema={
                **dict.fromkeys(self._keys, pl.String),
                "seq": pl.Int32,
                "us": pl.Int64,
                "said_in": pl.Int64,
                "said_out": pl.Int64,
                "record": pl.Int64,
                "nth": pl.Int32,
                "permissions": pl.UInt8,
                **{channel.name: pl.String for channel in self._channels},
            }
        )

    def _read_holds(self) -> pl.DataFrame:
        """The keys of rejects of exports in force, all of them: there are few.

        A re-sent full export takes the place of its first version: so do the rejects.
        """
        frames = [self._empty_rows().select(*self._keys, "seq")]
        for one in self._source.in_force:
            if one.holds is not None:
                held = pl.read_parquet(one.holds, glob=False).with_columns(self._spelled_anew(one))
                frames.append(held.select(self._narrow(one)[: len(self._keys) + 1]))
        return pl.concat(frames)
