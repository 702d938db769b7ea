"""Decrypting and staging the list CORE."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from benchmarks.data import ROWS
from benchmarks.project import csv_of, message_of, opened, server_of
from responsys_assets.exported.poll import poll
from responsys_assets.ingest import fetch_all
from responsys_assets.lake.exports import read_exports
from responsys_assets.progress import SILENT
from responsys_assets.staged.stage import stage

CORE = "core"


def stage_ours(folder: Path) -> Iterator[None]:
    """Every record checked and typed, sorted by key in runs, no plaintext on disk."""
    project, lake = opened(folder)
    with server_of(folder):
        fetch_all(project, lake, poll(project, lake, [CORE]).decisions)
    shutil.rmtree(lake.staged(CORE), ignore_errors=True)
    (export,) = read_exports(lake, CORE)
    yield
    stage(project, lake, export, SILENT)


def stage_decrypt(folder: Path) -> Iterator[None]:
    """A part of the floor: gpg alone, to nowhere."""
    yield from _decrypt(folder, [CORE])


def stage_parse(folder: Path) -> Iterator[None]:
    """The other part: the CSV parsed as text and written, with nothing checked."""
    yield
    _parse(folder, CORE)


def stage_decrypt_all(folder: Path) -> Iterator[None]:
    """gpg alone, all lists."""
    yield from _decrypt(folder, [*ROWS])


def stage_parse_all(folder: Path) -> Iterator[None]:
    """Parsed as text and written, all lists."""
    yield
    for name in ROWS:
        _parse(folder, name)


def stage_pyarrow(folder: Path) -> Iterator[None]:
    """gpg piped into pyarrow's streaming reader, each batch written: nothing checked or sorted."""
    gpg = _gpg(folder)
    text = csv.ConvertOptions(column_types=dict.fromkeys(_names(folder), pa.string()))
    yield
    with subprocess.Popen(
        [*gpg, "--decrypt", str(message_of(folder, CORE))], stdout=subprocess.PIPE
    ) as process:
        reading = csv.ReadOptions(block_size=32 << 20)
        with csv.open_csv(process.stdout, reading, convert_options=text) as batches:
            target = folder / "out.parquet"
            with pq.ParquetWriter(
                target, batches.schema, compression="zstd", compression_level=1
            ) as writer:
                for batch in batches:
                    writer.write_batch(batch)


def _names(folder: Path) -> list[str]:
    return pl.scan_csv(csv_of(folder, CORE), infer_schema=False).collect_schema().names()


def _gpg(folder: Path) -> list[str]:
    """gpg with the key that decrypts."""
    home = folder / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--trust-model", "always"]
    subprocess.run([*gpg, "--import", folder / "private.asc"], check=True, capture_output=True)
    return gpg


def _decrypt(folder: Path, names: Sequence[str]) -> Iterator[None]:
    gpg = _gpg(folder)
    yield
    for name in names:
        command = [*gpg, "--decrypt", str(message_of(folder, name))]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _parse(folder: Path, name: str) -> None:
    rows = pl.scan_csv(csv_of(folder, name), infer_schema=False)
    rows.sink_parquet(folder / "out.parquet", compression="zstd", compression_level=1)
