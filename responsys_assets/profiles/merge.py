"""The merge in duckdb: winners over narrow columns first, then their values, sorted by key."""

# ruff: noqa: S608 - names are quoted by sql.py, values are bound

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from responsys_assets.errors import ConfigError
from responsys_assets.lake.publish import Workspace, disk_errors, make_private_folder
from responsys_assets.normalise import normalise
from responsys_assets.profiles import permission, values, winners
from responsys_assets.profiles.engine import Limits, merging, number, run, texts
from responsys_assets.profiles.live import Source
from responsys_assets.profiles.plan import MergePlan
from responsys_assets.profiles.sql import Keys, Sql, combine, literal
from responsys_assets.system_columns import CHANNELS, Channel

# Both depend on the data alone: the same input makes the same files on every machine.
_ROWS_OF_PART = 1_000_000
_MOST_PARTS = 16  # every part reads all the input once more
_FORMAT = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 122880"


@dataclass(frozen=True)
class Merged:
    """What a merge made, for people: profiles, live keys of each list, permission values of each
    list that were not understood and count as opt-outs."""

    rows: int
    live: dict[str, int]
    unknown_permissions: dict[str, int]


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
        work = _Merge(plan, connection, folder)
        work.choose()
        work.close_addresses()
        live = work.release()
        rows = work.write(advance)
        return Merged(rows, live, work.unknown_permissions())


class _Merge:
    """The steps of one merge, on one connection."""

    def __init__(
        self, plan: MergePlan, connection: duckdb.DuckDBPyConnection, folder: Path
    ) -> None:
        self._plan = plan
        self._connection = connection
        self._folder = folder
        self._keys = Keys(len(plan.match_columns))
        self._holds = [permission.holds(source) for source in plan.lists]

    def choose(self) -> None:
        """Make `latest_<n>`, `permission_<n>` and `chosen`."""
        for n, source in enumerate(self._plan.lists):
            for statement in (
                *winners.latest_rows(n, source, self._keys),
                *permission.state_tables(n, source, self._keys, self._holds[n]),
            ):
                run(self._connection, statement)
        run(self._connection, values.choice(self._plan, self._keys))

    def close_addresses(self) -> None:
        """Write `closed/<channel>.parquet` for every channel that a list has a permission of."""
        target = make_private_folder(self._folder / "closed")
        for channel in CHANNELS.values():
            found = [
                texts(
                    self._connection,
                    permission.standing_addresses(n, source, self._keys, self._holds[n], channel),
                )
                for n, source in enumerate(self._plan.lists)
                if channel in permission.channels_of(source)
            ]
            if found:
                with disk_errors("cannot write closed addresses"):
                    closed(found, channel).write_parquet(
                        target / f"{channel.name}.parquet", compression="zstd"
                    )

    def write(self, advance: Callable[[int], None]) -> int:
        """Write the profiles, key ranges one after the other; returns how many there are."""
        rows = number(self._connection, Sql("SELECT count(*) FROM chosen"))
        payloads = [self._payload(n) for n in range(len(self._plan.lists))]
        query = values.profiles(self._plan, self._keys, payloads)
        for part, (first, past) in enumerate(ranges(rows)):
            target = literal(str(self._folder / f"part-{part:02}.parquet"))
            span = Sql("", {"first": first, "past": past})
            run(self._connection, combine(f"COPY ({query}) TO {target} ({_FORMAT})", query, span))
            advance(past - first)
        return rows

    def release(self) -> dict[str, int]:
        """Drop what `chosen` was made from; returns the number of live keys of each list."""
        live = {}
        for n, source in enumerate(self._plan.lists):
            live[source.name] = number(self._connection, Sql(f"SELECT count(*) FROM latest_{n}"))
            for table in ("latest", "started", "kept", "reached", "permission"):
                run(self._connection, Sql(f"DROP TABLE IF EXISTS {table}_{n}"))
        return live

    def unknown_permissions(self) -> dict[str, int]:
        return {
            source.name: number(self._connection, permission.unknown_values(n, source))
            for n, source in enumerate(self._plan.lists)
            if permission.channels_of(source)
        }

    def _payload(self, n: int) -> Sql | None:
        """The values of list `n`, read from the exports that have a winning row."""
        row = f"row{n}"
        used = run(
            self._connection,
            Sql(f"SELECT DISTINCT {winners.seq_of_row(row)} FROM chosen WHERE {row} IS NOT NULL"),
        ).fetchall()
        wanted = {seq for (seq,) in used}
        sources = [one for one in self._plan.lists[n].sources if one.seq in wanted]
        _same_types(self._plan, n, sources)
        types = {name: kind for one in sources for name, kind in one.columns.items()}
        return values.payload(self._plan, n, sources, types)


def closed(found: Sequence[pl.Series], channel: Channel) -> pl.DataFrame:
    """Addresses as they were sent to one sorted column `address` of normalised ones."""
    sent = pl.concat(found).unique()
    addresses = normalise(sent, channel.address).unique().sort()
    return addresses.filter(addresses != "").alias("address").to_frame()


def ranges(rows: int) -> Iterator[tuple[int, int]]:
    """Parts of about a million profiles, sixteen at most; one for no profiles at all."""
    parts = min(max(-(-rows // _ROWS_OF_PART), 1), _MOST_PARTS)
    for part in range(parts):
        yield rows * part // parts, rows * (part + 1) // parts


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
