"""Parquet files whose bytes depend on their rows alone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from responsys_assets.lake.publish import FILE_MODE, disk_errors

_SAMPLE = 20_000  # rows of the first group that decide which columns get a dictionary
_FEW = 0.1


class ParquetFile:
    """One file under construction; each table written is one row group.

    `statistics` are the columns by which readers will leave out row groups.
    Disk errors are LakeErrors. `sha256` holds once it is closed.
    """

    def __init__(self, path: Path, schema: pa.Schema, statistics: Sequence[str] = ()) -> None:
        self._schema = schema
        self._statistics = [*statistics]
        self._writer: pq.ParquetWriter | None = None
        with disk_errors(f"cannot write {path.name}"):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            self._file = _Hashed(os.fdopen(os.open(path, flags, FILE_MODE), "wb"))
        self.path = path
        self.rows = 0

    def write(self, table: pa.Table) -> None:
        """Append a row group."""
        with disk_errors(f"cannot write {self.path.name}"):
            if self._writer is None:
                self._writer = self._open(table)
            self._writer.write_table(table, row_group_size=max(1, len(table)))
        self.rows += len(table)

    def close(self) -> str:
        """Finish the file; returns its sha256."""
        with disk_errors(f"cannot write {self.path.name}"):
            if self._writer is None:
                self._writer = self._open(self._schema.empty_table())
            self._writer.close()
            self._file.close()
        return self._file.hexdigest()

    def abandon(self) -> None:
        """Close the file as it is; unless it is finished, it is of no use then."""
        self._file.abandon()

    def _open(self, first: pa.Table) -> pq.ParquetWriter:
        return pq.ParquetWriter(
            self._file,
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


class _Hashed:
    """A file that is hashed as it is written."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._size = 0
        self._abandoned = False

    def write(self, data: bytes) -> int:
        if not self._abandoned:  # the engine writes its footer even then
            self._hash.update(data)
            self._file.write(data)
        self._size += len(data)
        return len(data)

    def abandon(self) -> None:
        self._abandoned = True
        self._file.close()

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
