"""Small value types of the configuration: durations, limits, times, references to variables."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from dataclasses import dataclass
from typing import Annotated, Any

from cronsim import CronSim, CronSimError
from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import core_schema

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100)]
EnvReference = Annotated[str, StringConstraints(pattern=r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$")]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _duration(value: object) -> object:
    if not isinstance(value, str) or not (match := re.fullmatch(r"(\d+)([smhdw])", value)):
        raise ValueError("expected a duration such as 30s, 10m, 2h, 90d or 4w")
    return dt.timedelta(**{_UNITS[match[2]]: int(match[1])})


Duration = Annotated[
    dt.timedelta,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]+[smhdw]$"}),
]


def _zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("expected an IANA zone such as America/New_York or UTC") from None
    return value


TimeZoneName = Annotated[str, AfterValidator(_zone)]


def _country(value: str) -> str:
    # loaded with the engine, by those alone who name a country
    from responsys_assets.normalise.mobile import numbering  # noqa: PLC0415

    try:
        numbering(value)
    except ValueError:
        raise ValueError("expected a country as two letters, such as US or GB") from None
    return value


Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), AfterValidator(_country)]


def _is_cron(value: str) -> bool:
    try:
        CronSim(value, dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
    except CronSimError:
        return False
    return len(value.split()) == 5


def _cron(value: str) -> str:
    if not _is_cron(value):
        raise ValueError("expected a cron expression of five fields such as 0 6 * * *")
    return value


Cron = Annotated[str, AfterValidator(_cron)]


def _deadline(value: str) -> str:
    if value == "none":
        return value
    if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        hours, minutes = value.split(":")
        return f"{int(minutes)} {int(hours)} * * *"
    if not _is_cron(value):
        raise ValueError("expected a time such as 05:30, a cron expression of five fields, or none")
    return value


Deadline = Annotated[str, AfterValidator(_deadline)]


_REFUSED = {
    "Z": "loses the zone and depends on the machine's own; use %z, which reads +02:00 and Z, or "
    "end the format with a literal UTC",
    "y": "guesses the century (55 would be 2055); have the export write four digits, %Y, or leave "
    "the column text",
    "c": "depends on the machine; write the format out",
    "x": "depends on the machine; write the format out",
    "X": "depends on the machine; write the format out",
}
_KNOWN = frozenset("aAbBdfGHIjmMpSuUVwWYz%")


def _timestamp_format(value: str) -> str:
    for directive in re.findall(r"%(.?)", value, re.DOTALL):
        if directive in _REFUSED:
            raise ValueError(f"%{directive} {_REFUSED[directive]}")
        if directive not in _KNOWN:
            raise ValueError(f"%{directive} is no part of a strptime format")
    if "%I" in value and "%p" not in value:
        raise ValueError("%I needs %p: without it nobody knows morning from evening; or use %H")
    literal = re.sub(r"%.|(?<![A-Za-z])(?:Z|UTC|GMT)$|(?<=%[A-Za-z])(?:Z|UTC|GMT)$", " ", value)
    if re.search(r"[A-Z]{2,}|[Zz]|[+-]\d{2}", literal):
        raise ValueError(
            "a zone in the format would be read past; use %z for one that the times name "
            "(+02:00, Z), or end the format with a literal Z, UTC or GMT"
        )
    return value


TimestampFormat = Annotated[str, StringConstraints(min_length=1), AfterValidator(_timestamp_format)]
"""A format of `strptime` that means the same on every machine."""


@dataclass(frozen=True)
class Limit:
    """A share of rows (`5%`) or a number of rows (`100`)."""

    percent: float | None = None
    rows: int | None = None

    def exceeded_by(self, count: int, total: int) -> bool:
        """Whether `count` of `total` rows is above this limit."""
        if self.percent is not None:
            return count * 100 > self.percent * total
        return self.rows is not None and count > self.rows

    def __str__(self) -> str:
        return f"{self.percent:g}%" if self.percent is not None else str(self.rows)

    @classmethod
    def parse(cls, value: object) -> Limit:
        if isinstance(value, Limit):
            return value
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return cls(rows=value)
        if isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value)):
            return cls(percent=float(match[1]))
        raise ValueError("expected a percentage such as 5% or a number of rows")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*%$"},
            ]
        }
