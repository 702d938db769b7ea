"""SQL text in small pieces. Names are quoted here and only here; values are bound parameters."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def identifier(name: str) -> str:
    """A column name that came from outside."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | Path) -> str:
    """A text where duckdb takes no parameter."""
    return "'" + str(value).replace("'", "''") + "'"


def comma(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def among(column: str, numbers: Iterable[int]) -> str:
    """Whether a column is one of some numbers."""
    listed = comma(map(str, numbers))
    return f"{column} IN ({listed})" if listed else "false"


def exact_path(path: Path) -> str:
    """A path for `read_parquet`, which would take `*`, `?` and `[` for patterns."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))
