"""`responsys sync` after 1 % of the keys changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.project import make_increments, server_of
from benchmarks.ways.sync import command, forget

_CHANGED = 0.01  # of the keys


def changed_ours(folder: Path) -> Iterator[None]:
    """Increments with 1 % of the keys."""
    size, seed = (folder / "made").read_text().split()
    forget(folder)
    with server_of(folder):
        command(folder)
        make_increments(folder, float(size), int(seed), _CHANGED)
        yield
        command(folder)
