"""Parquet files whose bytes depend on their rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from responsys_assets.lake.sink import Sink

_SAMPLE = 20_000  # rows of the first group that decide which columns get a dictionary
_FEW = 0.1


class ParquetFile:
    """One file under construction; each table written is one row group.

    `statistics` are the columns by which readers will leave out row groups.
    Disk errors are LakeErrors.
    """

    def __init__(self, path: Path, schema: pa.Schema, statistics: Sequence[str] = ()) -> None:
        self._schema = schema
        self._statistics = [*statistics]
        self._writer: pq.ParquetWriter | None = None
        self._sink = Sink(path)

    def write(self, table: pa.Table) -> None:
        """Append a row group."""
        if self._writer is None:
            self._writer = self._open(table)
        self._writer.write_table(table, row_group_size=max(1, len(table)))

    def close(self) -> str:
        """Finish the file; returns its sha256."""
        if self._writer is None:
            self._writer = self._open(self._schema.empty_table())
        self._writer.close()
        return self._sink.finish()

    def abandon(self) -> None:
        """Close the file as it is; unless it is finished, it is of no use then."""
        self._sink.abandon()

    def _open(self, first: pa.Table) -> pq.ParquetWriter:
        return pq.ParquetWriter(
            _Target(self._sink),
            self._schema,
            compression="lz4",  # larger than zstd, and read twice as fast
            use_dictionary=[name for name in first.column_names if _repeats(first[name])],
            write_statistics=self._statistics,
            store_schema=False,  # Parquet's own types say it all
        )


def _repeats(column: pa.ChunkedArray) -> bool:
    """Whether a dictionary pays: texts that are mostly repetitions."""
    if pa.types.is_dictionary(column.type):
        return True
    if not (pa.types.is_string_view(column.type) or pa.types.is_string(column.type)):
        return False
    sample = pl.from_arrow(column.slice(0, _SAMPLE))
    return isinstance(sample, pl.Series) and sample.n_unique() < _FEW * len(sample)


class _Target:
    """What the engine needs of a file; it writes its footer even to one that was abandoned."""

    closed = False

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: bytes) -> None:
        if not self._sink.closed:
            self._sink.write(data)
