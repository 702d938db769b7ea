"""What exports that are no longer live say of permission, carried from snapshot to snapshot.

Every accepted export counts for ever, so reading all of them would make each merge longer than
the one before. Of the past only this matters: by key and channel the latest opt-in, and by
address every opt-out that none has ended. To that an export can be added, in any order.

profiles/<snapshot>/permission/<list>/ins-<n>.parquet    `Earlier.ins`
profiles/<snapshot>/permission/<list>/outs-<n>.parquet   `Earlier.outs`
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.profiles.keys import key_names
from responsys_assets.profiles.live import ListExports, Source
from responsys_assets.system_columns import CHANNELS, Channel

PERMISSION = "permission"
NEVER = -(2**62)  # an opt-in without a time is older than anything that is said
COVERED = "earlier"  # in the manifest: by list, the exports of which it holds


@dataclass(frozen=True)
class Earlier:
    """`ins`: a key and, for each channel, the time of its latest opt-in (null: none). `outs`: a
    key, `channel`, `address` as it was sent, and `since`, the latest of the same opt-out."""

    ins: pl.DataFrame
    outs: pl.DataFrame

    @classmethod
    def none(cls, parts: int) -> Earlier:
        """Nothing was said yet; a key has that many parts."""
        keys = dict.fromkeys(key_names(parts), pl.String)
        said = {"channel": pl.String, "address": pl.String, "since": pl.Int64}
        return cls(
            pl.DataFrame(schema={**keys, **dict.fromkeys(CHANNELS, pl.Int64)}),
            pl.DataFrame(schema={**keys, **said}),
        )

    def and_rows(self, rows: pl.DataFrame, channels: Sequence[Channel]) -> Earlier:
        """With what rows say, columns as in `reading.Part.rows`."""
        keys = [name for name in self.ins.columns if name not in CHANNELS]
        permissions, us = pl.col("permissions"), pl.col("us").fill_null(NEVER)
        said = [
            pl.when(permissions & channel.opted_in != 0).then(us).alias(channel.name)
            for channel in channels
        ]
        ins = pl.concat([self.ins, rows.select(*keys, *said)], how="diagonal")
        ins = ins.group_by(keys).agg(pl.col(*CHANNELS).max())
        ins = ins.filter(pl.any_horizontal(pl.col(*CHANNELS).is_not_null())).sort(keys)
        outs = [self.outs]
        for channel in channels:
            out = rows.filter(permissions & channel.opted_out != 0)
            name, address = pl.lit(channel.name), pl.col(channel.name)
            outs.append(out.select(*keys, name.alias("channel"), address.alias("address"), "since"))
        return Earlier(ins, _standing(pl.concat(outs), ins, keys))

    def write(self, folder: Path, number: int) -> None:
        """As the files of a range of keys."""
        for kind, frame in (("ins", self.ins), ("outs", self.outs)):
            path = folder / f"{kind}-{number:02}.parquet"
            frame.write_parquet(path, compression="zstd", compression_level=1)


def _standing(outs: pl.DataFrame, ins: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The opt-outs that no opt-in has ended, each said once."""
    said = pl.coalesce(pl.when(pl.col("channel") == name).then(name) for name in CHANNELS)
    return (
        outs.group_by(*keys, "channel", "address")
        .agg(pl.col("since").max())
        .join(ins, on=list(keys), how="left")
        .filter(said.is_null() | (said <= pl.col("since")))
        .select(outs.columns)
        .sort(outs.columns)
    )


@dataclass(frozen=True)
class Carried:
    """What a snapshot holds of a list: files of `ins` and `outs`; `missing` are the earlier
    exports that it does not hold."""

    ins: Sequence[Path]
    outs: Sequence[Path]
    missing: Sequence[Source]

    def read(self, parts: int, within: pl.Expr) -> Earlier:
        """That of a range of keys of so many parts."""
        nothing = Earlier.none(parts)
        return Earlier(_read(nothing.ins, self.ins, within), _read(nothing.outs, self.outs, within))


def _read(nothing: pl.DataFrame, paths: Sequence[Path], within: pl.Expr) -> pl.DataFrame:
    scans = [pl.scan_parquet(path, glob=False, hive_partitioning=False) for path in paths]
    return pl.concat([nothing.lazy(), *(scan.filter(within) for scan in scans)]).collect()


def covered(lists: Iterable[ListExports]) -> dict[str, Any]:
    """What the manifest says: the earlier exports of each list."""
    return {source.name: [_identity(one) for one in source.earlier] for source in lists}


def carried(current: Snapshot | None, source: ListExports) -> Carried:
    """What the current snapshot holds of a list.

    Nothing of it can be used once an export that it holds was withdrawn or staged anew, or is
    recent again because a newer one was withdrawn.
    """
    held = [] if current is None else current.manifest.get(COVERED, {}).get(source.name, [])
    earlier = [_identity(one) for one in source.earlier]
    if current is None or any(one not in earlier for one in held):
        return Carried((), (), source.earlier)
    folder = current.path / PERMISSION / source.name
    files = [path for path in current.files if path.parent == folder]
    ins, outs = (
        [path for path in files if path.name.startswith(kind)] for kind in ("ins-", "outs-")
    )
    missing = [one for one in source.earlier if _identity(one) not in held]
    return Carried(ins, outs, missing)


def _identity(one: Source) -> list[Any]:
    """All that decides what an export says of permission."""
    return [one.export.export_id, one.stamp_us, one.outcome.parquet_sha256]
