"""Deliveries of changes, unchanged content, guards, void plans."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from responsys_assets.deliveries.plan import plan
from responsys_assets.deliveries.status import status
from responsys_assets.errors import ConfigError, DeliveryError
from responsys_assets.lake.lake import Lake
from responsys_assets_tests.deliveries.outbox import SEGMENT, Line, records
from responsys_assets_tests.segments.small_lake import person

FIRST = [person("a"), person("b"), person("c"), person("d", POINTS=None)]
SECOND = [
    person("a"),  # as before
    person("b", CITY_="Oslo"),
    person("d", POINTS=0),
    person("e"),
    person("c", EMAIL_PERMISSION_STATUS_="O"),  # opted out
]


def tree(line: Line) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in [line.lake.root, *line.lake.root.rglob("*"), *line.outbox.rglob("*")]
        if path.name != ".lock"
    }


def test_changes_are_one_file_with_removals_first(line: Line) -> None:
    line.configure(mode="changes", file="g_{seq}.csv")
    first = line.deliver(FIRST)
    assert (first.added, first.updated, first.removed, first.rows) == (4, 0, 0, 4)
    second = line.deliver(SECOND)
    assert (second.added, second.updated, second.removed, second.rows) == (1, 2, 1, 4)
    assert records(line.files()["g_2.csv"]) == [
        {"CUSTOMER_ID_": "c", "CITY_": "Rome", "POINTS": "1", "CHANGE_": "remove"},
        {"CUSTOMER_ID_": "e", "CITY_": "Rome", "POINTS": "1", "CHANGE_": "add"},
        {"CUSTOMER_ID_": "b", "CITY_": "Oslo", "POINTS": "1", "CHANGE_": "update"},
        {"CUSTOMER_ID_": "d", "CITY_": "Rome", "POINTS": "0", "CHANGE_": "update"},
    ]
    assert {row["CHANGE_"] for row in records(line.files()["g_1.csv"])} == {"add"}


def test_with_change_in_the_name_each_kind_has_its_file_and_an_empty_kind_none(
    line: Line,
) -> None:
    line.configure(mode="changes", file="g_{change}_{seq}.csv", rename={"CITY_": "TOWN"})
    assert line.deliver(FIRST).files == ("g_add_1.csv",)
    assert line.deliver(SECOND).files == ("g_remove_2.csv", "g_add_2.csv", "g_update_2.csv")
    removed = records(line.files()["g_remove_2.csv"])
    assert removed == [{"CUSTOMER_ID_": "c", "TOWN": "Rome", "POINTS": "1"}]
    assert line.deliver(SECOND[1:]).files == ("g_remove_3.csv",)


def test_a_changed_set_of_columns_updates_every_row(line: Line) -> None:
    line.configure(mode="changes", file="g_{seq}.csv", columns=["CUSTOMER_ID_", "POINTS"])
    line.deliver(FIRST)
    line.configure(mode="changes", file="g_{seq}.csv", columns=["CUSTOMER_ID_", "CITY_"])
    result = line.deliver(FIRST[1:])
    assert (result.added, result.updated, result.removed) == (0, 3, 1)
    rows = records(line.files()["g_2.csv"])
    assert rows[0] == {"CUSTOMER_ID_": "a", "CITY_": "", "CHANGE_": "remove"}
    assert rows[1] == {"CUSTOMER_ID_": "b", "CITY_": "Rome", "CHANGE_": "update"}
    line.configure(
        mode="changes",
        file="g_{seq}.csv",
        columns=["CUSTOMER_ID_", "CITY_"],
        rename={"CITY_": "TOWN"},
    )
    assert line.deliver().updated == 3


def test_another_match_column_makes_every_row_a_new_one(line: Line) -> None:
    columns = ["CUSTOMER_ID_", "EMAIL_ADDRESS_"]
    line.configure(segment={**SEGMENT, "columns": columns}, mode="changes", file="g_{seq}.csv")
    line.deliver(FIRST)
    line.keys["profiles"] = {"match_on": columns}
    result = line.deliver(FIRST)
    assert (result.added, result.updated, result.removed) == (4, 0, 4)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["x", "y", "é,\n"])),
        min_size=2,
        max_size=5,
    )
)
def test_a_receiver_that_applies_the_changes_has_the_segment(
    line: Line, versions: list[dict[str, str]]
) -> None:
    columns = ["CITY_", "CUSTOMER_ID_"]
    name = f"h{line.minutes}_{{seq}}.csv"  # a shape of its own for every example
    line.keys["lake"] = f"./lake{line.minutes}"
    line.configure(segment={**SEGMENT, "columns": columns}, mode="changes", file=name)
    has: dict[str, str] = {}
    for version in versions:
        result = line.deliver([person(key, CITY_=city) for key, city in version.items()])
        for file in result.files:
            for row in records((line.outbox / file).read_bytes().decode()):
                key, city = row["CUSTOMER_ID_"], row["CITY_"]
                if row["CHANGE_"] == "remove":
                    assert has.pop(key) == city
                else:
                    assert (key in has) is (row["CHANGE_"] == "update")
                    assert has.get(key) != city
                    has[key] = city
        assert has == version


@pytest.mark.parametrize("mode", ["full", "changes"])
def test_unchanged_content_is_not_sent_again(line: Line, mode: str) -> None:
    line.configure(mode=mode)
    line.deliver(FIRST)
    sent = line.files()
    again = line.deliver([*FIRST, person("o", EMAIL_PERMISSION_STATUS_="O")])
    assert (again.state, again.files, again.rows) == ("unchanged", (), 4)
    assert line.files() == sent
    assert line.send().state == "unchanged"


@pytest.mark.parametrize("mode", ["full", "changes"])
@pytest.mark.parametrize("when", ["skip", "send"])
def test_with_nothing_new_nothing_is_written(line: Line, mode: str, when: str) -> None:
    line.configure(mode=mode, when_unchanged=when)
    for people in (FIRST, [*FIRST, person("o", EMAIL_PERMISSION_STATUS_="O")]):
        line.deliver(people)
        before = tree(line)
        for _ in range(2):
            result = line.deliver()
            assert (result.state, result.files) == ("unchanged", ())
        assert tree(line) == before


def test_when_unchanged_send_sends_once_for_every_new_snapshot(line: Line) -> None:
    line.configure(when_unchanged="send")
    line.deliver(FIRST)
    assert line.deliver().state == "unchanged"
    assert line.deliver([*FIRST, person("o", EMAIL_PERMISSION_STATUS_="O")]).state == "delivered"
    assert len(line.files()) == 2


def test_another_shape_of_the_same_rows_is_something_to_send(line: Line) -> None:
    line.deliver(FIRST)
    line.configure(delimiter=";")
    assert line.deliver().state == "delivered"
    line.configure(delimiter=";", guard={"min_rows": 1})
    assert line.deliver().state == "unchanged"


def test_rows_without_their_key_are_still_compared_by_it(line: Line) -> None:
    line.configure(segment={**SEGMENT, "columns": ["CITY_", "POINTS"]})
    line.deliver(FIRST)
    result = line.deliver(SECOND)
    assert (result.added, result.updated, result.removed) == (1, 2, 1)
    assert "_key_0" not in next(iter(line.files().values()))


@pytest.mark.parametrize(
    ("guard", "people", "rule"),
    [
        ({"max_removed": "10%"}, FIRST[:3], "max_removed is 10%"),
        ({"max_removed": 0}, FIRST[:3], "max_removed is 0"),
        ({"max_added": "25%"}, [*FIRST, person("e"), person("f")], "max_added is 25%"),
        ({"min_rows": 4}, FIRST[:3], "there are 3 rows, min_rows is 4"),
        ({"max_removed": "25%"}, FIRST[:3], None),
        ({"max_added": 1}, [*FIRST, person("e")], None),
        ({"max_added": "1%", "max_removed": "1%"}, [*FIRST[:3], person("d", POINTS=7)], None),
    ],
)
@pytest.mark.parametrize("mode", ["full", "changes"])
def test_a_guard_holds_what_changes_too_much(
    line: Line, mode: str, guard: dict[str, Any], people: list[dict[str, Any]], rule: str | None
) -> None:
    line.configure(mode=mode)
    line.deliver(FIRST)
    line.configure(mode=mode, guard=guard)
    result = line.deliver(people)
    if rule is None:
        assert result.state == "delivered"
        return
    assert (result.state, result.reason) == ("held", "guard")
    assert rule in str(result.detail)
    assert "responsys apply gold --release" in str(result.detail)
    assert len(line.files()) == 1


@pytest.mark.parametrize("mode", ["full", "changes"])
def test_without_a_word_of_guards_half_of_the_people_are_not_removed(line: Line, mode: str) -> None:
    line.configure(mode=mode, guard=None)
    line.deliver(FIRST)
    assert line.deliver(FIRST[:2]).state == "delivered"
    held = line.deliver([])
    assert (held.state, held.reason) == ("held", "guard")
    assert "2 rows would be removed (2 were delivered last), max_removed is 50%" in str(held.detail)
    held = line.deliver([*FIRST, *(person(key) for key in "efg")])
    assert "max_added is 200%" in str(held.detail)
    line.configure(mode=mode, guard="none")
    assert line.deliver([]).state == "delivered"


def test_percentages_do_not_hold_the_first_delivery_and_min_rows_does(line: Line) -> None:
    line.configure(guard={"max_added": "1%", "max_removed": "1%", "min_rows": 5})
    assert line.deliver(FIRST).state == "held"
    assert line.deliver([*FIRST, person("e")]).state == "delivered"


def test_a_held_plan_stays_as_it_is_until_a_person_lets_it_go(line: Line) -> None:
    line.configure(guard={"max_removed": "10%"})
    line.deliver(FIRST)
    held = line.deliver(FIRST[:1])
    before = tree(line)
    again = line.deliver()
    assert (again.state, again.snapshot) == ("held", held.snapshot)
    assert line.send().state == "held"
    assert tree(line) == before
    done = line.send(release=True)
    assert (done.state, done.files, done.removed) == ("delivered", held.files, 3)
    assert line.deliver().state == "unchanged"


def test_a_plan_is_void_once_anything_it_was_made_from_changes(line: Line) -> None:
    line.keys["suppressions"] = [{"file": "s.csv", "column": "EMAIL_ADDRESS_"}]
    suppressed = line.folder / "s.csv"
    suppressed.write_text("EMAIL_ADDRESS_\n")
    line.configure(guard={"min_rows": 99})

    def new_profiles() -> None:
        line.profiles(FIRST[1:])

    def new_suppression() -> None:
        suppressed.write_text("EMAIL_ADDRESS_\nb@example.com\n")

    def new_settings() -> None:
        line.configure(guard={"min_rows": 98})

    def new_criteria() -> None:
        line.keys["segments"] = {"gold": {**SEGMENT, "where": "CITY_ = 'Rome'"}}

    line.profiles(FIRST)
    for change in (new_profiles, new_suppression, new_settings, new_criteria):
        assert line.plan().state == "held"
        change()
        for release in (False, True):
            with pytest.raises(DeliveryError, match="void") as caught:
                line.send(release=release)
            assert caught.value.code == "plan_void"
    assert line.files() == {}
    line.plan()
    assert line.send(release=True).state == "delivered"


def test_a_plan_is_not_void_because_the_day_ended(line: Line) -> None:
    line.configure(segment={**SEGMENT, "where": "BORN < TODAY"})
    line.profiles(FIRST)
    planned = line.plan()
    line.minutes += 24 * 60
    assert line.send().files == planned.files


def test_a_segment_older_than_its_profiles_is_not_delivered(line: Line) -> None:
    line.deliver(FIRST)
    line.profiles([person("a", EMAIL_PERMISSION_STATUS_="O"), *FIRST[1:]])
    with pytest.raises(DeliveryError, match="materialise segments/gold") as caught:
        plan(line.project(), line.lake, "gold")
    assert caught.value.code == "segment_outdated"


def test_only_one_plan_waits_at_a_time(line: Line) -> None:
    line.configure(guard={"min_rows": 99})
    for number in range(1, 4):
        line.deliver(FIRST[:number])
    plans = [path for path in line.lake.delivery("gold").iterdir() if path.is_dir()]
    assert len(plans) == 1
    line.send(release=True)
    line.deliver(FIRST[:1])
    line.deliver(FIRST[:2])
    plans = [path for path in line.lake.delivery("gold").iterdir() if path.is_dir()]
    assert len(plans) == 2


def test_without_a_plan_there_is_nothing_to_send(line: Line) -> None:
    line.profiles(FIRST)
    with pytest.raises(DeliveryError, match="was not made yet"):
        line.send()
    with pytest.raises(ConfigError, match="the deliveries are gold"):
        status(line.project(), line.lake, "silver")


def test_status_reads_and_writes_nothing(line: Line) -> None:
    found = status(line.project(), Lake(line.folder / "none"), "gold")
    assert (found.delivered, found.delivered_at, found.latest) == (None, None, None)
    line.configure(guard={"max_removed": "10%"})
    line.deliver(FIRST)
    line.deliver(FIRST[:1])
    before = tree(line)
    found = status(line.project(), line.lake, "gold")
    assert tree(line) == before
    assert found.delivered is not None
    assert found.delivered.state == "delivered"
    assert str(found.delivered_at).startswith("2026-11-01T10:")
    assert found.latest is not None
    assert found.latest.state == "held"
    assert set(found.latest.as_json()) == {
        "state", "files", "added", "updated", "removed", "rows", "reason", "detail",
    }  # fmt: skip
