"""What a segment holds, when it is made anew, and what stops it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError, ResponsysError
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import sha256_of
from responsys_assets.segments.refresh import refresh
from responsys_assets_tests.conftest import MakeProject
from responsys_assets_tests.segments.small_lake import (
    START,
    at,
    keys_of,
    person,
    put_profiles,
    segment_of,
    ticking,
)

PEOPLE = [
    person("a"),
    person("b", CITY_="Paris", POINTS=20),
    person("C", POINTS=None),
    person("é", CITY_="Oslo", BORN=None),
]


@pytest.fixture
def with_segment(make_project: MakeProject) -> Any:
    """A function that makes a project with the segment `all`, changed by keys."""

    def make(suppressions: list[dict[str, str]] | None = None, **segment: Any) -> Project:
        found = {"where": "true", "channel": "email", "columns": "all", **segment}
        columns = {"POINTS": "integer", "SCORE": "number", "BORN": "date", "SEEN": "timestamp"}
        return ticking(
            make_project(
                lists={"core": {"server": "files", "files": "C.csv", "columns": columns}},
                segments={"all": found},
                suppressions=suppressions or [],
            )
        )

    return make


def test_where_means_what_duckdb_means_by_it(with_segment: Any) -> None:
    cases = [
        ("CITY_ = 'Rome'", ["C", "a"]),
        ("POINTS > 1", ["b"]),
        ("POINTS IS NULL", ["C"]),
        ("NOT POINTS > 1", ["a", "é"]),
        ("city_ LIKE '%o%' -- a remark", ["C", "a", "é"]),
        ("BORN < TODAY AND date_diff('year', BORN, TODAY) = 36", ["C", "a", "b"]),
        ("MEMBER", ["C", "a", "b", "é"]),
        ("CASE WHEN POINTS = 20 THEN true ELSE false END", ["b"]),
    ]
    for number, (where, keys) in enumerate(cases):
        project = with_segment(where=where)
        if not project.lake_path.exists():
            put_profiles(project, PEOPLE)
        assert keys_of(at(project, START + dt.timedelta(days=number))) == keys, where


def test_rows_are_sorted_by_key_whatever_the_files_of_profiles(with_segment: Any) -> None:
    digests = set()
    for parts in (1, 3):
        project = with_segment(columns=["CITY_", "CUSTOMER_ID_"])
        put_profiles(project, PEOPLE, parts=parts)
        snapshot, changed = refresh(project, Lake(project.lake_path), "all")
        assert changed
        frame = pl.read_parquet(snapshot.path / "part-0.parquet")
        assert frame.columns == ["CITY_", "CUSTOMER_ID_"]
        assert frame["CUSTOMER_ID_"].to_list() == ["C", "a", "b", "é"]
        digests.add(sha256_of(snapshot.path / "part-0.parquet"))
    assert len(digests) == 1


def test_a_segment_without_the_key_keeps_it_beside_the_rows(with_segment: Any) -> None:
    project = with_segment(columns=["CITY_"])
    put_profiles(project, PEOPLE)
    snapshot, _ = refresh(project, Lake(project.lake_path), "all")
    rows = pl.read_parquet(snapshot.path / "part-0.parquet")
    keys = pl.read_parquet(snapshot.path / "keys" / "part-0.parquet")
    assert rows.columns == ["CITY_"]
    assert dict(zip(keys["CUSTOMER_ID_"], rows["CITY_"], strict=True)) == {
        "C": "Rome", "a": "Rome", "b": "Paris", "é": "Oslo",
    }  # fmt: skip


def test_permission_and_deliverability_are_in_a_segment_only_when_named(with_segment: Any) -> None:
    project = with_segment()
    put_profiles(project, PEOPLE)
    assert not [name for name in segment_of(project).columns if name.endswith("STATUS_")]
    project = with_segment(columns=["CUSTOMER_ID_", "EMAIL_PERMISSION_STATUS_"])
    assert segment_of(project)["EMAIL_PERMISSION_STATUS_"].unique().to_list() == ["I"]


def test_nothing_new_means_nothing_done(with_segment: Any) -> None:
    project = with_segment()
    put_profiles(project, PEOPLE)
    first, _ = refresh(project, Lake(project.lake_path), "all")
    again, changed = refresh(project, Lake(project.lake_path), "all")
    assert (again.name, changed) == (first.name, False)


def test_today_makes_a_segment_anew_only_if_its_criteria_use_it(with_segment: Any) -> None:
    for where, anew in [("BORN < TODAY", True), ("CITY_ = 'TODAY'", False)]:
        project = with_segment(where=where)
        lake = Lake(project.lake_path)
        put_profiles(at(project, START - dt.timedelta(days=anew)), PEOPLE)
        refresh(at(project, START), lake, "all")
        same_day = START.replace(hour=23)
        assert not refresh(at(project, same_day), lake, "all")[1]
        # midnight in New York, where the account is
        assert refresh(at(project, START + dt.timedelta(days=1)), lake, "all")[1] is anew


def test_timestamps_have_the_hours_of_the_account_and_not_of_the_machine(
    with_segment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    project = with_segment(where="hour(SEEN) = 5 AND CAST(SEEN AS DATE) = DATE '2026-11-01'")
    put_profiles(project, PEOPLE)
    assert len(keys_of(project)) == 4


def test_the_manifest_counts_who_was_left_out_and_why(with_segment: Any) -> None:
    project = with_segment(
        where="CITY_ <> 'Oslo'", suppressions=[{"file": "s.csv", "column": "CUSTOMER_ID_"}]
    )
    (project.file.parent / "s.csv").write_text("CUSTOMER_ID_\ns\n")
    people = [
        *PEOPLE,
        person("o", EMAIL_PERMISSION_STATUS_="O"),
        person("e", EMAIL_PERMISSION_STATUS_=""),
        person("u", EMAIL_DELIVERABILITY_STATUS_="U"),
        person("n", EMAIL_ADDRESS_=" "),
        person("x", EMAIL_ADDRESS_=" X@Example.com"),
        person("s"),
    ]
    put_profiles(project, people, closed={"email": ["x@example.com"]})
    snapshot, _ = refresh(project, Lake(project.lake_path), "all")
    assert snapshot.rows == 3
    assert snapshot.manifest["matched"] == 9
    assert snapshot.manifest["left_out"] == {
        "permission": 2, "deliverability": 1, "address_empty": 1, "address_closed": 1,
        "suppressed": 1,
    }  # fmt: skip
    assert snapshot.manifest["columns"][:4] == [
        ["CUSTOMER_ID_", "text"], ["EMAIL_ADDRESS_", "text"], ["CITY_", "text"],
        ["POINTS", "integer"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("CITI_ = 'Rome'", "did you mean CITY_"),
        ("POINTS", "gives BIGINT"),
        ("CITY_", "gives VARCHAR"),
        ("BORN = 'yesterday'", "date"),
        ("lower(CITY_, 2) = 'x'", "lower"),
        ("CAST('x' AS INTEGER) = 1", "onver"),
    ],
)
def test_a_where_that_does_not_fit_the_columns_is_a_configuration_error(
    with_segment: Any, where: str, says: str
) -> None:
    project = with_segment(where=where)
    put_profiles(project, PEOPLE)
    with pytest.raises(ConfigError, match=says) as caught:
        refresh(project, Lake(project.lake_path), "all")
    assert caught.value.key == "segments.all.where"


def test_a_where_that_fails_on_data_names_no_value(with_segment: Any) -> None:
    project = with_segment(where="CAST(CITY_ AS INTEGER) = 1")
    put_profiles(project, [person("a", CITY_="canary-4711")])
    with pytest.raises(ResponsysError, match="TRY_CAST") as caught:
        refresh(project, Lake(project.lake_path), "all")
    assert caught.value.code == "where_failed"
    shown = f"{caught.value!r} {caught.value} {caught.value.__cause__}"
    assert "canary" not in shown
    assert caught.value.__suppress_context__


def test_a_column_called_today_makes_today_unclear(with_segment: Any) -> None:
    project = with_segment(where="BORN < TODAY")
    put_profiles(project, [person("a", TODAY="x")])
    with pytest.raises(ConfigError, match="two things"):
        refresh(project, Lake(project.lake_path), "all")


@pytest.mark.parametrize(
    ("segment", "key", "says"),
    [
        ({"columns": ["CUSTOMER_ID_", "CITY"]}, "segments.all.columns", "did you mean CITY_"),
        ({"channel": "mobile"}, "segments.all.channel", "MOBILE_PERMISSION_STATUS_"),
    ],
)
def test_a_segment_that_profiles_cannot_fill_is_a_configuration_error(
    with_segment: Any, segment: dict[str, Any], key: str, says: str
) -> None:
    project = with_segment(**segment)
    put_profiles(project, PEOPLE)
    with pytest.raises(ConfigError, match=says) as caught:
        refresh(project, Lake(project.lake_path), "all")
    assert caught.value.key == key


def test_without_profiles_or_such_a_segment_the_error_says_so(
    with_segment: Any, tmp_path: Path
) -> None:
    project = with_segment()
    lake = Lake(project.lake_path)
    with pytest.raises(ResponsysError, match="no profiles yet"):
        refresh(project, lake, "all")
    with pytest.raises(ConfigError, match="the segments are all"):
        refresh(project, lake, "gold")


def test_an_empty_segment_has_its_columns(with_segment: Any) -> None:
    project = with_segment(where="false", columns=["CUSTOMER_ID_", "POINTS"])
    put_profiles(project, PEOPLE)
    frame = segment_of(project)
    assert (frame.height, frame.columns) == (0, ["CUSTOMER_ID_", "POINTS"])
    put_profiles(project, [])
    assert segment_of(project).height == 0
