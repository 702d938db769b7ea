"""The asset: built when something changed, the same bytes every time, errors without data."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from responsys_assets.config.project import Project
from responsys_assets.errors import LakeError
from responsys_assets.lake.exports import Export
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import SnapshotStore
from responsys_assets.profiles import ranges
from responsys_assets.profiles.merge import merge
from responsys_assets.profiles.refresh import refresh
from responsys_assets.progress import SILENT
from responsys_assets_tests.profiles.worlds import (
    NOW,
    Hold,
    Row,
    Sent,
    day,
    hashes,
    plan_of,
    profiles_of,
    project_of,
    put,
    withdraw,
)

COLUMNS = {"ID": "text", "NAME": "text", "POINTS": "integer", "EMAIL_PERMISSION_STATUS_": "text"}


def crowd(list_name: str, first: int, past: int, *, stamp: dt.datetime) -> Sent:
    """Many rows of few times, some keys twice."""
    return Sent(
        list_name,
        COLUMNS,
        [
            Row(
                (f"k{n % 7919:06}",),
                {
                    "NAME": f"{list_name} {n}",
                    "POINTS": n % 97,
                    "EMAIL_PERMISSION_STATUS_": "IO"[n % 2],
                },
                n % 3 or None,
            )
            for n in range(first, past)
        ],
        kind="incremental",
        stamp=stamp,
    )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return project_of(tmp_path, {"core": {}, "web": {}}, {"rules": {"POINTS": "latest_non_empty"}})


@pytest.fixture
def lake(project: Project) -> Lake:
    return Lake(project.lake_path)


def one(list_name: str, name: str, stamp: dt.datetime = NOW) -> Sent:
    return Sent(list_name, COLUMNS, [Row(("k",), {"NAME": name}, 0)], stamp=stamp)


def tree(lake: Lake) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(lake.root.rglob("*"))}


def test_without_an_accepted_export_there_are_no_profiles(project: Project, lake: Lake) -> None:
    assert refresh(project, lake, SILENT) == (None, False)


def test_unchanged_exports_and_rules_write_nothing(project: Project, lake: Lake) -> None:
    put(lake, one("core", "a"))
    first, changed = refresh(project, lake, SILENT)
    assert changed
    before = tree(lake)
    assert refresh(project, lake, SILENT) == (first, False)
    assert {path: time for path, time in tree(lake).items() if path != str(lake.root)} == {
        path: time for path, time in before.items() if path != str(lake.root)
    }


def test_a_new_export_makes_a_new_snapshot_and_leaves_the_old_one(
    project: Project, lake: Lake
) -> None:
    put(lake, one("core", "a"))
    old, _ = refresh(project, lake, SILENT)
    put(lake, one("core", "b", day(30)))
    later = replace(project, now=lambda: NOW + dt.timedelta(hours=1))
    new, changed = refresh(later, lake, SILENT)
    assert changed
    assert [row["NAME"] for row in profiles_of(old)] == ["a"]
    assert [row["NAME"] for row in profiles_of(new)] == ["b"]
    assert SnapshotStore(lake.profiles()).current() == new


def test_a_withdrawn_export_is_as_if_it_had_never_come(project: Project, lake: Lake) -> None:
    put(lake, one("core", "a"))
    export = put(lake, one("core", "b", day(30)))
    withdraw(export)
    snapshot, _ = refresh(project, lake, SILENT)
    assert [row["NAME"] for row in profiles_of(snapshot)] == ["a"]


def test_a_changed_rule_makes_a_new_snapshot(project: Project, lake: Lake, tmp_path: Path) -> None:
    put(lake, one("core", "a"))
    refresh(project, lake, SILENT)
    other = project_of(tmp_path, {"core": {}, "web": {}}, {"rules": {"POINTS": "largest"}})
    other = replace(other, now=lambda: NOW + dt.timedelta(hours=1))
    assert refresh(other, lake, SILENT)[1]


def test_threads_and_the_order_of_rows_change_no_byte(tmp_path: Path) -> None:
    seen = set()
    for shuffle, at_once in ((None, 1), (1, 2), (2, 5), (3, 2)):
        folder = tmp_path / str(shuffle)
        project = project_of(folder, {"core": {}, "web": {}}, {})
        lake = Lake(project.lake_path)
        for sent in (
            crowd("core", 0, 9_000, stamp=day(0)),
            crowd("core", 4_000, 9_000, stamp=day(1)),
            crowd("web", 2_000, 12_000, stamp=day(0)),
        ):
            put(lake, sent, shuffle)
        plan = plan_of(project, lake)
        with lake.writing(), lake.workspace() as workspace:
            out = workspace.folder("out")
            assert merge(plan, out, ranges_at_once=at_once).rows == 7919
            seen.add(tuple((p.name, p.read_bytes()) for p in sorted(out.rglob("*")) if p.is_file()))
    assert len(seen) == 1


def test_many_profiles_make_several_files_with_the_same_rows(
    project: Project, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, crowd("core", 0, 3_000, stamp=day(0)))
    put(lake, crowd("web", 2_000, 4_000, stamp=day(0)))
    whole, _ = refresh(project, lake, SILENT)
    monkeypatch.setattr(ranges, "WORTH_A_RANGE", 1)
    monkeypatch.setattr(ranges, "USUAL_RANGES", 3)
    put(lake, Sent("web", COLUMNS, kind="incremental", stamp=day(1)))
    later = replace(project, now=lambda: NOW + dt.timedelta(hours=1))
    parts, _ = refresh(later, lake, SILENT)
    assert sorted(n for n in hashes(parts) if n.startswith("part")) == [
        "part-00000.parquet",
        "part-00001.parquet",
        "part-00002.parquet",
    ]
    assert profiles_of(parts) == profiles_of(whole)


def test_a_lake_whose_path_looks_like_a_pattern_is_read_as_it_is(tmp_path: Path) -> None:
    project = project_of(tmp_path / "a*[b]?" / "x=1", {"core": {}}, {})
    lake = Lake(project.lake_path)
    kept = Sent("core", COLUMNS, [Row(("k",), {"NAME": "a"}, 0)], [Hold(("k",))])
    put(lake, kept)
    put(lake, Sent("core", COLUMNS, [], [Hold(("k",))], stamp=day(1)))
    assert [row["NAME"] for row in profiles_of(refresh(project, lake, SILENT)[0])] == ["a"]


def test_a_missing_staged_file_is_said_and_publishes_nothing(project: Project, lake: Lake) -> None:
    export = put(lake, one("core", "a"))
    export.parquet.unlink()
    with pytest.raises(LakeError) as caught:
        refresh(project, lake, SILENT)
    assert caught.value.code == "staged_missing"
    assert SnapshotStore(lake.profiles()).current() is None


def test_a_damaged_staged_file_fails_without_showing_data(project: Project, lake: Lake) -> None:
    export: Export = put(lake, one("core", "a"))
    export.parquet.write_bytes(b"PAR1 secret@example.com PAR1")
    with pytest.raises(LakeError) as caught:
        refresh(project, lake, SILENT)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert list(lake.root.glob("tmp/*")) == []
