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
from functools import lru_cache
from pathlib import Path

import polars as pl

from responsys_assets.config.models import Suppression
from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError, LakeError, ResponsysError
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot, SnapshotStore
from responsys_assets.normalise import rules, visible
from responsys_assets.normalise.entries import Entries, understand
from responsys_assets.segments.profiles import ProfileValues

_MOST_UNREADABLE = 0.05
_BOM = "\ufeff"


@dataclass(frozen=True)
class SuppressionFile:
    """One entry of `suppressions` with what its file says now."""

    key: str  # suppressions.0
    path: Path
    column: str
    sha256: str
    rules: str  # of spelling
    entries: Entries

    @property
    def unreadable(self) -> int:
        """How many entries keep nobody out, for they cannot be what the column says."""
        return len(self.entries.unreadable)

    def as_input(self) -> dict[str, str | int]:
        """What a manifest says of it."""
        return {
            "file": self.path.name,
            "column": self.column,
            "sha256": self.sha256,
            "rules": self.rules,
            "entries": self.entries.count,
            "distinct": self.entries.distinct,
            "unreadable": self.unreadable,
        }


def read_suppressions(project: Project) -> list[SuppressionFile]:
    """Every suppression file, read whole and understood.

    Raises:
        ResponsysError: if one is missing, cannot be read or understood, or has lost entries.
    """
    found = []
    before = _entries_before(project) if project.config.suppressions else {}
    for number, wanted in enumerate(project.config.suppressions):
        file = _read(project, wanted, f"suppressions.{number}")
        _check_readable(file)
        _check_kept(file, wanted.min_entries, before.get((file.path.name, file.column), 0))
        found.append(file)
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
    """
    wanted: dict[str, list[Entries]] = {}
    for file in suppressions:
        if types.get(file.column) != "text":
            what = "have no column" if file.column not in types else "have no text column"
            raise ConfigError(
                "unknown_column",
                f"profiles {what} {file.column}, so nobody could be suppressed by it and "
                "no segment is made; name a text column that profiles have",
                file=str(project.file),
                key=f"{file.key}.column",
            )
        wanted.setdefault(file.column, []).append(file.entries)
    found = {}
    for column, entries in wanted.items():
        values = ProfileValues.read(profiles, column, project.country)
        found[column] = pl.concat(
            [
                values.like(pl.concat([each.values for each in entries])),
                values.of_domains({name for each in entries for name in each.domains}),
                values.hashed({hashed for each in entries for hashed in each.hashes}),
            ]
        ).unique()
    return found


def check_suppressions(project: Project) -> tuple[str, dict[Path, str]]:
    """What `doctor` says of the suppression files, and of each that has odd entries.

    Raises:
        ResponsysError: for the first one that stops the segments.
    """
    files = read_suppressions(project)
    total = sum(file.entries.count for file in files)
    odd = {
        file.path: f"{_unreadable(file)}, so they keep nobody out; mend or remove them"
        for file in files
        if file.unreadable
    }
    return f"{len(files)} files, {total:,} entries", odd


def _read(project: Project, wanted: Suppression, key: str) -> SuppressionFile:
    path = project.path(wanted.file, f"{key}.file")
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
    try:
        entries = _entries(content, wanted.column, project.country)
    except _DamagedError as damage:
        raise ResponsysError(
            "suppression_damaged",
            f"{damage.what}, so no segment is made; mend it: a CSV file in UTF-8 with a header "
            "line",
            file=str(path),
            line=damage.line,
            key=f"{key}.file",
        ) from None
    sha256 = hashlib.sha256(content).hexdigest()
    return SuppressionFile(key, path, wanted.column, sha256, rules(project.country), entries)


class _DamagedError(Exception):
    """Not a CSV file with the column; never quotes the file, for its first line may be data."""

    def __init__(self, what: str, line: int | None = None) -> None:
        super().__init__(what)
        self.what, self.line = what, line


@lru_cache(maxsize=8)  # every segment and delivery asks for the same files
def _entries(content: bytes, column: str, country: str | None) -> Entries:
    found = list(_cells(content, column))
    return understand([line for line, _ in found], [cell for _, cell in found], column, country)


def _cells(content: bytes, column: str) -> Iterator[tuple[int, str]]:
    """The column's cells that are not empty, with their lines.

    Files that were appended to each other repeat the header, behind a byte order mark or behind
    a last line without its end. With one column a whole line is the cell: what follows the
    address (a reason, another address) need not be in quotes.
    """
    try:
        text = content.decode().replace(_BOM, "")
    except UnicodeDecodeError:
        raise _DamagedError("it is not UTF-8") from None
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = _header(next(rows, []))
        if header.count(column) != 1:
            how = "twice" if column in header else "not"
            raise _DamagedError(
                f"its first line must name the column {column} once, and names it {how}", 1
            )
        position = header.index(column)
        for row in rows:
            if not row or (any(column in value for value in row) and _header(row) == header):
                continue
            if len(header) == 1:
                cell = ",".join(row).removesuffix(column)
            elif len(row) == len(header):
                cell = row[position]
            else:
                raise _DamagedError(
                    f"the record has {len(row)} fields and the header {len(header)}", rows.line_num
                )
            if cell and (cell.isalnum() or visible(cell)):
                yield rows.line_num, cell
    except csv.Error:
        raise _DamagedError("the quotes are not balanced", rows.line_num) from None


def _header(row: Sequence[str]) -> list[str]:
    return [visible(name).strip("'\"") for name in row]


def _check_readable(file: SuppressionFile) -> None:
    if file.unreadable > _MOST_UNREADABLE * file.entries.count:
        raise ResponsysError(
            "suppression_not_understood",
            f"{_unreadable(file)}, so no segment is made; mend or remove them, or name the "
            "column that they are of",
            file=str(file.path),
            line=file.entries.unreadable[0],
            key=f"{file.key}.file",
        )


def _unreadable(file: SuppressionFile) -> str:
    """How many entries are not what they should be, and their lines; never what they say."""
    lines = file.entries.unreadable
    some = ", ".join(str(line) for line in lines[:10])
    more = f" and {len(lines) - 10:,} more" if lines[10:] else ""
    return (
        f"{len(lines):,} of {file.entries.count:,} entries are no {file.column} "
        f"(line{'s' if lines[1:] else ''} {some}{more})"
    )


def _check_kept(file: SuppressionFile, least: int | None, before: int) -> None:
    """A file loses entries by accident; a person who means it says so with `min_entries`."""
    count = file.entries.distinct
    if least is not None:
        if count >= least:
            return
        what = f"has {count:,} entries, less than its min_entries"
        advice = "put the missing ones back, or lower min_entries"
    elif count * 2 >= before:
        return
    else:
        what = f"has {count:,} entries, and had {before:,} when it was last used"
        advice = (
            f"put the missing ones back; if they are meant to be gone, set min_entries: {count} "
            "beside this file in the configuration for one sync"
        )
    raise ResponsysError(
        "suppression_shrunk",
        f"this suppression file {what}, so no segment is made; {advice}",
        file=str(file.path),
        key=file.key,
    )


def _entries_before(project: Project) -> dict[tuple[str, str], int]:
    """By file and column: the entries in the newest manifest that names them."""
    lake = Lake(project.lake_path)
    stores = [SnapshotStore(lake.segment(name)) for name in project.config.segments]
    stores += [SnapshotStore(lake.delivery(name)) for name in project.config.deliveries]
    snapshots = [snapshot for store in stores if (snapshot := _current(store))]
    found = {}
    for snapshot in sorted(snapshots, key=lambda each: str(each.manifest["created_at"])):
        for file in snapshot.manifest["inputs"].get("suppressions", ()):
            if "entries" in file:
                found[file["file"], file["column"]] = int(file.get("distinct", file["entries"]))
    return found


def _current(store: SnapshotStore) -> Snapshot | None:
    try:
        return store.current()
    except LakeError:  # damaged: its own asset says so
        return None
