"""The merge, one range of keys after the other: winners over integers, then their values."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa

from responsys_assets.errors import ConfigError, LakeError
from responsys_assets.lake.publish import disk_errors, make_private_folder
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.profiles.carried import PERMISSION, carried
from responsys_assets.profiles.choice import Chosen
from responsys_assets.profiles.gather import Values
from responsys_assets.profiles.keys import key_names, numbered
from responsys_assets.profiles.live import ListExports, Source
from responsys_assets.profiles.opted_out import write_opted_out
from responsys_assets.profiles.permission import Permissions, all_of, each_closed, permissions_of
from responsys_assets.profiles.plan import MergePlan
from responsys_assets.profiles.ranges import KeyRange, key_ranges
from responsys_assets.profiles.reading import ListReader
from responsys_assets.profiles.statements import StatementReader, Statements
from responsys_assets.profiles.winners import latest
from responsys_assets.system_columns import Channel

NAME = "polars"
VERSION = pl.__version__

_GROUP_ROWS = 122_880


@dataclass(frozen=True)
class Merged:
    """What a merge made, for people: profiles, and the live keys of each list."""

    rows: int
    live: dict[str, int]


def merge(
    plan: MergePlan,
    folder: Path,
    current: Snapshot | None = None,
    *,
    ranges_at_once: int = 2,
    advance: Callable[[int], None] = lambda _: None,
) -> Merged:
    """Write the profiles as `part-*.parquet`, the closed addresses as `closed/*.parquet` and what
    the next merge need not read of the ledger again as `permission/*/*.parquet`.

    `current` is the snapshot before this one, if there is one. `advance` is told the number of
    profiles written since the last call. With two ranges at once one reads while the other
    writes, and both are in memory.

    Raises:
        LakeError: if memory, disk or a staged file fails.
    """
    with _faults(), ThreadPoolExecutor(min(ranges_at_once, os.cpu_count() or 1)) as pool:
        readers = [ListReader(plan, n) for n, _ in enumerate(plan.lists)]
        lists = {source.name: source for source in plan.lists}
        ledgers = []
        for ledger in plan.ledger:
            source = lists.get(ledger.name)
            before = carried(current, ledger, source, plan.match_columns, plan.country)
            reader = StatementReader(ledger, plan.lists, plan.match_columns, plan.country, before)
            ledgers.append(reader)
            make_private_folder(folder / PERMISSION / ledger.name)
        work = [
            pool.submit(_Range(plan, readers, ledgers, within).write, folder, number)
            for number, within in enumerate(key_ranges(plan.lists))
        ]
        found = []
        try:
            for each in work:
                found.append(each.result())
                advance(found[-1].rows)
        finally:
            pool.shutdown(cancel_futures=True)
        _write_closed(folder, found)
        live = {
            source.name: sum(each.live[n] for each in found) for n, source in enumerate(plan.lists)
        }
        return Merged(sum(each.rows for each in found), live)


@dataclass(frozen=True)
class _Written:
    """What is known of a range once it is written; `live` are keys by list."""

    rows: int
    live: list[int]
    permissions: list[Permissions]


class _Range:
    """The merge of one range of keys: needs nothing of the others."""

    def __init__(
        self,
        plan: MergePlan,
        readers: Sequence[ListReader],
        ledgers: Sequence[StatementReader],
        within: KeyRange,
    ) -> None:
        self._plan, self._readers, self._ledgers = plan, readers, ledgers
        self._within = within

    def write(self, folder: Path, number: int) -> _Written:
        """Merge and write the profiles of the range."""
        parts = [reader.read(self._within) for reader in self._readers]
        statements = [reader.read(self._within) for reader in self._ledgers]
        frames = [
            *(table for part in parts for table in (part.rows, part.holds)),
            *(table for stated in statements for table in stated.frames),
        ]
        keys, tables = numbered(frames, key_names(len(self._plan.match_columns)))
        rows, holds = tables[: 2 * len(parts) : 2], tables[1 : 2 * len(parts) : 2]
        ledger_tables = tables[2 * len(parts) :]
        places = [
            latest(source, rows[n], holds[n], len(keys))
            for n, source in enumerate(self._plan.lists)
        ]
        own = {source.name: _recent(source, rows[n]) for n, source in enumerate(self._plan.lists)}
        permissions = []
        for n, ledger in enumerate(self._plan.ledger):
            stated = Statements(*ledger_tables[4 * n : 4 * n + 4])
            said = permissions_of(
                ledger, own.get(ledger.name), stated, len(keys), self._plan.country
            )
            permissions.append(said)
            said.write(folder / PERMISSION / ledger.name, number, keys)
        states = all_of(permissions, len(keys))
        chosen = Chosen(places, states, parts, self._plan.only_in)
        named = keys.rename(dict(zip(keys.columns, self._plan.match_columns, strict=True)))
        write_opted_out(folder, number, named, states, chosen.keys)
        payload = [self._used(n, part.values, chosen) for n, part in enumerate(parts)]
        profiles = Values(self._plan, keys, chosen, payload).frame()
        profiles.write_parquet(
            folder / f"part-{number:05}.parquet",
            compression="zstd",
            compression_level=1,
            row_group_size=_GROUP_ROWS,
        )
        live = [int((each >= 0).sum()) for each in places]
        return _Written(len(profiles), live, permissions)

    def _used(
        self, n: int, values: Mapping[int, pl.DataFrame], chosen: Chosen
    ) -> dict[int, pl.DataFrame]:
        """The values of the exports of list `n` that have a winning row."""
        used = {*chosen.exports(n).unique().to_list()}
        sources = [one for one in self._plan.lists[n].sources if one.seq in used]
        _same_types(self._plan, n, sources)
        reader = self._readers[n]
        return {
            one.seq: values[one.seq] if one.seq in values else reader.values(one, self._within)
            for one in sources
        }


def _recent(source: ListExports, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows without those of older exports, of which the ledger tells."""
    if not source.may_reach_back:
        return rows
    return rows.filter(pl.col("seq").is_in([one.seq for one in source.recent]))


def _write_closed(folder: Path, found: Sequence[_Written]) -> None:
    """Write `closed/<channel>.parquet` for every channel that a list has a permission of."""
    target = make_private_folder(folder / "closed")
    sent: dict[Channel, list[pl.Series]] = {}
    for written in found:
        for channel, addresses in each_closed(written.permissions):
            sent.setdefault(channel, []).append(addresses)
    for channel, several in sent.items():
        with disk_errors("cannot write closed addresses"):
            every = pl.concat(several).alias("address").to_frame().lazy()
            each_once = every.filter(pl.col("address") != "").unique().sort("address").collect()
            each_once.write_parquet(
                target / f"{channel.name}.parquet",
                compression="zstd",
                row_group_size=_GROUP_ROWS,  # else it is cut by the number of cores
            )


def _same_types(plan: MergePlan, n: int, sources: Sequence[Source]) -> None:
    """An old export that still has live rows must have been staged with today's types.

    Raises:
        ConfigError: naming column and file.
    """
    for column in plan.columns:
        for source in sources:
            kind = source.columns.get(column.name, column.kind)
            if n in column.lists and kind != column.kind and column.rule != "permission":
                raise ConfigError(
                    "columns_do_not_fit",
                    f"list {plan.lists[n].name}: {column.name} is {kind} in {source.export.file}, "
                    f"which is in force as it was read with other settings, and {column.kind} now "
                    f"({source.export.why_kept}); the profiles stay as they are. Put the type "
                    "back, or take the file back with "
                    f"`responsys exports {plan.lists[n].name} withdraw {source.export.file}`",
                    key=f"lists.{plan.lists[n].name}.columns",
                )


@contextmanager
def _faults() -> Iterator[None]:
    """Errors of the engine in our own words: theirs may hold records."""
    try:
        yield
    except MemoryError:
        raise LakeError(
            "memory", "merging profiles needs more memory than there is; free some, then run again"
        ) from None
    except (pl.exceptions.ComputeError, pa.ArrowException, OSError, UnicodeDecodeError):
        raise LakeError(
            "disk",
            "merging profiles cannot read or write a file of the lake; check its room, owner and "
            "mode, run `responsys verify`, then run this again",
        ) from None
    except pl.exceptions.PolarsError as error:
        raise LakeError(
            "merge_failed",
            f"the engine failed while merging profiles ({type(error).__name__}); run "
            "`responsys verify`, then run this again",
        ) from None
