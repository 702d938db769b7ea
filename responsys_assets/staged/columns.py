"""Columns of an export: the header against the configuration, and texts to declared types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from responsys_assets.config.models import ColumnType, ProfileList
from responsys_assets.normalise import WHITESPACE
from responsys_assets.staged.held import HeldError
from responsys_assets.staged.times import parse_dates, parse_timestamps
from responsys_assets.system_columns import CHANNELS, LISTS, UPDATED_AT, Channel

SOURCE_FILE = "_source_file"
SOURCE_LINE = "_source_line"
RECORD = "_record"
UPDATED_US = "_updated_us"
PERMISSIONS = "_permissions"
KEY_PART = "_key_"

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "text": pa.string_view(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
_DELIMITERS = {",": "comma", ";": "semicolon", "|": "pipe", "\t": "tab"}
_LIKE_A_COLUMN = re.compile(r"[A-Z]+(_[A-Z]*)+$")
_TRUE = ["true", "t", "yes", "y", "1"]
_FALSE = ["false", "f", "no", "n", "0"]
_INTEGER = r"^[+-]?[0-9]+$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


@dataclass(frozen=True)
class Column:
    """A column under its final name, with its declared type."""

    name: str
    kind: ColumnType


@dataclass(frozen=True)
class Layout:
    """The columns of one file, in its order, and where those with a meaning are."""

    columns: tuple[Column, ...]
    match: tuple[int, ...]
    updated_at: int | None
    channels: tuple[tuple[Channel, int, int | None], ...]  # permission column, address column
    country: str | None  # of mobile numbers without a calling code

    @property
    def key_names(self) -> list[str]:
        return [f"{KEY_PART}{number}" for number in range(len(self.match))]


def layout_of(
    names: Sequence[str], source: ProfileList, match_on: Sequence[str], country: str | None
) -> Layout:
    """The layout of a file with these column names, in its order.

    Raises:
        HeldError: `duplicate_header`, `missing_column`, `no_header`, `wrong_delimiter`,
            `reserved_column`.
    """
    columns = tuple(Column(source.name_of(name), source.type_of(name)) for name in names)
    final = [column.name for column in columns]
    missing = _missing(names, final, source, match_on)
    if missing and source.header:
        _check_is_header(names, missing, source, match_on)
    if missing:
        raise HeldError(
            "missing_column",
            f"the file has no column {_listed(missing)}; it has "
            f"{_listed(_sayable(final, missing, source, match_on))}. Mend the export, or the "
            "list's configuration if the column has another name now",
        )
    _check_names(final)
    place = {name: index for index, name in enumerate(final)}
    return Layout(
        columns,
        match=tuple(place[name] for name in match_on),
        updated_at=None if source.updated_at_column is None else place[source.updated_at_column],
        channels=tuple(
            (channel, place[channel.permission], place.get(channel.address))
            for channel in CHANNELS.values()
            if channel.permission in place
        ),
        country=country,
    )


def _missing(
    names: Sequence[str], final: Sequence[str], source: ProfileList, match_on: Sequence[str]
) -> list[str]:
    """Columns that the configuration names and the file lacks."""
    named = [name for name in source.columns if name not in names and name not in final]
    named += [name for name in source.rename if name not in names]
    wanted = [*match_on, *([source.updated_at_column] if source.updated_at_column else [])]
    renamed = {source.rename[name] for name in named if name in source.rename}
    named += [name for name in wanted if name not in final and name not in renamed]
    return list(dict.fromkeys(named))


def _check_is_header(
    names: Sequence[str], missing: Sequence[str], source: ProfileList, match_on: Sequence[str]
) -> None:
    if len(names) == 1:
        found = [mark for mark in _DELIMITERS if mark in names[0] and mark != source.separator]
        if found:
            likely = max(found, key=names[0].count)
            raise HeldError(
                "wrong_delimiter",
                f"the header is one column with {_DELIMITERS[likely]}s in it; if that is what "
                f"separates the columns now, set delimiter: {_spelled(likely)} for the list",
            )
    wanted = {*match_on, *source.columns, *source.rename}
    looks_like_data = any("@" in name or not any(map(str.isalpha, name)) for name in names)
    if looks_like_data and len(missing) >= len(wanted):
        raise HeldError(
            "no_header",
            "the first line looks like a record and not like a header; mend the export, or set "
            "header: false and list the columns in order",
        )


def _sayable(
    final: Sequence[str], missing: Sequence[str], source: ProfileList, match_on: Sequence[str]
) -> list[str]:
    """The names of a header for a message; where none was expected it may be a record, of which
    only what looks like a column's name is said."""
    if len(missing) < len({*match_on, *source.columns, *source.rename}):
        return [*final]
    names = [name for name in final if _LIKE_A_COLUMN.match(name)]
    hidden = len(final) - len(names)
    return [*names, f"{hidden} other columns"] if hidden else names


def _spelled(mark: str) -> str:
    return "tab" if mark == "\t" else f'"{mark}"'


def _check_names(final: Sequence[str]) -> None:
    if "" in final:
        raise HeldError(
            "no_header", f"column {final.index('') + 1} of the header has no name; mend the export"
        )
    seen: dict[str, str] = {}
    for name in final:
        folded = name.casefold()  # engines that read the lake do not tell cases apart
        if folded in seen:
            other = seen[folded]
            twice = "twice" if other == name else f"and {other}, which differ in case only"
            raise HeldError("duplicate_header", f"the header has column {name} {twice}")
        seen[folded] = name
        reserved = {SOURCE_FILE, SOURCE_LINE, RECORD, UPDATED_US, PERMISSIONS}
        reserved |= {UPDATED_AT.lower(), LISTS.lower()}
        if folded in reserved or folded.startswith(KEY_PART):
            raise HeldError(
                "reserved_column",
                f"the file has a column {name}, a name that the lake uses itself; "
                "give it another name with `rename`",
            )


def _listed(names: Iterable[str], most: int = 30) -> str:
    every = list(names)
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if every[most:] else "")


@dataclass(frozen=True)
class Cast:
    """Typed values, and which rows could not be read."""

    values: pl.Series
    unreadable: pl.Series


def cast(texts: pl.Series, kind: ColumnType, form: str, zone: ZoneInfo) -> Cast:
    """Texts as a declared type; empty (or only spaces) is null.

    `form` is the list's timestamp format, `zone` that of times without an offset.
    """
    bare = texts.str.strip_chars(WHITESPACE)
    match kind:
        case "integer":
            values = _only(bare, _INTEGER).cast(pl.Int64, strict=False)
        case "number":
            values = _only(bare, _NUMBER).cast(pl.Float64, strict=False)
            values = values.set(~values.is_finite(), None)
        case "boolean":
            values = bare.str.to_lowercase().replace_strict(
                {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)},
                default=None,
                return_dtype=pl.Boolean,
            )
        case "date":
            values = parse_dates(bare, form)
        case "timestamp":
            values = parse_timestamps(bare, form, zone).cast(pl.Datetime("us", "UTC"))
        case "text":
            return Cast(texts, pl.repeat(False, len(texts), dtype=pl.Boolean, eager=True))
    return Cast(values, values.is_null() & (bare != ""))


def _only(texts: pl.Series, pattern: str) -> pl.Series:
    return texts.set(~texts.str.contains(pattern), None)
