"""Staged rows in runs that are sorted by key, so that a range of keys is in few row groups.

The order of rows means nothing to a reader, `_record` says it; what it buys is that the merge
reads each range of keys at its cost, by the statistics of the row groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import polars as pl
import pyarrow as pa

from responsys_assets.staged.columns import SOURCE_FILE

GROUP_ROWS = 16_384
RUN_ROWS = 32 * GROUP_ROWS
SMALL_ROWS = 4 * GROUP_ROWS  # as well read whole
RUN_BYTES = 192 << 20
_VIEW_BYTES = 16  # what every value takes beside its text


def in_runs(batches: Iterable[tuple[pa.RecordBatch, int]]) -> Iterator[pa.Table]:
    """Batches, each with the size of its text, as runs: by a fixed rule, so equal content makes
    equal files."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch, used in batches:
        if batch.num_rows:
            waiting.append(batch)
        rows += batch.num_rows
        size += used + batch.num_rows * batch.num_columns * _VIEW_BYTES
        if waiting and (rows >= RUN_ROWS or size >= RUN_BYTES):
            yield pa.Table.from_batches(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def row_groups(run: pa.Table, keys: Sequence[str]) -> Iterator[pa.Table]:
    """A run sorted by key, in row groups of a fixed number of rows; a small run stays in the
    order of its records."""
    if len(run) <= SMALL_ROWS:
        for start in range(0, len(run), GROUP_ROWS):
            yield run.slice(start, GROUP_ROWS)
        return
    place = run.schema.get_field_index(SOURCE_FILE)
    name = run.column(place).slice(0, GROUP_ROWS)  # the same in all rows
    frame = pl.DataFrame(run.remove_column(place)).rechunk()
    order = frame.select(pl.arg_sort_by(keys, maintain_order=True)).to_series()
    for start in range(0, len(order), GROUP_ROWS):
        rows = frame[order.slice(start, GROUP_ROWS)]
        group = rows.to_arrow(compat_level=pl.CompatLevel.newest())
        yield group.add_column(place, run.field(place), name.slice(0, len(group)))
