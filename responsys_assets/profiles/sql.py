"""SQL text in small pieces. Names are quoted here and only here; values are bound parameters."""

# ruff: noqa: S608 - names are quoted here, values are bound

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from responsys_assets.profiles.live import Source

# names that no real data has
_FILE, _SEQ, _STAMP = "_responsys_file", "_responsys_seq", "_responsys_stamp"

SEQ = f"r.{_SEQ}"
"""In a subquery over staged files: the place of a row's export in the order of its list."""

STAMP = f"r.{_STAMP}"
"""In a subquery over staged files: the stamp of a row's export in UTC microseconds."""


@dataclass(frozen=True)
class Sql:
    """A statement, or a part of one, with the values of its parameters."""

    text: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text


def combine(text: str, *parts: Sql) -> Sql:
    """`text`, which was made from `parts`, with the values of all of them."""
    values: dict[str, object] = {}
    for part in parts:
        values.update(part.values)
    return Sql(text, values)


def identifier(name: str) -> str:
    """A column name that came from outside."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | Path) -> str:
    """A text where duckdb takes no parameter."""
    return "'" + str(value).replace("'", "''") + "'"


def comma(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def exact_path(path: Path) -> str:
    """A path for `read_parquet`, which would take `*`, `?` and `[` for patterns."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))


@dataclass(frozen=True)
class StagedFile:
    """A Parquet file of an export, with the export's order and stamp."""

    path: Path
    seq: int
    stamp_us: int


def rows_of(sources: Sequence[Source]) -> list[StagedFile]:
    """The staged rows of these exports."""
    return [StagedFile(s.rows, s.seq, s.stamp_us) for s in sources if s.rows is not None]


def holds_of(sources: Sequence[Source]) -> list[StagedFile]:
    """What rejected records of these exports still say."""
    return [StagedFile(s.holds, s.seq, s.stamp_us) for s in sources if s.holds is not None]


def of_files(files: Sequence[StagedFile], name: str, columns: Mapping[str, str]) -> Sql:
    """A subquery over files, columns matched by name: `columns` are expressions by new name.

    Expressions may use `r` (a row of a file), SEQ and STAMP; `name` starts the names of the
    parameters. A path that is not the one asked for ends the merge: no row may get lost by it.
    """
    if not files:
        nothing = comma(f"NULL AS {new}" for new in columns)
        return Sql(f"(SELECT {nothing} WHERE false)")
    shown = comma(f"{expression} AS {new}" for new, expression in columns.items())
    position = f"coalesce(list_position(${name}_paths, {_FILE}), error('unknown file'))"
    return Sql(
        f"(SELECT {shown} FROM (SELECT *, "
        f"${name}_seqs[{position}] AS {_SEQ}, ${name}_stamps[{position}] AS {_STAMP} "
        f"FROM read_parquet(${name}, union_by_name = true, hive_partitioning = false, "
        f"filename = '{_FILE}')) AS r)",
        {
            name: [exact_path(file.path) for file in files],
            f"{name}_paths": [str(file.path) for file in files],
            f"{name}_seqs": [file.seq for file in files],
            f"{name}_stamps": [file.stamp_us for file in files],
        },
    )


@dataclass(frozen=True)
class Keys:
    """The normalised match columns: `_key_0` … in staged files, `k0` … in our tables."""

    count: int

    @property
    def names(self) -> list[str]:
        return [f"k{n}" for n in range(self.count)]

    @property
    def list(self) -> str:
        return comma(self.names)

    def of(self, table: str) -> str:
        return comma(f"{table}.{name}" for name in self.names)

    @property
    def staged(self) -> dict[str, str]:
        """How to read them from a staged file or a hold file."""
        return {f"k{n}": f"CAST(r._key_{n} AS VARCHAR)" for n in range(self.count)}
