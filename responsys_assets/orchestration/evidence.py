"""Independent looks at published files: the numbers behind the checks.

None of it reuses the code that made the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from responsys_assets.lake.exports import Export
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.normalise import normalise
from responsys_assets.orchestration.metadata import parquet_rows
from responsys_assets.system_columns import Channel


def rows_of(snapshot: Snapshot) -> list[Path]:
    """The files with a snapshot's rows, without what lies in its subfolders."""
    return [
        path
        for path in snapshot.files
        if path.parent == snapshot.path and path.suffix == ".parquet"
    ]


def unaccounted(exports: Sequence[Export]) -> int:
    """Records that are neither in the staged file nor in the quarantine, or in both."""
    lost = 0
    for export in exports:
        if export.outcome is None:
            continue
        staged = parquet_rows(export.parquet) if export.parquet.exists() else 0
        # a quarantine that retention has removed is taken at its receipt's word
        kept = export.rejects.exists()
        rejected = parquet_rows(export.rejects) if kept else export.outcome.rejected
        lost += abs(export.outcome.records - staged - rejected)
    return lost


def empty_keys(files: list[Path], columns: Sequence[str]) -> int:
    """Rows with an empty part of their key."""
    empty = pl.any_horizontal(pl.col(column).fill_null("") == "" for column in columns)
    return _number(files, empty.sum())


def repeated_keys(files: list[Path], columns: Sequence[str]) -> int:
    """Rows beyond the first of their key."""
    return _number(files, pl.len() - pl.struct(columns).n_unique())


def filled(files: list[Path]) -> dict[str, int]:
    """For each column the rows that have a value."""
    if not files:
        return {}
    rows = pl.scan_parquet(files, glob=False)
    counts = [
        (pl.col(name) != "").sum() if kind == pl.String else pl.col(name).count()
        for name, kind in rows.collect_schema().items()
    ]
    return rows.select(counts).collect(engine="streaming").row(0, named=True)


def unreachable(
    segment: Snapshot,
    profiles: Snapshot,
    channel: Channel,
    match: Sequence[str],
    country: str | None,
) -> int:
    """Rows of a segment without a profile that may be reached through the channel."""
    keys = [path for path in segment.files if path.parent.name == "keys"] or rows_of(segment)
    path = profiles.path / "closed" / f"{channel.name}.parquet"
    closed = pl.read_parquet(path, glob=False)["address"]
    closed = normalise(closed, channel.address, country)
    people = pl.scan_parquet(rows_of(profiles), glob=False)
    columns = people.collect_schema().names()
    address = pl.col(channel.address)
    allowed = [
        pl.col(channel.permission) == "I",
        address != "",
        ~normalise(address, channel.address, country).is_in(closed.implode()),
    ]
    if channel.deliverability in columns:
        allowed.append(pl.col(channel.deliverability).fill_null("") != "U")
    reachable = people.filter(allowed).select(match)
    wrong = pl.scan_parquet(keys, glob=False).select(match).join(reachable, on=[*match], how="anti")
    return int(wrong.select(pl.len()).collect(engine="streaming").item())


def _number(files: list[Path], expression: pl.Expr) -> int:
    if not files:
        return 0
    return int(
        pl.scan_parquet(files, glob=False).select(expression).collect(engine="streaming").item()
        or 0
    )
