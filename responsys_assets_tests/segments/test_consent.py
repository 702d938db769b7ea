"""Who may be in a channel's segment, held against a few lines of Python."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from responsys_assets.config.project import Project
from responsys_assets.errors import LakeError
from responsys_assets.lake.lake import Lake
from responsys_assets.segments.refresh import refresh
from responsys_assets.system_columns import CHANNELS
from responsys_assets_tests.conftest import MakeProject
from responsys_assets_tests.segments.small_lake import (
    START,
    at,
    keys_of,
    person,
    put_profiles,
    ticking,
)

CLOSED = {"email": ["shut@example.com"], "mobile": ["49151"], "postal": ["shut lane 1"]}
ADDRESSES = {
    "email": ["", "  ", "a@example.com", " Shut@Example.com ", "gone@example.com"],
    "mobile": ["", "-", "+49 151", "49 152"],
    "postal": ["", " Shut Lane 1", "Open Lane 1", "shut lane 1"],
}
NORMALISED: dict[str, Callable[[str], str]] = {
    "email": lambda text: text.strip().lower(),
    "mobile": lambda text: "".join(c for c in text if c in "0123456789"),
    "postal": lambda text: text.strip().lower(),
}
SUPPRESSED = "gone@example.com"


def oracle(row: dict[str, Any], channel: str) -> bool:
    """Whether the profile may be in a segment of the channel."""
    if row["EMAIL_ADDRESS_"].strip().lower() == SUPPRESSED:
        return False
    if channel == "none":
        return True
    columns = CHANNELS[channel]
    address = NORMALISED[channel](row[columns.address])
    return (
        row[columns.permission] == "I"
        and row[columns.deliverability] != "U"
        and address != ""
        and address not in CLOSED[channel]
    )


def profile() -> st.SearchStrategy[dict[str, Any]]:
    columns: dict[str, st.SearchStrategy[str]] = {}
    for name, channel in CHANNELS.items():
        columns[channel.address] = st.sampled_from(ADDRESSES[name])
        columns[channel.permission] = st.sampled_from(["I", "I", "I", "O", "", "i", " I"])
        columns[channel.deliverability] = st.sampled_from(["D", "", "U"])
    return st.fixed_dictionaries(columns)


def four_segments(make_project: MakeProject, where: str = "CUSTOMER_ID_ <> 'k2'") -> Project:
    return make_project(
        segments={name: {"where": where, "channel": name} for name in (*CHANNELS, "none")},
        suppressions=[{"file": "gone.csv", "column": "EMAIL_ADDRESS_"}],
    )


moments = (START + dt.timedelta(minutes=minute) for minute in range(100_000))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(people=st.lists(profile(), min_size=1, max_size=60))
def test_a_segment_is_who_is_selected_and_may_be_reached(
    make_project: MakeProject, people: list[dict[str, Any]]
) -> None:
    project = at(four_segments(make_project), next(moments))
    (project.file.parent / "gone.csv").write_text(f"EMAIL_ADDRESS_\n{SUPPRESSED.upper()}\n")
    rows = [person(f"k{number}", **values) for number, values in enumerate(people)]
    put_profiles(project, rows, closed=CLOSED)
    for name in project.config.segments:
        expected = sorted(
            row["CUSTOMER_ID_"] for row in rows if row["CUSTOMER_ID_"] != "k2" and oracle(row, name)
        )
        assert keys_of(project, name) == expected


@pytest.mark.parametrize(
    "where",
    [
        "true",
        "true OR true",
        "EMAIL_PERMISSION_STATUS_ = 'O'",
        "EMAIL_PERMISSION_STATUS_ = 'O' OR true",
        "EMAIL_PERMISSION_STATUS_ = '' OR EMAIL_ADDRESS_ = ''",
        "true -- and nothing after it",
        "true /* and nothing after it */",
    ],
)
def test_where_cannot_widen_consent(make_project: MakeProject, where: str) -> None:
    project = ticking(
        make_project(
            segments={"all": {"where": where, "channel": "email"}},
            suppressions=[{"file": "gone.csv", "column": "EMAIL_ADDRESS_"}],
        )
    )
    (project.file.parent / "gone.csv").write_text("EMAIL_ADDRESS_\ngone@example.com\n")
    people = [
        person("a"),
        person("b", EMAIL_PERMISSION_STATUS_="O"),
        person("c", EMAIL_PERMISSION_STATUS_=""),
        person("d", EMAIL_DELIVERABILITY_STATUS_="U"),
        person("e", EMAIL_ADDRESS_=""),
        person("gone"),
        person("shut"),
    ]
    put_profiles(project, people, closed=CLOSED)
    assert set(keys_of(project)) <= {"a"}


def test_without_the_closed_addresses_there_is_no_segment(make_project: MakeProject) -> None:
    project = ticking(make_project(segments={"all": {"where": "true", "channel": "email"}}))
    snapshot = put_profiles(project, [person("a")])
    (snapshot.path / "closed" / "email.parquet").unlink()
    with pytest.raises(LakeError, match="closed addresses"):
        refresh(project, Lake(project.lake_path), "all")


def test_a_channel_without_deliverability_column_relies_on_permission(
    make_project: MakeProject,
) -> None:
    project = ticking(make_project(segments={"all": {"where": "true", "channel": "email"}}))
    people = [person("a"), person("b", EMAIL_PERMISSION_STATUS_="O")]
    for row in people:
        del row["EMAIL_DELIVERABILITY_STATUS_"]
    put_profiles(project, people)
    assert keys_of(project) == ["a"]
