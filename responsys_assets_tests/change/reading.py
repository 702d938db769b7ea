"""What the file of an export says under given settings, in plain Python.

It reads with the `csv` module, and knows of the settings only what stands in the configuration.
Nothing of the product is used. Times are microseconds since 1970, as a range: a local time that
occurs twice, or not at all, is in doubt.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

KEY, EMAIL, PERMISSION = "CUSTOMER_ID_", "EMAIL_ADDRESS_", "EMAIL_PERMISSION_STATUS_"
IDENTITIES = (KEY, EMAIL)
UNSEEN = " \t\u00a0\u200b\ufeff"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_ADDRESS = re.compile(r"[\w.]+@[\w.]+")
Clock = tuple[str, str | None, str | None]
_DAY = 86_400_000_000


def microseconds(moment: dt.datetime) -> int:
    """Since 1970, exact."""
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def tidy(value: str, column: str) -> str:
    """A value as it is compared."""
    text = unicodedata.normalize("NFC", value.strip(UNSEEN))
    return text.lower() if column == EMAIL else text


@dataclass(frozen=True)
class Said:
    """One record: who it is, what it says, and whether it may be read so at all.

    `since` is the latest moment at which its opt-out may have been said, `until` the earliest at
    which its opt-in may have been; None: it has no time. `merged` is its time for the order of
    rows. `future`: rejected only because its time is to come. `broken` is a record of which
    fields are missing or too many.
    """

    number: int
    values: Mapping[str, str]
    permission: str
    since: int | None
    until: int | None
    merged: int | None
    rejected: bool = False
    future: bool = False
    broken: bool = False
    fields: tuple[str, ...] = ()

    @property
    def addresses(self) -> set[str]:
        """Every e-mail address that stands in a broken record."""
        return {tidy(found, EMAIL) for text in self.fields for found in _ADDRESS.findall(text)}

    def is_(self, column: str) -> str:
        """Its identifying value in this column."""
        return tidy(self.values.get(column, ""), column)


@dataclass(frozen=True)
class Reading:
    """A file under settings. `readable` is false if it lacks what every export must have; times
    of one `clock` can be compared."""

    columns: tuple[str, ...]
    records: tuple[Said, ...]
    match_on: str
    clock: Clock
    readable: bool = True

    @property
    def rows(self) -> Iterator[Said]:
        """Well-formed records that identify somebody."""
        return (each for each in self.records if not each.rejected and each.is_(self.match_on))

    def maybe(self, said: Said, known: Collection[str]) -> set[str]:
        """Who a rejected record may be of: of a broken one, whoever of those known it names."""
        if not said.broken:
            return {said.is_(self.match_on)} - {""}
        return {tidy(text, self.match_on) for text in said.fields} & {*known}


@dataclass(frozen=True)
class Settings:
    """The part of a configuration that decides how a list's file is read."""

    source: Mapping[str, Any]
    match_on: str
    zone: str

    @property
    def updated_at(self) -> str | None:
        column = self.source.get("updated_at")
        return None if column is None else self.renamed(column)

    @property
    def clock(self) -> Clock:
        """Where its times come from."""
        return self.zone, self.updated_at, self.source.get("timestamp_format")

    def renamed(self, column: str) -> str:
        return str(self.source.get("rename", {}).get(column, column))

    def kind_of(self, column: str) -> str:
        return str(self.source.get("columns", {}).get(column, "text"))


def read(content: str, settings: Settings, stamp: dt.datetime) -> Reading:
    """All that a file says under these settings."""
    separator = settings.source.get("delimiter", ",")
    lines = [row for row in csv.reader(io.StringIO(content), delimiter=separator) if row]
    names = [settings.renamed(name.strip(UNSEEN)) for name in lines[0]]
    needed = {settings.match_on, *filter(None, [settings.updated_at])}
    if not needed <= set(names):
        return Reading(tuple(names), (), settings.match_on, settings.clock, readable=False)
    records = tuple(
        _record(number, row, names, settings, stamp) for number, row in enumerate(lines[1:])
    )
    return Reading(tuple(names), records, settings.match_on, settings.clock)


def _record(
    number: int, row: Sequence[str], names: Sequence[str], settings: Settings, stamp: dt.datetime
) -> Said:
    if len(row) != len(names):
        said = "O" if any(field.strip().upper() == "O" for field in row) else ""
        return Said(
            number, {}, said, None, None, None, rejected=True, broken=True, fields=tuple(row)
        )
    values = dict(zip(names, row, strict=True))
    permission = values.get(PERMISSION, "").strip(UNSEEN).upper()
    state = permission if permission in ("", "I") else "O"
    badly_typed = any(
        settings.kind_of(name) == "integer"
        and value.strip()
        and not re.fullmatch(r"[+-]?\d+", value.strip())
        for name, value in values.items()
    )
    text = values.get(settings.updated_at or "", "").strip()
    moments = _moments(text, settings) if text else []
    if settings.updated_at is None:  # then all of an export is as old as the export
        moments = [microseconds(stamp)]
    unreadable = bool(text) and not moments
    future = bool(moments) and moments[0] > microseconds(stamp) + _DAY
    return Said(
        number,
        values,
        state,
        since=max(moments, default=None),
        until=min(moments, default=None),
        merged=moments[0] if moments else None,
        rejected=badly_typed or unreadable or future,
        future=future and not badly_typed,
    )


def _moments(text: str, settings: Settings) -> list[int]:
    """What a local time may mean, what it means in the order of rows first."""
    form = settings.source.get("timestamp_format", "%Y-%m-%d %H:%M:%S")
    try:
        local = dt.datetime.strptime(text, form)  # noqa: DTZ007 - its zone is that of the account
    except ValueError:
        return []
    zone = ZoneInfo(settings.zone)
    return [microseconds(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1)]
