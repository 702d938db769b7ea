"""Times: texts by a strptime format, and local time to UTC exactly as zoneinfo does it.

The rule for local times that occur twice or not at all is zoneinfo's with fold=0 (PEP 495):
the first of two, and the offset before the gap for one that was skipped.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

Micros = NDArray[np.int64]

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
DAY = 86_400_000_000
_HOUR = 3_600_000_000
_MINUTE = 60_000_000
_SECOND = 1_000_000
_MICROSECOND = dt.timedelta(microseconds=1)
_YEAR_1000 = -30_610_224_000_000_000  # before it, a year has fewer digits than %Y wants
_FIRST_HOUR = -70 * 8766  # 1900
_HOURS = 200 * 8766
_UNKNOWN = np.iinfo(np.int64).min
_UNEVEN = _UNKNOWN + 1  # the offset changes within the hour
_UTC = ZoneInfo("UTC")
_YEAR_1 = -62_135_596_800_000_000
_YEAR_10000 = 253_402_300_800_000_000
_ENDS_IN_UTC = re.compile(r"(?:%[A-Za-z]|[^A-Za-z%])(?:Z|UTC|GMT)$")

_DIRECTIVE = re.compile(r"%(.)", re.DOTALL)
_ALIKE = frozenset("YmdHMSbByIpz")  # directives that polars reads as strptime does
_OF_DATES = frozenset("YymdbBjaAUWuwGV")


def micros(moment: dt.datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (moment - EPOCH) // _MICROSECOND


def to_utc(local: Micros, zone: ZoneInfo) -> Micros:
    """UTC microseconds of local microseconds (both since 1970)."""
    offsets = _offsets(zone)
    hours = local // _HOUR - _FIRST_HOUR
    hours[(hours < 0) | (hours >= _HOURS)] = _HOURS
    found = offsets[hours]
    for hour in np.unique(hours[found == _UNKNOWN]):
        offsets[hour] = _offset_of_hour(zone, int(hour) + _FIRST_HOUR)
    found = offsets[hours]
    utc: Micros = local - found
    for row in np.flatnonzero(found == _UNEVEN):
        utc[row] = local[row] - _offset(zone, int(local[row]))
    return utc


@lru_cache(maxsize=4)
def _offsets(zone: ZoneInfo) -> Micros:  # noqa: ARG001 - what the cache is for
    """The offset of each local hour, filled in as it is asked for; uneven outside of our times."""
    table = np.full(_HOURS + 1, _UNKNOWN, np.int64)
    table[_HOURS] = _UNEVEN
    return table


def _offset_of_hour(zone: ZoneInfo, hour: int) -> int:
    """The offset all through a local hour."""
    first = _offset(zone, hour * _HOUR)
    return first if first == _offset(zone, (hour + 1) * _HOUR - 1) else _UNEVEN


def _offset(zone: ZoneInfo, local: int) -> int:
    moment = (EPOCH + dt.timedelta(microseconds=local)).replace(tzinfo=zone)
    offset = moment.utcoffset()
    return offset // _MICROSECOND if offset is not None else 0


def resolution(form: str) -> int:
    """How long the moment lasts that a format tells, in microseconds."""
    steps = (("f", 1), ("S", _SECOND), ("M", _MINUTE), ("H", _HOUR), ("I", _HOUR))
    told = {match[1] for match in _DIRECTIVE.finditer(form)}
    return next((length for directive, length in steps if directive in told), DAY)


def says_zone(form: str) -> bool:
    """Whether times of a format are moments, and not those of a clock on a wall somewhere."""
    return "%z" in form or _ENDS_IN_UTC.search(form) is not None


def parse_timestamps(texts: pl.Series, form: str, zone: ZoneInfo) -> pl.Series:
    """UTC microseconds (Int64) of texts without surrounding spaces; null if unreadable.

    Means what `datetime.strptime` means, with the local time of `zone` unless `%z` says more or
    the format ends with a literal Z, UTC or GMT. Polars reads what both read alike; what it
    cannot read or might read otherwise goes to strptime itself. What is not of the years 1 to
    9999 in UTC cannot be read: most readers of Parquet cannot either.
    """
    if _ENDS_IN_UTC.search(form):
        zone = _UTC
    fast = _for_polars(form)
    if fast is None:
        read, doubtful = None, texts != ""
    else:
        moments = texts.str.to_datetime(fast, time_unit="us", strict=False)
        read = moments.to_physical()
        doubtful = _doubtful(texts, read, form) & (texts != "")
    values = np.zeros(len(texts), np.int64) if read is None else read.fill_null(0).to_numpy()
    known = np.zeros(len(texts), bool) if read is None else read.is_not_null().to_numpy()
    utc = values.copy() if "%z" in form else to_utc(values, zone)
    known = known.copy()
    rows = doubtful.fill_null(value=False).arg_true().to_numpy()
    if len(rows):
        exact: dict[str, int | None] = {}
        for row, text in zip(rows, texts.gather(rows), strict=True):
            if text not in exact:
                exact[text] = _strptime(text, form, zone)
            found = exact[text]
            known[row] = found is not None
            utc[row] = found or 0
    known &= (utc >= _YEAR_1) & (utc < _YEAR_10000)
    return pl.select(
        pl.when(pl.Series(known, dtype=pl.Boolean)).then(pl.Series(utc, dtype=pl.Int64))
    ).to_series()


def parse_dates(texts: pl.Series, form: str) -> pl.Series:
    """Dates of texts: ISO, else by the date part of a timestamp format; null if unreadable."""
    days = parse_timestamps(texts, "%Y-%m-%d", _UTC)
    other = date_part(form)
    if other not in (None, "%Y-%m-%d") and bool(((texts != "") & days.is_null()).any()):
        assert other is not None  # noqa: S101 - for the type checker
        days = days.fill_null(parse_timestamps(texts, other, _UTC))
    return (days // DAY).cast(pl.Int32).cast(pl.Date)


def date_part(form: str) -> str | None:
    """The part of a strptime format from its first to its last date directive."""
    found = list(_DIRECTIVE.finditer(form))
    dates = [match for match in found if match[1] in _OF_DATES]
    if not dates:
        return None
    inside = [m for m in found if dates[0].start() <= m.start() <= dates[-1].start()]
    return form[dates[0].start() : dates[-1].end()] if len(inside) == len(dates) else None


def _for_polars(form: str) -> str | None:
    """The same format for polars; None if only strptime knows what it means."""
    rest = form.replace("%S.%f", "%S")
    if not all(match[1] in _ALIKE for match in _DIRECTIVE.finditer(rest)) or rest.endswith("%"):
        return None
    return form.replace("%S.%f", "%S%.f")


def _doubtful(texts: pl.Series, read: pl.Series, form: str) -> pl.Series:
    """Where polars and strptime may differ: short years, 69, second 60, signs, fractions."""
    doubt = read.is_null() | (read < _YEAR_1000)
    doubt |= (read % _MINUTE < _SECOND) & texts.str.contains("60", literal=True)
    if "%z" not in form:
        doubt |= texts.str.contains("+", literal=True)
    if "%y" in form:
        doubt |= texts.str.contains("69", literal=True)
    if "%f" in form:
        doubt |= ~texts.str.contains(r"\.[0-9]{1,6}([^0-9]|$)")
    return doubt


def _strptime(text: str, form: str, zone: ZoneInfo) -> int | None:
    try:
        moment = dt.datetime.strptime(text, form)  # noqa: DTZ007 - the zone follows
        return micros(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        return None
