"""The consent ledger of three staged lists."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.project import opened, staged_files
from responsys_assets.consent.refresh import known_exports, refresh


def ledger_ours(folder: Path) -> Iterator[None]:
    """Every statement of every record, with the person and the address that it is about."""
    staged_files(folder)
    project, lake = opened(folder)
    shutil.rmtree(lake.consent(""), ignore_errors=True)
    yield
    refresh(project, lake, known_exports(lake))
