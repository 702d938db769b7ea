"""The merge of three staged lists."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl

from benchmarks.project import opened, staged_files
from responsys_assets.consent.refresh import known_exports
from responsys_assets.consent.refresh import refresh as record
from responsys_assets.profiles.refresh import refresh
from responsys_assets.progress import SILENT

ZSTD = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"


def merge_ours(folder: Path) -> Iterator[None]:
    """Column by column, with permission, absence and every rule."""
    staged_files(folder)
    project, lake = opened(folder)
    shutil.rmtree(lake.profiles(), ignore_errors=True)
    record(project, lake, known_exports(lake))
    yield
    refresh(project, lake, SILENT)


def merge_copy(folder: Path) -> Iterator[None]:
    """The floor: what our merge made, from Parquet to Parquet with the same codec."""
    yield
    copy(f"SELECT * FROM {profiles(folder)}", folder / "out.parquet", ZSTD)
    (folder / "out.parquet").unlink()


def merge_duckdb(folder: Path) -> Iterator[None]:
    """One winner a row by `row_number`, ties as they fall, no permission, no absence."""
    files = staged_files(folder)
    yield
    query = (
        f"SELECT * EXCLUDE n FROM (SELECT *, row_number() OVER (PARTITION BY _key_0 "
        f"ORDER BY _updated_us DESC) AS n FROM read_parquet({files}, "
        "union_by_name = true)) WHERE n = 1 ORDER BY _key_0"
    )
    copy(query, folder / "out.parquet", ZSTD)


def merge_polars(folder: Path) -> Iterator[None]:
    """The same by sorting and `unique`."""
    files = staged_files(folder)
    yield
    rows = pl.concat(map(pl.scan_parquet, files), how="diagonal")
    latest = rows.sort("_updated_us").unique("_key_0", keep="last", maintain_order=False)
    latest.sort("_key_0").sink_parquet(
        folder / "out.parquet", compression="zstd", compression_level=1
    )


def profiles(folder: Path) -> str:
    """The profiles that are there, as a table of duckdb."""
    (snapshot,) = opened(folder)[1].profiles().glob("*/part-00000.parquet")
    return f"read_parquet('{snapshot.parent}/part-*.parquet')"


def copy(query: str, target: Path, options: str) -> None:
    """Let duckdb write a query to a file, in no order but the query's."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(f"COPY ({query}) TO '{target}' ({options})")
