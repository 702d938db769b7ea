"""File names with stamps."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responsys_assets.config.patterns import FilePattern


@pytest.mark.parametrize(
    ("pattern", "name", "stamp"),
    [
        ("CORE_{YYYYMMDD}_{HHMISS}.gpg", "CORE_20261031_023005.gpg", (2026, 10, 31, 2, 30, 5)),
        ("{YYYYMMDD}_LIST_core", "20261031_LIST_core", (2026, 10, 31)),
        ("Contacts_{YYYY-MM-DD_HH-MI}.txt", "Contacts_2026-10-31_02-30.txt", (2026, 10, 31, 2, 30)),
        ("{YYYYMMDDHHMISS}Contacts.csv", "20240131021502Contacts.csv", (2024, 1, 31, 2, 15, 2)),
        ("Contacts_{MMDDYYYY}.csv", "Contacts_01312024.csv", (2024, 1, 31)),
        ("1_SENT_{YYYYMMDD}_{HH24MISS}.txt", "1_SENT_20240131_021502.txt", (2024, 1, 31, 2, 15, 2)),
    ],
)  # fmt: skip
def test_a_stamp_is_read_from_the_name(pattern: str, name: str, stamp: tuple[int, ...]) -> None:
    found = FilePattern(pattern).match(name)
    assert found is not None
    assert found.stamp == dt.datetime(*stamp)  # type: ignore[arg-type]  # noqa: DTZ001


@pytest.mark.parametrize(
    "name",
    [
        "my_CORE_20261031.csv",
        "CORE_20261031.csv.part",
        "CORE_20261331.csv",
        "core_20261031.csv",
        "CORE_２0261031.csv",
        "CORE_20261031.csv\n",
        "",
    ],
)
def test_only_whole_names_with_a_real_stamp_match(name: str) -> None:
    assert FilePattern("CORE_{YYYYMMDD}.csv").match(name) is None


def test_a_name_without_stamp_matches_itself_only() -> None:
    found = FilePattern("CORE.csv").match("CORE.csv")
    assert found is not None
    assert found.stamp is None
    assert FilePattern("CORE.csv").match("COREXcsv") is None


@pytest.mark.parametrize(
    "text", ["a/b.csv", "", "x_{YYYY}.csv", "x_{HHMI}.csv", "x_{YYYYMMDD", "x_{}.csv", "x{DD}{DD}"]
)
def test_patterns_that_cannot_mean_anything_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"stamp|folder|brace"):
        FilePattern(text)


@given(st.datetimes(min_value=dt.datetime(1970, 1, 1), max_value=dt.datetime(2999, 1, 1)))  # noqa: DTZ001
def test_a_rendered_name_is_read_back(moment: dt.datetime) -> None:
    pattern = FilePattern("x_{YYYY-MM-DD}.{HHMISS}.csv")
    found = pattern.match(pattern.render(moment))
    assert found is not None
    assert found.stamp == moment.replace(microsecond=0)


def test_deliveries_may_name_the_change_and_the_sequence() -> None:
    pattern = FilePattern("x_{seq}_{change}.csv")
    assert pattern.render(dt.datetime(2026, 1, 1), change="add", seq=7) == "x_7_add.csv"  # noqa: DTZ001


@pytest.mark.parametrize(
    ("pattern", "length"),
    [
        ("C_{YYYYMMDD}.csv", dt.timedelta(days=1)),
        ("C_{YYYYMMDD}_{HH}.csv", dt.timedelta(hours=1)),
        ("C_{YYYYMMDD_HH24MI}.csv", dt.timedelta(minutes=1)),
        ("C_{YYYYMMDD}_{HHMISS}.csv", dt.timedelta(seconds=1)),
        ("C.csv", dt.timedelta(0)),
    ],
)
def test_a_stamp_names_a_time_of_some_length(pattern: str, length: dt.timedelta) -> None:
    assert FilePattern(pattern).precision == length
