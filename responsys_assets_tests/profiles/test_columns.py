"""Which columns profiles have, and what is refused about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from responsys_assets.errors import ConfigError
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.profiles.refresh import refresh
from responsys_assets.progress import SILENT
from responsys_assets_tests.profiles.worlds import Row, Sent, by_key, day, project_of, put

ID = {"ID": "text"}


def sent(name: str, columns: dict[str, str], time: int = 0, /, **values: Any) -> Sent:
    return Sent(name, ID | columns, [Row(("k",), {"ID": "k", **values}, time)])


def merged(folder: Path, *exports: Sent, waiting: str = "", **profiles: Any) -> Snapshot:
    names = [one.list for one in exports] + ([waiting] if waiting else [])
    project = project_of(folder, {name: {} for name in names}, profiles)
    lake = Lake(project.lake_path)
    for one in exports:
        put(lake, one)
    snapshot, _ = refresh(project, lake, SILENT)
    assert snapshot is not None
    return snapshot


def names(snapshot: Snapshot) -> list[str]:
    return [name for name, _ in snapshot.manifest["columns"]]


def test_columns_come_in_the_order_of_lists_and_files_after_the_match_columns(
    tmp_path: Path,
) -> None:
    snapshot = merged(
        tmp_path,
        Sent("core", {"B": "text", "ID": "text", "A": "integer"}),
        sent("web", {"C": "date", "A": "integer", "EMAIL_PERMISSION_STATUS_": "text"}),
    )
    assert snapshot.manifest["columns"] == [
        ["ID", "text"],
        ["B", "text"],
        ["A", "integer"],
        ["C", "date"],
        ["EMAIL_PERMISSION_STATUS_", "text"],
        ["UPDATED_AT_", "timestamp"],
        ["LISTS_", "text"],
    ]
    assert snapshot.manifest["sources"]["A"] == ["core", "web"]


def test_shared_columns_are_those_of_every_list_and_the_system_columns(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        sent("core", {"A": "text", "B": "text", "EMAIL_DELIVERABILITY_STATUS_": "text"}),
        sent("web", {"A": "text", "MOBILE_PERMISSION_STATUS_": "text"}),
        columns="shared",
    )
    assert names(snapshot)[:-2] == [
        "ID",
        "A",
        "EMAIL_DELIVERABILITY_STATUS_",
        "MOBILE_PERMISSION_STATUS_",
    ]


def test_named_columns_come_in_the_order_in_which_they_are_named(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path, sent("core", {"A": "text", "B": "text", "C": "text"}), columns=["C", "ID", "A"]
    )
    assert names(snapshot)[:-2] == ["ID", "C", "A"]


def test_a_name_that_no_list_has_is_refused_with_close_names(tmp_path: Path) -> None:
    cases: list[dict[str, Any]] = [
        {"columns": ["FIRST_NAM"]},
        {"rules": {"FIRST_NAM": "largest"}},
        {"together": [["FIRST_NAM", "CITY"]]},
    ]
    for number, profiles in enumerate(cases):
        with pytest.raises(ConfigError, match=r"FIRST_NAM; did you mean FIRST_NAME") as caught:
            merged(
                tmp_path / str(number),
                sent("core", {"FIRST_NAME": "text", "CITY": "text"}),
                **profiles,
            )
        assert caught.value.key == f"profiles.{next(iter(profiles))}"


def test_a_name_may_belong_to_a_list_that_still_waits_for_its_first_export(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        sent("core", {"A": "text"}, A="a"),
        waiting="web",
        columns=["A", "B"],
        rules={"A": {"priority": ["web", "core"]}, "B": "largest"},
        together=[["C", "D"]],
    )
    assert names(snapshot)[:-2] == ["ID", "A"]
    assert by_key(snapshot, "A") == {"k": "a"}


def test_a_group_that_no_list_has_whole_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no list has all of A, B"):
        merged(
            tmp_path,
            sent("core", {"A": "text"}),
            sent("web", {"B": "text"}),
            together=[["A", "B"]],
        )


def test_a_column_with_two_types_is_refused_naming_both_lists(tmp_path: Path) -> None:
    exports = (sent("core", {"P": "integer", "A": "text"}), sent("web", {"P": "text"}))
    with pytest.raises(ConfigError, match="P is text in list web and integer in list core"):
        merged(tmp_path / "1", *exports)
    assert names(merged(tmp_path / "2", *exports, columns=["A"]))[:-2] == ["ID", "A"]


def test_a_column_whose_type_changed_between_exports_is_refused_naming_both_files(
    tmp_path: Path,
) -> None:
    old = Sent("core", ID | {"P": "integer"}, kind="incremental")
    new = Sent("core", ID | {"P": "text"}, kind="incremental", stamp=day(1))
    with pytest.raises(ConfigError, match=r"core_20261102.*core_20261101.*withdraw"):
        merged(tmp_path, old, new)


def test_columns_that_differ_only_in_case_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Name of list web .* NAME of list core"):
        merged(tmp_path / "1", sent("core", {"NAME": "text"}), sent("web", {"Name": "text"}))
    with pytest.raises(ConfigError, match=r"id of list core .* ID of list core"):
        merged(tmp_path / "2", sent("core", {"id": "text"}))


def test_a_column_that_the_merge_makes_is_refused_in_a_list(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="LISTS_ that the merge makes") as caught:
        merged(tmp_path, sent("core", {"LISTS_": "text"}))
    assert caught.value.key == "lists.core.rename"


def test_a_cleared_field_stays_cleared_unless_the_rule_says_otherwise(tmp_path: Path) -> None:
    columns = {"A": "text", "B": "text", "P": "integer", "Q": "integer"}
    snapshot = merged(
        tmp_path,
        sent("core", columns, 5, A="a", B="b", P=1, Q=2),
        sent("web", columns, 9, A="", B="", P=None, Q=None),
        rules={"B": "latest_non_empty", "Q": "latest_non_empty"},
    )
    found = {column: by_key(snapshot, column)["k"] for column in columns}
    assert found == {"A": "", "B": "b", "P": None, "Q": 2}


def test_a_group_comes_from_one_row_of_a_list_that_has_it_whole(tmp_path: Path) -> None:
    both = {"CITY": "text", "ZIP": "text"}
    snapshot = merged(
        tmp_path,
        sent("core", both, 5, CITY="Rome", ZIP="00100"),
        sent("web", {"CITY": "text", "OTHER": "text"}, 9, CITY="Paris"),
        sent("shop", both, 3, CITY="Oslo", ZIP="0150"),
        together=[["CITY", "ZIP"]],
    )
    assert (by_key(snapshot, "CITY"), by_key(snapshot, "ZIP")) == ({"k": "Rome"}, {"k": "00100"})
    assert snapshot.manifest["sources"]["CITY"] == ["core", "shop"]


def test_a_list_that_priority_does_not_name_never_contributes(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        sent("core", {"TIER": "text"}, 9, TIER="core"),
        sent("web", {"TIER": "text"}, 5, TIER=""),
        rules={"TIER": {"priority": ["web"]}},
    )
    assert by_key(snapshot, "TIER") == {"k": ""}


def test_one_undeliverable_address_makes_a_profile_undeliverable(tmp_path: Path) -> None:
    column = "EMAIL_DELIVERABILITY_STATUS_"
    for name, said, expected in (("1", "u ", "U"), ("2", "", "D"), ("3", "D", "D")):
        snapshot = merged(
            tmp_path / name,
            sent("core", {column: "text"}, 0, **{column: said}),
            sent("web", {column: "text"}, 9, **{column: "D"}),
        )
        assert by_key(snapshot, column) == {"k": expected}


def test_a_name_with_quotes_and_keywords_is_only_a_name(tmp_path: Path) -> None:
    name = 'select "x"; -- $first'
    columns = {name: "text", "file_index": "text", "seq": "text"}
    snapshot = merged(
        tmp_path,
        Sent("core", columns, [Row(("k",), {name: "v", "seq": "s"}, 0)]),
        Sent("web", {name: "text"}, [Row(("k",), {name: "w"}, -1)]),
    )
    assert by_key(snapshot, name) == {"k": "v"}
    assert by_key(snapshot, "seq") == {"k": "s"}


def test_rows_of_an_export_with_nothing_but_the_key_have_empty_values(tmp_path: Path) -> None:
    project = project_of(tmp_path, {"core": {}}, {})
    lake = Lake(project.lake_path)
    named, bare = {"ID": "text", "NAME": "text"}, {"ID": "text"}
    put(lake, Sent("core", bare, [Row(("b",), {}, 0)], kind="incremental"))
    people = [Row((key,), {"NAME": f"name of {key}"}, 0) for key in "ac"]
    put(lake, Sent("core", named, people, kind="incremental", stamp=day(1)))
    snapshot, _ = refresh(project, lake, SILENT)
    assert by_key(snapshot, "NAME") == {"a": "name of a", "b": "", "c": "name of c"}
