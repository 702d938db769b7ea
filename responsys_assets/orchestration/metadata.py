"""Metadata as Dagster likes it: tables, schemas, lineage. Numbers and names, never values."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq

from responsys_assets.lake.exports import Export

Metadata = dict[str, dg.MetadataValue | str | int | float]
Lineage = Mapping[str, Sequence[dg.TableColumnDep]]

_BAR = 30
_DAYS_SHOWN = 14


def version_of(parts: Iterable[str]) -> str:
    """A data version from the digests of what an asset consists of."""
    joined = "|".join(parts)
    return f"sha256:{hashlib.sha256(joined.encode()).hexdigest()}"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MarkdownMetadataValue:
    lines = [header, ["---"] * len(header), *rows]
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(map(str, line))} |" for line in lines))


def schema(columns: Iterable[tuple[str, str]]) -> dg.TableSchemaMetadataValue:
    return dg.MetadataValue.table_schema(
        dg.TableSchema(columns=[dg.TableColumn(name, kind) for name, kind in columns])
    )


def lineage(deps: Lineage) -> dg.TableColumnLineageMetadataValue:
    return dg.MetadataValue.column_lineage(
        dg.TableColumnLineage(deps_by_column={column: [*found] for column, found in deps.items()})
    )


def size_of(files: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in files if path.exists())


def parquet_columns(path: Path) -> list[tuple[str, str]]:
    """Names and types of a Parquet file's columns."""
    return [(field.name, str(field.type)) for field in pq.read_schema(path)]


def parquet_rows(path: Path) -> int:
    """Rows of a Parquet file by its own account."""
    return int(pq.read_metadata(path).num_rows)


def rows_by_day(exports: Iterable[Export]) -> dg.MarkdownMetadataValue:
    """A bar a day: staged rows of the last days that have any."""
    rows: dict[dt.date, int] = {}
    for export in exports:
        if export.accepted and export.outcome:
            rows[export.day] = rows.get(export.day, 0) + export.outcome.staged
    shown = sorted(rows.items())[-_DAYS_SHOWN:]
    most = max((count for _, count in shown), default=0) or 1
    lines = [f"{day}  {'█' * round(_BAR * n / most):<{_BAR}}  {n:>12,}" for day, n in shown]
    return dg.MetadataValue.md("\n".join(["```", *lines, "```"]))
