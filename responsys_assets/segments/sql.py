"""Names and texts in SQL: quoted here and only here."""

from __future__ import annotations

from pathlib import Path


def identifier(name: str) -> str:
    """A column name that came from outside."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | Path) -> str:
    """A text where duckdb takes no parameter."""
    return "'" + str(value).replace("'", "''") + "'"


def exact_path(path: Path) -> str:
    """A path for `read_parquet`, which would take `*`, `?` and `[` for patterns."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))
