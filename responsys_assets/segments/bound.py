"""A `where` bound to the columns that profiles really have."""

# ruff: noqa: S608 - names and texts are quoted by segments/engine.py, `where` is parsed

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

import duckdb

from responsys_assets.config.criteria import TODAY, Criteria, CriteriaError
from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError, ResponsysError
from responsys_assets.segments import engine
from responsys_assets.segments.sql import identifier

_ENGINE_TYPES = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
}


def bind(project: Project, segment: str, types: Mapping[str, str]) -> Criteria:
    """The segment's criteria, held against the columns of profiles and their types.

    Raises:
        ConfigError: for an unknown column, a type that does not fit, or a result that is not
            true or false.
    """
    where = project.config.segments[segment].where
    try:
        criteria = Criteria.parse(where, types)
    except CriteriaError as error:
        raise _refused(project, segment, str(error)) from None
    known = {name.lower() for name in types}
    for column in sorted(criteria.columns):
        if column.lower() not in known:
            raise unknown_column(project, f"segments.{segment}.where", column, types)
    if criteria.uses_today and TODAY.lower() in known:
        raise _refused(
            project, segment, f"profiles have a column {TODAY}, so {TODAY} could mean two things"
        )
    kind = _kind_of(project, segment, where, types)
    if kind != "BOOLEAN":
        raise _refused(project, segment, f"expected true or false, this expression gives {kind}")
    return criteria


def unknown_column(project: Project, key: str, column: str, known: Iterable[str]) -> ConfigError:
    """The error for a column that is not there, with the names that come close."""
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(column.lower(), names, n=3, cutoff=0.6)
    hint = (
        f"did you mean {' or '.join(names[name] for name in close)}?"
        if close
        else (f"the columns are {', '.join(names.values())}")
    )
    return ConfigError(
        "unknown_column",
        f"there is no column {column}; {hint}",
        file=str(project.file),
        key=key,
    )


def failed(project: Project, segment: str, error: duckdb.Error) -> ResponsysError:
    """The error for a criteria that fails on the data; the engine's text holds values."""
    if isinstance(error, duckdb.IOException):
        return engine.fault(f"cannot make segment {segment}", error)
    if isinstance(error, duckdb.OutOfMemoryException):
        what = "needs more memory than there is; make it simpler"
    elif isinstance(error, duckdb.InterruptException):
        what = "took too long and was ended; make it simpler"
    elif isinstance(error, duckdb.ConversionException):
        what = "casts a value that does not fit; use TRY_CAST, which gives NULL then"
    elif isinstance(error, duckdb.OutOfRangeException):
        what = "leaves the range of its type on some profile; use a wider type"
    else:
        what = f"cannot be evaluated on some profile ({type(error).__name__})"
    return ResponsysError(
        "where_failed", what, file=str(project.file), key=f"segments.{segment}.where"
    )


def _kind_of(project: Project, segment: str, where: str, types: Mapping[str, str]) -> str:
    """The type of the expression, found on one row of NULLs, so no error can hold data."""
    columns = [
        f"{identifier(name)} {_ENGINE_TYPES.get(kind, kind.upper())}"
        for name, kind in types.items()
    ]
    columns += [] if TODAY.lower() in map(str.lower, types) else [f"{TODAY} DATE"]
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        connection.execute(f"CREATE TABLE profiles ({', '.join(columns)})")
        nulls = ", ".join("NULL" for _ in columns)
        connection.execute(f"INSERT INTO profiles VALUES ({nulls})")
        # run, too: a constant that cannot be cast fails only then
        query = f"SELECT (\n{where}\n) AS matched FROM profiles"
        try:
            described = connection.execute(f"DESCRIBE {query}").fetchall()
            connection.execute(query).fetchall()
        except duckdb.Error as error:
            raise _refused(project, segment, str(error).split("\n", maxsplit=1)[0]) from None
    return str(described[0][1])


def _refused(project: Project, segment: str, message: str) -> ConfigError:
    return ConfigError(
        "config_invalid", message, file=str(project.file), key=f"segments.{segment}.where"
    )
