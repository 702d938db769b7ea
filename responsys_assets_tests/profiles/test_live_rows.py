"""Which rows are live: full exports, increments, rejects, exports that were sent again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.profiles.refresh import refresh
from responsys_assets.progress import SILENT
from responsys_assets_tests.profiles.worlds import (
    Hold,
    Row,
    Sent,
    by_key,
    day,
    profiles_of,
    project_of,
    put,
    stamp_us,
)

COLUMNS = {"ID": "text", "NAME": "text"}


def rows(time: int | None = 0, **names: str) -> list[Row]:
    return [Row((key,), {"ID": key, "NAME": name}, time) for key, name in names.items()]


def merged(folder: Path, *sent: Sent, **profiles: Any) -> Snapshot | None:
    lists: Sequence[str] = list(dict.fromkeys(one.list for one in sent))
    project = project_of(folder, {name: {} for name in lists}, profiles)
    lake = Lake(project.lake_path)
    for one in sent:
        put(lake, one)
    return refresh(project, lake, SILENT)[0]


def test_a_key_that_a_complete_newer_full_export_lacks_has_left_the_list(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        Sent("core", COLUMNS, rows(k1="a", k2="b")),
        Sent("core", COLUMNS, rows(k1="c"), stamp=day(1)),
    )
    assert by_key(snapshot, "NAME") == {"k1": "c"}


def test_a_reject_with_a_readable_key_keeps_the_last_accepted_row(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        Sent("core", COLUMNS, rows(k1="a", k2="b")),
        Sent("core", COLUMNS, rows(k1="c"), [Hold(("k2",))], stamp=day(1)),
        Sent("core", COLUMNS, rows(k1="d"), [Hold(("k2",)), Hold(("k3",))], stamp=day(2)),
    )
    assert by_key(snapshot, "NAME") == {"k1": "d", "k2": "b"}


def test_a_kept_key_does_not_come_back_from_before_it_left(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        Sent("core", COLUMNS, rows(k1="a", k2="b")),
        Sent("core", COLUMNS, rows(k1="c"), stamp=day(1)),
        Sent("core", COLUMNS, rows(k1="d"), [Hold(("k2",))], stamp=day(2)),
    )
    assert by_key(snapshot, "NAME") == {"k1": "d"}


def test_a_kept_key_keeps_the_row_of_the_newest_export_that_had_it(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        Sent("core", COLUMNS, rows(9, k1="old", k2="old")),
        Sent("core", COLUMNS, rows(1, k1="newer"), [Hold(None)], stamp=day(1)),
        Sent("core", COLUMNS, rows(1, k2="newest"), [Hold(("k1",))], stamp=day(2)),
    )
    assert by_key(snapshot, "NAME") == {"k1": "newer", "k2": "newest"}


def test_an_export_with_an_unreadable_key_removes_nobody(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        Sent("core", COLUMNS, rows(k1="a", k2="b")),
        Sent("core", COLUMNS, rows(k1="c"), [Hold(None)], stamp=day(1)),
    )
    assert by_key(snapshot, "NAME") == {"k1": "c", "k2": "b"}


def test_a_newer_full_export_wins_over_a_later_time_in_an_older_one(tmp_path: Path) -> None:
    for hold in ([], [Hold(None)]):
        snapshot = merged(
            tmp_path / str(len(hold)),
            Sent("core", COLUMNS, rows(stamp_us(), k1="old")),
            Sent("core", COLUMNS, rows(None, k1="new"), hold, stamp=day(1)),
        )
        assert by_key(snapshot, "NAME") == {"k1": "new"}


def test_increments_count_from_the_newest_full_export_on(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        Sent("core", COLUMNS, rows(9, k1="dead", k4="dead"), kind="incremental"),
        Sent("core", COLUMNS, rows(5, k1="a", k2="a"), stamp=day(1)),
        Sent("core", COLUMNS, rows(6, k1="b", k3="b"), kind="incremental", stamp=day(2)),
        Sent("core", COLUMNS, rows(4, k2="c"), kind="incremental", stamp=day(3)),
    )
    assert by_key(snapshot, "NAME") == {"k1": "b", "k2": "a", "k3": "b"}


def test_a_full_export_that_is_sent_again_is_as_if_it_had_been_right_at_first(
    tmp_path: Path,
) -> None:
    broken = Sent("core", COLUMNS, rows(9, k1="broken", k2="broken"), content="1", mtime=1)
    mended = Sent("core", COLUMNS, rows(0, k1="mended"), content="2", mtime=2)
    assert by_key(merged(tmp_path / "1", broken, mended), "NAME") == {"k1": "mended"}
    assert by_key(merged(tmp_path / "2", mended), "NAME") == {"k1": "mended"}


def test_an_increment_that_is_sent_again_counts_twice(tmp_path: Path) -> None:
    first = Sent("core", COLUMNS, rows(1, k1="a"), kind="incremental", content="1", mtime=1)
    again = Sent("core", COLUMNS, rows(1, k2="b"), kind="incremental", content="2", mtime=2)
    assert by_key(merged(tmp_path, first, again), "NAME") == {"k1": "a", "k2": "b"}


def test_ties_go_to_the_earlier_list_the_later_export_and_the_later_record(tmp_path: Path) -> None:
    twice = [*rows(5, k1="first"), *rows(5, k1="second")]
    snapshot = merged(
        tmp_path,
        Sent("core", COLUMNS, twice, kind="incremental"),
        Sent("core", COLUMNS, rows(5, k2="core old"), kind="incremental", content="2"),
        Sent("core", COLUMNS, rows(5, k2="core new"), kind="incremental", stamp=day(1)),
        Sent("web", COLUMNS, rows(5, k1="web", k2="web", k3="web"), stamp=day(2)),
    )
    assert by_key(snapshot, "NAME") == {"k1": "second", "k2": "core new", "k3": "web"}


def test_a_row_without_a_time_loses_against_any(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        Sent("core", COLUMNS, rows(None, k1="core", k2="core")),
        Sent("web", COLUMNS, rows(-(10**15), k1="web"), stamp=day(-9)),
    )
    assert by_key(snapshot, "NAME") == {"k1": "web", "k2": "core"}
    assert by_key(snapshot, "UPDATED_AT_")["k2"] is None
    assert by_key(snapshot, "LISTS_") == {"k1": "core,web", "k2": "core"}


def test_only_keys_of_the_primary_list_become_profiles_when_none_may_be_inserted(
    tmp_path: Path,
) -> None:
    snapshot = merged(
        tmp_path,
        Sent("web", COLUMNS, rows(9, k1="web", k2="web")),
        Sent("core", COLUMNS, rows(1, k1="core", k3="core")),
        insert_new=False,
        primary="core",
    )
    assert by_key(snapshot, "NAME") == {"k1": "web", "k3": "core"}


def test_profiles_are_sorted_by_key_in_binary_order(tmp_path: Path) -> None:
    keys = ["b", "B", "a b", "\u00e9", "\U0001f600", "\uffff", "a", "10", "9"]
    one = Sent("core", COLUMNS, [row for key in keys for row in rows(0, **{key: ""})])
    found = [row["ID"] for row in profiles_of(merged(tmp_path, one))]
    assert found == sorted(keys, key=str.encode)


def test_an_export_without_records_makes_no_profiles(tmp_path: Path) -> None:
    snapshot = merged(tmp_path, Sent("core", COLUMNS))
    assert profiles_of(snapshot) == []
    assert snapshot is not None
    assert [name for name, _ in snapshot.manifest["columns"]] == [
        "ID",
        "NAME",
        "UPDATED_AT_",
        "LISTS_",
    ]
