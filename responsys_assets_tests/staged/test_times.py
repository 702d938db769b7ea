"""Local times become UTC exactly as zoneinfo says, and texts are read as strptime reads them."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from responsys_assets.staged.times import (
    EPOCH,
    date_part,
    micros,
    parse_dates,
    parse_timestamps,
    to_utc,
)

ZONES = [
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Europe/Dublin",
    "Europe/Rome",
    "Pacific/Apia",
    "Pacific/Chatham",
    "UTC",
]
NEW_YORK = ZoneInfo("America/New_York")
FORMS = [
    "%Y-%m-%d %H:%M:%S",
    "%d-%b-%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%Y%m%d%H%M%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%d %H:%M:%S.%f %z",
    "%d.%m.%y %H:%M",
    "%j %Y %H:%M",
]


def exact(local: dt.datetime, zone: ZoneInfo) -> int:
    return (local.replace(tzinfo=zone, fold=0) - EPOCH) // dt.timedelta(microseconds=1)


def as_local_micros(local: dt.datetime) -> int:
    return micros(local.replace(tzinfo=dt.UTC))


@given(
    st.lists(st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29)), min_size=1),  # noqa: DTZ001
    st.sampled_from(ZONES),
)
def test_any_local_time_is_what_zoneinfo_says(moments: list[dt.datetime], name: str) -> None:
    zone = ZoneInfo(name)
    local = np.array([as_local_micros(moment) for moment in moments], np.int64)
    assert to_utc(local, zone).tolist() == [exact(moment, zone) for moment in moments]


@pytest.mark.parametrize("name", ZONES)
def test_the_hours_around_every_change_of_clocks_are_right(name: str) -> None:
    zone = ZoneInfo(name)
    day = dt.timedelta(days=1)
    begin = dt.datetime(2010, 1, 1)  # noqa: DTZ001 - local
    days = [begin + day * n for n in range(366 * 3)]
    edges = [d for d in days if (d + day).replace(tzinfo=zone).utcoffset()
             != d.replace(tzinfo=zone).utcoffset()]  # fmt: skip
    step = dt.timedelta(minutes=7, microseconds=1)
    moments = [edge + step * n for edge in edges for n in range(day // step + 1)] or days
    local = np.array([as_local_micros(moment) for moment in moments], np.int64)
    assert to_utc(local, zone).tolist() == [exact(moment, zone) for moment in moments]


@given(
    st.lists(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)), min_size=1),  # noqa: DTZ001
    st.sampled_from(FORMS),
    st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=5, minutes=30)), NEW_YORK]),
)
def test_a_written_time_is_read_as_strptime_reads_it(
    moments: list[dt.datetime], form: str, zone: dt.tzinfo
) -> None:
    texts = [moment.replace(tzinfo=zone).strftime(form) for moment in moments]
    assert parse_timestamps(pl.Series(texts), form, NEW_YORK).to_list() == by_strptime(texts, form)


def by_strptime(texts: list[str], form: str) -> list[int | None]:
    found: list[int | None] = []
    for text in texts:
        try:
            moment = dt.datetime.strptime(text, form)  # noqa: DTZ007 - the zone follows
        except ValueError:
            found.append(None)
        else:
            found.append(micros(moment if moment.tzinfo else moment.replace(tzinfo=NEW_YORK)))
    return found


ODD = [
    "",
    "x",
    "2026-02-30 00:00:00",
    "2026-01-01 23:59:60",
    "2026-01-01 24:00:00",
    "26-01-01 00:00:00",
    "+2026-01-01 00:00:00",
    "12026-01-01 00:00:00",
    "2026-1-1 1:2:3",
    "2026-01-01 00:00:00 ",
    "2026-01-01 00:00:00.5",
    "2026-01-01 00:00",
    "2026-01-01T00:00:00",
    "２０２６-01-01 00:00:00",
    "2026-01-01  10:00:00",
    "2026-11-01 01:30:00",
    "2026-03-08 02:30:00",
]


def test_odd_times_are_read_or_refused_as_strptime_does() -> None:
    form = "%Y-%m-%d %H:%M:%S"
    assert parse_timestamps(pl.Series(ODD), form, NEW_YORK).to_list() == by_strptime(ODD, form)


def test_odd_fractions_and_offsets_are_read_or_refused_as_strptime_does() -> None:
    form = "%Y-%m-%dT%H:%M:%S.%f%z"
    tails = (".5Z", ".1234567Z", ".5+02:00", ".5+0200", "Z", ".5", ".5+02:00:30", ".5 Z")
    texts = [f"2026-01-01T00:00:00{tail}" for tail in tails]
    assert parse_timestamps(pl.Series(texts), form, NEW_YORK).to_list() == by_strptime(texts, form)


def test_dates_are_iso_or_the_date_part_of_the_timestamp_format() -> None:
    texts = pl.Series(["2026-02-03", "04/02/2026", "", "2026-02-30", "31/12/1999", "x"])
    assert parse_dates(texts, "%d/%m/%Y %H:%M").to_list() == [
        dt.date(2026, 2, 3), dt.date(2026, 2, 4), None, None, dt.date(1999, 12, 31), None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "part"),
    [
        ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d"),
        ("%H:%M %d %b %Y", "%d %b %Y"),
        ("%Y%m%dT%H", "%Y%m%d"),
        ("%d %H %Y", None),
        ("%H:%M", None),
    ],
)
def test_the_date_part_of_a_format(form: str, part: str | None) -> None:
    assert date_part(form) == part


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%Y-%m-%dT%H:%M:%SZ", "2026-07-01T10:00:00Z"),
        ("%Y-%m-%dT%H:%M:%S.%fZ", "2026-07-01T10:00:00.0Z"),
        ("%Y-%m-%d %H:%M:%S UTC", "2026-07-01 10:00:00 UTC"),
        ("%Y-%m-%d %H:%M:%S GMT", "2026-07-01 10:00:00 gmt"),
        ("%Y-%m-%dT%H:%M:%S%z", "2026-07-01T12:00:00+0200"),
    ],
)
def test_a_literal_utc_at_the_end_of_a_format_is_utc(form: str, text: str) -> None:
    """Fails when `parse_timestamps` does not ask `_ENDS_IN_UTC`."""
    moment = micros(dt.datetime(2026, 7, 1, 10, tzinfo=dt.UTC))
    assert parse_timestamps(pl.Series([text]), form, NEW_YORK).to_list() == [moment]


def test_a_word_that_ends_in_z_is_no_zone() -> None:
    (found,) = parse_timestamps(
        pl.Series(["2026-07-01 10:00 BLITZ"]), "%Y-%m-%d %H:%M BLITZ", NEW_YORK
    )
    assert found == micros(dt.datetime(2026, 7, 1, 14, tzinfo=dt.UTC))


@pytest.mark.parametrize(
    ("text", "zone", "readable"),
    [
        ("9999-12-31 23:59:59", "America/New_York", False),
        ("9999-12-31 18:59:59", "America/New_York", True),
        ("9999-12-31 23:59:59", "UTC", True),
        ("9999-12-31 23:59:59", "Asia/Kathmandu", True),
        ("0001-01-01 00:00:00", "Asia/Kathmandu", False),
        ("0001-01-01 00:00:00", "UTC", True),
    ],
)
def test_a_time_that_has_no_year_of_four_digits_in_utc_cannot_be_read(
    text: str, zone: str, readable: bool
) -> None:
    """Fails when `parse_timestamps` lets years above 9999 through."""
    (found,) = parse_timestamps(pl.Series([text]), "%Y-%m-%d %H:%M:%S", ZoneInfo(zone))
    assert (found is not None) == readable
    if found is not None:
        assert (EPOCH + dt.timedelta(microseconds=found)).year in (1, 9999)
