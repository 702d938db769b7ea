"""The duckdb connection that merges: private, encrypted spill files, errors without data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

from responsys_assets.errors import LakeError
from responsys_assets.profiles.sql import literal

NAME = "duckdb"
VERSION = duckdb.__version__


@dataclass(frozen=True)
class Limits:
    """What the engine may use: by default every core and half of the machine's memory."""

    threads: int | None = None
    memory_bytes: int | None = None

    @property
    def memory(self) -> int:
        if self.memory_bytes is not None:
            return self.memory_bytes
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


@contextmanager
def merging(spill: Path, limits: Limits) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that spills into the folder `spill`, which must be private.

    Raises:
        LakeError: instead of the engine's own errors, whose text may hold records.
    """
    connection = duckdb.connect(":memory:")
    try:
        for setting in (
            f"memory_limit = '{limits.memory}B'",
            f"temp_directory = {literal(str(spill))}",
            # without the httpfs extension duckdb encrypts by the library that it calls unsafe,
            # because its random numbers are weak; for files that live for one merge it will do
            "force_mbedtls_unsafe = true",
            "temp_file_encryption = true",
            "TimeZone = 'UTC'",
            # every result that matters has an ORDER BY
            "preserve_insertion_order = false",
            "python_enable_replacements = false",
            "autoinstall_known_extensions = false",
            "autoload_known_extensions = false",
        ):
            connection.execute(f"SET {setting}")
        if limits.threads is not None:
            connection.execute(f"SET threads = {limits.threads}")
        yield connection
    except duckdb.OutOfMemoryException:
        raise LakeError(
            "memory",
            "merging profiles needs more memory, or more room in the lake to spill, than there "
            "is; free some, then run this again",
        ) from None
    except (duckdb.IOException, pl.exceptions.ComputeError, pa.ArrowException, OSError):
        raise LakeError(
            "disk",
            "merging profiles cannot read or write a file of the lake; check its room, owner and "
            "mode, run `responsys verify`, then run this again",
        ) from None
    except (duckdb.Error, pl.exceptions.PolarsError) as error:
        raise LakeError(
            "merge_failed",
            f"the engine failed while merging profiles ({type(error).__name__}); run "
            "`responsys verify`, then run this again",
        ) from None
    finally:
        connection.close()


def frame(connection: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    """The rows of a query, in its order."""
    return pl.DataFrame(connection.sql(query).to_arrow_table()).rechunk()
