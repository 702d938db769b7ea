"""The latest and the earliest moment that a wall-clock time may have meant."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from responsys_assets.profiles.instants import earliest, latest

ZONES = ["America/New_York", "Europe/Rome", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _us(moment: dt.datetime) -> int:
    return (moment.astimezone(dt.UTC) - _EPOCH) // dt.timedelta(microseconds=1)


@given(
    st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2099, 1, 1)),  # noqa: DTZ001 - wall clock
    st.sampled_from(ZONES),
    st.sampled_from(ZONES),
)
def test_both_meanings_of_a_wall_clock_time_are_in_between(
    wall: dt.datetime, zone: str, other: str
) -> None:
    """The oracle is Python's `fold`, for the zone of the reading and that of today."""
    staged = wall.replace(tzinfo=ZoneInfo(zone), fold=0)
    if staged.astimezone(dt.UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != wall:
        return  # skipped by daylight saving: it never was
    meant = [
        _us(wall.replace(tzinfo=ZoneInfo(name), fold=fold))
        for name in (zone, other)
        for fold in (0, 1)
    ]
    times = np.array([_us(staged)])
    assert latest(times, zone)[0] == max(meant[:2])
    assert latest(times, zone, other)[0] == max(meant)
    assert earliest(times, zone, other)[0] <= min(meant[0], meant[2])


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_a_time_with_an_offset_means_one_moment(zone: str | None) -> None:
    times = np.array([0, 1_762_063_800_000_000])
    assert latest(times, zone).tolist() == times.tolist()
    assert earliest(times, zone, None).tolist() == times.tolist()
