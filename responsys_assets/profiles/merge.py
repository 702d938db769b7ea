"""The merge in duckdb: winners over narrow columns first, then their values, sorted by key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError
from responsys_assets.lake.publish import Workspace, disk_errors, make_private_folder
from responsys_assets.normalise import normalise
from responsys_assets.profiles import permission, values, winners
from responsys_assets.profiles.engine import Limits, merging, number, run
from responsys_assets.profiles.live import ListExports, Source, files_of
from responsys_assets.profiles.plan import MergePlan
from responsys_assets.profiles.sql import Keys, Sql, combine, comma, literal
from responsys_assets.system_columns import CHANNELS, Channel

# Both depend on the data alone: the same input makes the same files on every machine.
_ROWS_OF_PART = 1_000_000
_MOST_PARTS = 8  # every part reads all the input once more
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
        rows = work.write(advance)
        return Merged(rows, work.live(), work.unknown_permissions())
