"""Doubt about wall-clock times: an opt-out counts as late, an opt-in as early as it may have been.

A wall-clock time that occurs twice (when daylight saving ends) is staged as the first of the two.
An export that was read in another zone than today's may have meant either.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from responsys_assets.staged.times import Micros, micros, to_utc

_WEEK = dt.timedelta(weeks=1)
_FIRST, _LAST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


def latest(utc: Micros, zone: str | None, reread_in: str | None = None) -> Micros:
    """The latest instants that times, read in `zone`, may have meant; None: they had an offset."""
    if zone is None:
        return utc
    instants = _second_of_two(utc, zone)
    if reread_in is None:
        return instants
    again = to_utc(_wall_clock(utc, zone), ZoneInfo(reread_in))
    return np.maximum(instants, _second_of_two(again, reread_in))


def earliest(utc: Micros, zone: str | None, reread_in: str | None) -> Micros:
    """The earliest instants that times, read in `zone`, may have meant."""
    if zone is None or reread_in is None:
        return utc
    return np.minimum(utc, to_utc(_wall_clock(utc, zone), ZoneInfo(reread_in)))


def _second_of_two(utc: Micros, zone: str) -> Micros:
    """The second of two instants where a wall-clock time occurs twice."""
    ends, steps = _steps_back(zone)
    if not len(ends):
        return utc
    place = np.searchsorted(ends, utc, side="right")
    inside = place < len(ends)
    place = np.where(inside, place, 0)
    twice = inside & (utc >= ends[place] - steps[place])
    return np.where(twice, utc + steps[place], utc)


def _wall_clock(utc: Micros, zone: str) -> Micros:
    moments = pl.Series(utc).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)
    wall: Micros = moments.dt.replace_time_zone(None).to_physical().to_numpy().copy()
    return wall


@lru_cache(maxsize=8)
def _steps_back(zone: str) -> tuple[Micros, Micros]:
    """When the clocks of a zone are put back (microseconds of UTC), and by how much."""
    info = ZoneInfo(zone)

    def offset(moment: dt.datetime) -> dt.timedelta:
        return moment.astimezone(info).utcoffset() or dt.timedelta()

    ends, steps = [], []
    begin = _FIRST
    while begin < _LAST:
        end = begin + _WEEK
        step = offset(begin) - offset(end)
        if step > dt.timedelta():
            low, high = begin, end
            while high - low > dt.timedelta(seconds=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if offset(middle) == offset(begin) else (low, middle)
            ends.append(micros(high.replace(microsecond=0)))
            steps.append(step // dt.timedelta(microseconds=1))
        begin = end
    return np.array(ends, np.int64), np.array(steps, np.int64)
