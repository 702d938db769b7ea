"""A duckdb connection that reads the files it is given and does nothing else."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

from responsys_assets.errors import LakeError
from responsys_assets.lake.parquet import ParquetFile
from responsys_assets.segments.sql import exact_path, literal

VERSION = f"duckdb {duckdb.__version__}, polars {pl.__version__}, pyarrow {pa.__version__}"

ROW_GROUP = 122_880
_TIME_LIMIT_SECONDS = 1800.0
_SMALLEST_MEMORY = 256 << 20


def parquet(files: Sequence[Path]) -> str:
    """A table function that reads these files, in this order."""
    return f"read_parquet([{', '.join(literal(exact_path(file)) for file in files)}])"


def fault(what: str, error: duckdb.Error) -> LakeError:
    """The error for an engine that fails where no data can be at fault; its text may hold rows."""
    if isinstance(error, duckdb.OutOfMemoryException):
        advice = "it needs more memory than there is; free some, then run this again"
    elif isinstance(error, duckdb.IOException):
        advice = (
            "a file cannot be read or written; check room, owner and mode of the lake, and "
            "`responsys verify`, then run this again"
        )
    else:
        advice = (
            f"the engine failed ({type(error).__name__}); `responsys verify` says whether a file "
            "is damaged; if none is, run this again"
        )
    return LakeError("engine_failed", f"{what}: {advice}")


def _memory_limit() -> int:
    """Half of the machine's memory, in bytes; more than that spills."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(total // 2, _SMALLEST_MEMORY)


def write_parquet(connection: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    """Write an ordered query's rows; equal rows give equal bytes.

    The engine's own COPY cuts pages where its threads happened to cut the rows, so the rows are
    taken from it and written in row groups of a fixed size.
    """
    found = connection.sql(query).to_arrow_reader(ROW_GROUP)
    schema = pa.schema([(field.name, _in_utc(field.type)) for field in found.schema])
    file = ParquetFile(target, schema)
    try:
        rows = pa.Table.from_batches([], schema)
        for batch in _read(found):
            rows = pa.concat_tables([rows, pa.Table.from_batches([batch]).cast(schema)])
            while rows.num_rows >= ROW_GROUP:
                file.write(rows.slice(0, ROW_GROUP).combine_chunks())
                rows = rows.slice(ROW_GROUP)
        if rows.num_rows:
            file.write(rows.combine_chunks())
        file.close()
    finally:
        file.abandon()


def batches(
    connection: duckdb.DuckDBPyConnection, query: str, rows: int
) -> Iterator[pa.RecordBatch]:
    """A query's rows in order, at most `rows` at a time."""
    return _read(connection.sql(query).to_arrow_reader(rows))


def _read(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """A fault of the engine while it is read comes as OSError, with values in its text."""
    try:
        yield from reader
    except (OSError, pa.ArrowException):
        raise duckdb.Error("the rows cannot be computed") from None


def _in_utc(kind: pa.DataType) -> pa.DataType:
    """Instants are kept in UTC, whatever zone the connection has for their days and hours."""
    return pa.timestamp(kind.unit, "UTC") if pa.types.is_timestamp(kind) and kind.tz else kind


@contextmanager
def locked_down(
    *,
    read: Sequence[Path],
    spill: Path,
    zone: str,
    tables: Mapping[str, pl.DataFrame] | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection without network, extensions, settings or Python objects.

    It reads exactly the files `read` and the given `tables`; `spill` (in a private folder) takes
    what exceeds half of the memory, encrypted.
    `zone` gives timestamps their local days and hours. A statement that runs for more than
    half an hour is interrupted.
    """
    connection = duckdb.connect(":memory:")
    watch = threading.Timer(_TIME_LIMIT_SECONDS, connection.interrupt)
    watch.daemon = True
    try:
        for name, table in (tables or {}).items():
            connection.register(name, table.to_arrow())
        for setting in (
            f"memory_limit = '{_memory_limit()}B'",
            f"temp_directory = {literal(spill)}",
            # without the httpfs extension the engine encrypts with a library that it calls
            # unsafe for its weak random numbers; for files that live for minutes it will do
            "force_mbedtls_unsafe = true",
            "temp_file_encryption = true",
            f"TimeZone = {literal(zone)}",
            "preserve_insertion_order = true",
            "python_enable_replacements = false",
            "autoinstall_known_extensions = false",
            "autoload_known_extensions = false",
            f"allowed_paths = [{', '.join(map(literal, read))}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            connection.execute(f"SET {setting}")
        watch.start()
        yield connection
    finally:
        watch.cancel()
        connection.close()
