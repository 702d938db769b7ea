"""Ways to do a piece of work, each run in a process of its own: ours, floors, alternatives.

    python -m benchmarks.ways WAY FOLDER

prints one JSON line: seconds, cpu (seconds of all cores, children included) and peak (bytes of
this process). What a way only needs to begin with is not counted.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from benchmarks.data import ROWS
from benchmarks.project import ENCRYPTED, STAMP, csv_of, opened
from responsys_assets.config.models import Delivery
from responsys_assets.deliveries.render import write_file
from responsys_assets.exported.poll import poll
from responsys_assets.lake.exports import read_exports
from responsys_assets.profiles.refresh import refresh
from responsys_assets.progress import SILENT
from responsys_assets.staged.stage import stage
from responsys_assets.sync import fetch_all

_ZSTD = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"
Way = Callable[[Path], Iterator[None]]


def merge_ours(folder: Path) -> Iterator[None]:
    project, lake = opened(folder)
    shutil.rmtree(lake.profiles(), ignore_errors=True)
    yield
    refresh(project, lake, SILENT)


def merge_copy(folder: Path) -> Iterator[None]:
    """The floor: what our merge made, from Parquet to Parquet with the same codec."""
    _, lake = opened(folder)
    yield
    _copy(f"SELECT * FROM read_parquet('{lake.profiles()}/*/part-*.parquet')", folder)


def merge_duckdb_row_number(folder: Path) -> Iterator[None]:
    """One winner a row, ties as they fall, no permission, no absence."""
    yield
    _copy(
        f"SELECT * EXCLUDE n FROM (SELECT *, row_number() OVER (PARTITION BY _key_0 "
        f"ORDER BY _updated_us DESC) AS n FROM read_parquet({_staged(folder)}, "
        "union_by_name = true)) WHERE n = 1 ORDER BY _key_0",
        folder,
    )


def merge_polars_unique(folder: Path) -> Iterator[None]:
    """The same in polars."""
    yield
    rows = pl.concat(map(pl.scan_parquet, _staged(folder)), how="diagonal")
    latest = rows.sort("_updated_us").unique("_key_0", keep="last", maintain_order=False)
    latest.sort("_key_0").sink_parquet(folder / "out.parquet", compression="zstd")


def stage_ours(folder: Path) -> Iterator[None]:
    project, lake = opened(folder)
    shutil.rmtree(lake.staged(ENCRYPTED), ignore_errors=True)
    fetch_all(project, lake, poll(project, lake, [ENCRYPTED]).decisions)
    (export,) = read_exports(lake, ENCRYPTED)
    yield
    stage(project, lake, export, SILENT)


def stage_decrypt(folder: Path) -> Iterator[None]:
    """A part of the floor: gpg alone, to nowhere."""
    home = folder / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--trust-model", "always"]
    subprocess.run([*gpg, "--import", folder / "private.asc"], check=True, capture_output=True)
    message = folder / "in" / f"{ENCRYPTED.upper()}_{STAMP}.csv.gpg"
    yield
    subprocess.run([*gpg, "--decrypt", message], check=True, stdout=subprocess.DEVNULL)


def stage_parse(folder: Path) -> Iterator[None]:
    """The other part: the CSV parsed as text and written, with nothing checked."""
    yield
    rows = pl.scan_csv(csv_of(folder, "core"), infer_schema=False)
    rows.sink_parquet(folder / "out.parquet", compression="zstd", compression_level=1)


def encrypt_ours(folder: Path) -> Iterator[None]:
    project, _ = opened(folder)
    rows = pl.read_csv(csv_of(folder, "core"), infer_schema=False)
    delivery = Delivery.model_validate_json(
        json.dumps(
            {
                "segment": "profiles",
                "to": "here",
                "file": "x_{YYYYMMDD}.csv.gz.gpg",
                "compression": "gzip",
                "encrypt_for": ["partner"],
            }
        )
    )
    target = folder / "out.gpg"
    target.unlink(missing_ok=True)
    yield
    write_file(project, delivery, target, rows.columns, rows.iter_slices(100_000))


def encrypt_gpg(folder: Path) -> Iterator[None]:
    """The floor: gpg as it is, on the finished CSV."""
    home = folder / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--yes", "--no-autostart"]
    command += ["--trust-model", "always", "--recipient-file", str(folder / "public.asc")]
    command += ["--output", str(folder / "out.gpg"), "--encrypt", str(csv_of(folder, "core"))]
    yield
    subprocess.run(command, check=True)


WAYS: dict[str, Way] = {
    way.__name__: way
    for way in (
        *(merge_ours, merge_copy, merge_duckdb_row_number, merge_polars_unique),
        *(stage_ours, stage_decrypt, stage_parse),
        *(encrypt_ours, encrypt_gpg),
    )
}


def _staged(folder: Path) -> list[str]:
    return [
        str(path) for name in ROWS for path in (folder / "lake/staged" / name).rglob("*.parquet")
    ]


def _copy(query: str, folder: Path) -> None:
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(f"COPY ({query}) TO '{folder / 'out.parquet'}' ({_ZSTD})")


@contextmanager
def _measured() -> Iterator[None]:
    def used() -> float:
        own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime

    began, before = time.perf_counter(), used()
    yield
    seconds, cpu = time.perf_counter() - began, used() - before
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": _peak()}))


def _peak() -> int:
    """The most memory this process had; what rusage says begins with its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main(name: str, folder: Path) -> None:
    steps = WAYS[name](folder)
    next(steps)
    with _measured():
        next(steps, None)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
