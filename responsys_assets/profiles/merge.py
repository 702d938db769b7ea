"""The merge: range of keys by range, winners over narrow columns first, then their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from responsys_assets.errors import ConfigError
from responsys_assets.lake.parquet import ParquetFile
from responsys_assets.lake.publish import Workspace, disk_errors, make_private_folder
from responsys_assets.normalise import normalise
from responsys_assets.profiles import permission, winners
from responsys_assets.profiles.choice import Chosen
from responsys_assets.profiles.engine import Limits, frame, merging
from responsys_assets.profiles.gather import Values, schema
from responsys_assets.profiles.keys import key_names, numbered
from responsys_assets.profiles.live import Source
from responsys_assets.profiles.plan import MergePlan
from responsys_assets.profiles.reading import KeyRange, ListReader, Part, key_ranges
from responsys_assets.system_columns import Channel
from responsys_assets.threads import Behind

_GROUP_ROWS = 122_880


@dataclass(frozen=True)
class Merged:
    """What a merge made, for people: profiles, and the live keys of each list."""

    rows: int
    live: dict[str, int]


def merge(
    plan: MergePlan,
    workspace: Workspace,
    folder: Path,
    *,
    limits: Limits | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Merged:
    """Write the profiles as `part-*.parquet` and the closed addresses as `closed/*.parquet`.

    `advance` is told the number of profiles written since the last call.

    Raises:
        LakeError: if memory, disk or a staged file fails.
    """
    with merging(workspace.folder("spill"), limits or Limits()) as connection:
        work = _Merge(plan, connection)
        rows = 0
        with Behind(_write) as writer:
            for part, within in enumerate(key_ranges(plan.lists)):
                profiles = work.merge(within)
                writer.put((profiles, plan, folder / f"part-{part:02}.parquet"))
                rows += len(profiles)
                advance(len(profiles))
        work.write_closed(folder)
        return Merged(rows, work.live)


class _Merge:
    """The steps of one merge, on one connection; each range makes the tables anew."""

    def __init__(self, plan: MergePlan, connection: duckdb.DuckDBPyConnection) -> None:
        self._plan = plan
        self._connection = connection
        self._keys = key_names(len(plan.match_columns))
        self._readers = [ListReader(plan, n) for n in range(len(plan.lists))]
        self._opted_out: dict[Channel, list[pl.Series]] = {}
        self.live = {source.name: 0 for source in plan.lists}

    def merge(self, within: KeyRange) -> pl.DataFrame:
        """The profiles of a range."""
        parts = [reader.read(within) for reader in self._readers]
        frames = [table for part in parts for table in (part.rows, part.holds)]
        keys, tables = numbered(frames, self._keys)
        latest, said = [], []
        for n in range(len(parts)):
            latest.append(self._latest(n, *tables[2 * n : 2 * n + 2]))
            if permission.channels_of(self._plan.lists[n]):
                said.append(self._permission(n))
        chosen = Chosen(len(keys), latest, said, parts, self._plan.only_in)
        payload = [self._used(n, part, chosen, within) for n, part in enumerate(parts)]
        return Values(self._plan, keys, chosen, payload).frame()

    def write_closed(self, folder: Path) -> None:
        """Write `closed/<channel>.parquet` for every channel that a list has a permission of."""
        target = make_private_folder(folder / "closed")
        for channel, found in self._opted_out.items():
            with disk_errors("cannot write closed addresses"):
                closed(found, channel).write_parquet(
                    target / f"{channel.name}.parquet", compression="zstd"
                )

    def _latest(self, n: int, rows: pl.DataFrame, holds: pl.DataFrame) -> pl.DataFrame:
        """The latest live row of each key of list `n`."""
        source = self._plan.lists[n]
        for name, table in (("rows", rows), ("holds", holds)):
            arrow = table.to_arrow(compat_level=pl.CompatLevel.newest())
            self._connection.register(f"{name}_{n}", arrow)
        found = frame(self._connection, winners.latest(n, source))
        self.live[source.name] += len(found)
        return found

    def _permission(self, n: int) -> pl.DataFrame:
        """What list `n` says; notes the addresses of standing opt-outs."""
        channels = permission.channels_of(self._plan.lists[n])
        self._connection.execute(permission.state_table(n, channels))
        for channel in channels:
            query = permission.standing_addresses(n, channel)
            found = frame(self._connection, query).to_series()
            self._opted_out.setdefault(channel, []).append(found)
        return frame(self._connection, permission.states(n))

    def _used(
        self, n: int, part: Part, chosen: Chosen, within: KeyRange
    ) -> Mapping[int, pl.DataFrame]:
        """The values of the exports of list `n` that have a winning row."""
        used = {*chosen.exports(n).unique().to_list()}
        sources = [one for one in self._plan.lists[n].sources if one.seq in used]
        _same_types(self._plan, n, sources)
        reader = self._readers[n]
        return {
            one.seq: part.values[one.seq] if one.seq in part.values else reader.values(one, within)
            for one in sources
        }


def _write(item: tuple[pl.DataFrame, MergePlan, Path]) -> None:
    profiles, plan, target = item
    file = ParquetFile(target, schema(plan), plan.match_columns)
    for start in range(0, len(profiles), _GROUP_ROWS):
        group = profiles.slice(start, _GROUP_ROWS)
        file.write(group.to_arrow(compat_level=pl.CompatLevel.newest()))
    file.close()


def closed(found: Sequence[pl.Series], channel: Channel) -> pl.DataFrame:
    """Addresses as they were sent to one sorted column `address` of normalised ones."""
    sent = pl.concat(found).unique()
    addresses = normalise(sent, channel.address).unique().sort()
    return addresses.filter(addresses != "").alias("address").to_frame()


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
                    f"which was staged with another configuration, and {column.kind} now; have it "
                    f"staged anew with `responsys exports {plan.lists[n].name} retry FILE`",
                    key=f"lists.{plan.lists[n].name}.columns",
                )
