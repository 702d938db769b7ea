"""SQL text in small pieces. Names are quoted here and only here; values are bound parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from responsys_assets.profiles.live import Source

FILE_COLUMN = "_responsys_file"
"""What duckdb calls the column that holds the path of a row's file; unlikely in real data."""


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


def literal(value: str) -> str:
    """A text where duckdb takes no parameter."""
    return "'" + value.replace("'", "''") + "'"


def comma(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def exact_path(path: Path) -> str:
    """A path for `read_parquet`, which would take `*`, `?` and `[` for patterns."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))


def read_parquet(files: Sequence[Path], parameter: str) -> Sql:
    """The rows of several files, columns matched by name, each with its file's path."""
    return Sql(
        f"read_parquet(${parameter}, union_by_name = true, hive_partitioning = false, "
        f"filename = '{FILE_COLUMN}')",
        {parameter: [exact_path(path) for path in files]},
    )


def of_files(files: Sequence[Path], parameter: str, columns: Mapping[str, str]) -> Sql:
    """A subquery over staged files: `columns` are expressions by their new name.

    Expressions may use `r` (the row) and `f` (its file: `seq` and `stamp`). A path that the
    table `files` does not know ends the merge: no row may get lost by it.
    """
    if not files:
        nothing = comma(f"NULL AS {name}" for name in columns)
        return Sql(f"(SELECT {nothing} WHERE false)")
    read = read_parquet(files, parameter)
    shown = comma(f"{expression} AS {name}" for name, expression in columns.items())
    return combine(
        f"(SELECT {shown} FROM {read} AS r LEFT JOIN files AS f ON f.path = r.{FILE_COLUMN} "
        "WHERE CASE WHEN f.path IS NULL THEN error('unknown file') ELSE true END)",
        read,
    )


def rows_of(sources: Sequence[Source]) -> list[Path]:
    """The staged files of these exports."""
    return [source.rows for source in sources if source.rows is not None]


def holds_of(sources: Sequence[Source]) -> list[Path]:
    """The hold files of these exports."""
    return [source.holds for source in sources if source.holds is not None]


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
