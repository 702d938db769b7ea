"""From the CSV files of three lists to one row a person: what users would otherwise write.

Only ours checks every record, merges by column, and knows consent and absence.
"""

from __future__ import annotations

import csv
import importlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.data import KEY, ROWS, UPDATED_AT
from benchmarks.project import PLAIN, csv_of, opened
from benchmarks.ways.merge import ZSTD, copy
from responsys_assets.ingest import ingest
from responsys_assets.profiles.refresh import refresh
from responsys_assets.progress import SILENT


def files_ours(folder: Path) -> Iterator[None]:
    """Staged and merged."""
    project, lake = opened(folder, PLAIN)
    shutil.rmtree(lake.root, ignore_errors=True)
    yield
    ingest(project, lake, [*ROWS])
    refresh(project, lake, SILENT)


def files_duckdb(folder: Path) -> Iterator[None]:
    """`row_number`, one winner a row."""
    files = [str(csv_of(folder, name)) for name in ROWS]
    yield
    query = (
        f"SELECT * EXCLUDE n FROM (SELECT *, row_number() OVER (PARTITION BY {KEY} "
        f"ORDER BY {UPDATED_AT} DESC) AS n FROM read_csv({files}, all_varchar = true, "
        f"union_by_name = true)) WHERE n = 1 ORDER BY {KEY}"
    )
    copy(query, folder / "out.parquet", ZSTD)


def files_polars(folder: Path) -> Iterator[None]:
    """Sorting and `unique`, one winner a row."""
    yield
    lists = [pl.scan_csv(csv_of(folder, name), infer_schema=False) for name in ROWS]
    rows = pl.concat(lists, how="diagonal").sort(UPDATED_AT)
    latest = rows.unique(KEY, keep="last", maintain_order=False).sort(KEY)
    latest.sink_parquet(folder / "out.parquet", compression="zstd", compression_level=1)


def files_pandas(folder: Path) -> Iterator[None]:
    """Sorting and `drop_duplicates`, one winner a row."""
    pd: Any = importlib.import_module("pandas")
    yield
    lists = [pd.read_csv(csv_of(folder, name), dtype=str, na_filter=False) for name in ROWS]
    rows = pd.concat(lists).sort_values([KEY, UPDATED_AT], kind="stable")
    latest = rows.drop_duplicates(KEY, keep="last")
    latest.to_parquet(folder / "out.parquet", compression="zstd")


def files_singer(folder: Path) -> Iterator[None]:
    """What a Singer tap does with a file: a dictionary and a JSON message a row; nothing loaded,
    nothing merged."""
    yield
    with Path(os.devnull).open("w") as sink:
        for name in ROWS:
            with csv_of(folder, name).open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    message = {"type": "RECORD", "stream": name, "record": row}
                    sink.write(json.dumps(message) + "\n")


def files_dlt(folder: Path) -> Iterator[None]:
    """dlt: files to duckdb, merged by key, the latest by time."""
    dlt, source = (importlib.import_module(name) for name in ("dlt", "dlt.sources.filesystem"))
    work = folder / "dlt"
    shutil.rmtree(work, ignore_errors=True)
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=str(work),
        destination=dlt.destinations.duckdb(str(folder / "dlt.duckdb")),
        dataset_name="bench",
    )
    yield
    place = f"file://{(folder / 'csv').resolve()}"
    files = source.filesystem(bucket_url=place, file_glob="*.csv")
    rows = (files | source.read_csv_duckdb(use_pyarrow=True, all_varchar=True)).with_name(
        "profiles"
    )
    rows.apply_hints(
        primary_key=KEY,
        write_disposition="merge",
        columns={UPDATED_AT: {"dedup_sort": "desc"}},
    )
    pipeline.run(rows)
