"""The consent ledger of three staged lists."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.project import opened, staged_files
from benchmarks.ways.merge import ZSTD, copy
from responsys_assets.consent.refresh import known_exports, refresh


def ledger_ours(folder: Path) -> Iterator[None]:
    """Every statement of every record, with the person and the address that it is about."""
    staged_files(folder)
    project, lake = opened(folder)
    shutil.rmtree(lake.consent(""), ignore_errors=True)
    yield
    refresh(project, lake, known_exports(lake))


def ledger_copy(folder: Path) -> Iterator[None]:
    """The floor: the key, the time and the permissions of every staged row, copied."""
    files = staged_files(folder)
    yield
    columns = "_key_0, _record, _updated_us, _permissions"
    rows = f"read_parquet({files}, union_by_name = true)"
    copy(f"SELECT {columns} FROM {rows}", folder / "out.parquet", ZSTD)
    (folder / "out.parquet").unlink()
