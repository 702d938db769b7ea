"""Suppression files: people who are in no segment and no delivery, whatever the lists say.

A file that cannot be read whole and understood stops every segment: sending to fewer people
than suppressed would be the one mistake nobody can take back.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError, ResponsysError
from responsys_assets.normalise import normalise
from responsys_assets.segments.profiles import ProfileValues


@dataclass(frozen=True)
class SuppressionFile:
    """One entry of `suppressions` with the bytes it has now."""

    key: str  # suppressions.0
    path: Path
    column: str
    sha256: str
    content: bytes

    def as_input(self) -> dict[str, str]:
        """What a manifest says of it."""
        return {"file": self.path.name, "column": self.column, "sha256": self.sha256}


def read_suppressions(project: Project) -> list[SuppressionFile]:
    """Every suppression file, read whole.

    Raises:
        ResponsysError: if one is missing or cannot be read.
    """
    found = []
    for number, entry in enumerate(project.config.suppressions):
        key = f"suppressions.{number}"
        path = project.path(entry.file, f"{key}.file")
        try:
            content = path.read_bytes()
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            raise ResponsysError(
                "suppression_missing" if missing else "suppression_unreadable",
                "this suppression file is missing, so no segment is made; put it back"
                if missing
                else "this suppression file cannot be read, so no segment is made; "
                "mend its owner and mode",
                file=str(path),
                key=f"{key}.file",
            ) from None
        sha256 = hashlib.sha256(content).hexdigest()
        found.append(SuppressionFile(key, path, entry.column, sha256, content))
    return found


def suppressed_values(
    project: Project,
    suppressions: Sequence[SuppressionFile],
    types: Mapping[str, str],
    profiles: Sequence[Path],
) -> dict[str, pl.DataFrame]:
    """By column: the values of profiles (column `value`, as they are) that are suppressed.

    `types` are the columns of profiles with their types. Both sides are normalised alike.

    Raises:
        ConfigError: if profiles have no such text column.
        ResponsysError: if a file cannot be understood.
    """
    wanted: dict[str, list[pl.Series]] = {}
    for entry in suppressions:
        if types.get(entry.column) != "text":
            what = "have no column" if entry.column not in types else "have no text column"
            raise ConfigError(
                "unknown_column",
                f"profiles {what} {entry.column}, so nobody could be suppressed by it and "
                "no segment is made; name a text column that profiles have",
                file=str(project.file),
                key=f"{entry.key}.column",
            )
        values = pl.Series("value", list(_values(entry)), dtype=pl.String)
        wanted.setdefault(entry.column, []).append(normalise(values, entry.column, project.country))
    return {
        column: ProfileValues.read(profiles, column, project.country).like(
            every.filter(every != "")
        )
        for column, every in ((name, pl.concat(series)) for name, series in wanted.items())
    }


def _values(entry: SuppressionFile) -> Iterator[str]:
    """The column's values; the messages never quote the file, for its first line may be data."""
    try:
        text = entry.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _damaged(entry, "it is not UTF-8") from None
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        if header.count(entry.column) != 1:
            how = "twice" if entry.column in header else "not"
            raise _damaged(
                entry,
                f"its first line must name the column {entry.column} once, and names it {how}",
                line=1,
            )
        position = header.index(entry.column)
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise _damaged(
                    entry,
                    f"the record has {len(row)} fields and the header {len(header)}",
                    line=rows.line_num,
                )
            yield row[position]
    except csv.Error:
        raise _damaged(entry, "the quotes are not balanced", line=rows.line_num) from None


def _damaged(entry: SuppressionFile, what: str, line: int | None = None) -> ResponsysError:
    return ResponsysError(
        "suppression_damaged",
        f"{what}, so no segment is made; mend it: a CSV file in UTF-8 with a header line",
        file=str(entry.path),
        line=line,
        key=f"{entry.key}.file",
    )


def check_suppressions(project: Project) -> int:
    """Read every suppression file to its end, for `doctor`; returns how many entries they have.

    Raises:
        ResponsysError: for the first one that is missing or cannot be understood.
    """
    return sum(1 for entry in read_suppressions(project) for _ in _values(entry))
