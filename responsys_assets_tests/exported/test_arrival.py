"""The decision on every data file of a folder."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from responsys_assets.config.models import ProfileList
from responsys_assets.exported.arrival import Decision, Looks, Shown, decide, ready_names
from responsys_assets.lake.receipts import Arrival, RemoteFile

ZONE = ZoneInfo("America/New_York")
NOW = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)
T = NOW.timestamp()
DATA = "CORE_20260309_053000.csv.gpg"


def profile_list(**keys: Any) -> ProfileList:
    return ProfileList.model_validate_json(
        json.dumps({"server": "s", "files": "CORE_{YYYYMMDD}_{HHMISS}.csv.gpg", **keys})
    )


def file(name: str, size: int = 10, mtime: float = T - 60) -> RemoteFile:
    return RemoteFile(name=name, size=size, mtime=mtime)


def arrived(decision: Decision, sha256: str = "00") -> Arrival:
    return Arrival(
        list=decision.list,
        server=decision.server,
        folder=decision.folder,
        kind=decision.kind,
        stamp=decision.stamp,
        data=decision.data,
        ready=decision.ready,
        ready_text="1",
        ambiguous_ready=decision.ambiguous_ready,
        sha256=sha256,
        fetched_at=NOW,
    )


def look(
    listing: Iterable[RemoteFile], known: Iterable[Arrival] = (), /, **keys: Any
) -> list[Decision]:
    return decide(
        {"core": profile_list(**keys)}, Shown(list(listing)), {"core": list(known)}, NOW, ZONE
    )


def only(decisions: list[Decision]) -> Decision:
    (decision,) = decisions
    return decision


def test_a_ready_file_has_three_names_tried_in_order() -> None:
    assert ready_names("X.csv.gpg", ".ready") == ["X.csv.gpg.ready", "X.csv.ready", "X.ready"]
    assert ready_names("X.csv", ".done") == ["X.csv.done", "X.done"]
    assert ready_names("X", ".ready") == ["X.ready"]
    assert ready_names("X.CSV.zip.PGP", ".ready") == [
        "X.CSV.zip.PGP.ready",
        "X.CSV.zip.ready",
        "X.ready",
    ]
    assert ready_names(".csv", ".ready") == [".csv.ready"]


@pytest.mark.parametrize(
    "present", [set(c) for n in range(4) for c in itertools.combinations(range(3), n)]
)
def test_the_first_ready_file_that_exists_is_the_one(present: set[int]) -> None:
    names = ready_names(DATA, ".ready")
    decision = only(look([file(DATA), *(file(names[n], 1) for n in present)]))
    if present:
        assert decision.action == "take"
        assert decision.ready is not None
        assert decision.ready.name == names[min(present)]
        assert not decision.ambiguous_ready
    else:
        assert (decision.action, decision.reason) == ("wait", "no_ready_file")
        assert decision.detail is not None
        assert names[0] in decision.detail


@pytest.mark.parametrize(
    "other",
    [
        "CORE_20260308_053000.csv.gpg.ready",
        "CORE_20260309_053000.csv.gpg.READY",
        "CORE_20260309_053000.csv.gpg.ready.tmp",
        "CORE_20260309.ready",
        "core.ready",
    ],
)
def test_a_ready_file_of_another_name_releases_nothing(other: str) -> None:
    assert only(look([file(DATA), file(other)])).reason == "no_ready_file"


@pytest.mark.parametrize("size", [0, 10])
@pytest.mark.parametrize("lag", [-3600, 0, 3600])
def test_ready_before_or_after_data_and_empty_data_are_taken(size: int, lag: int) -> None:
    files = [file(DATA, size), file(f"{DATA}.ready", 0, T - 60 + lag)]
    assert only(look(files)).action == "take"


def test_a_ready_file_that_two_data_files_would_use_marks_both() -> None:
    lists = {
        "core": profile_list(),
        "zipped": profile_list(files="CORE_{YYYYMMDD}_{HHMISS}.zip"),
    }
    zipped = file("CORE_20260309_053000.zip")
    ready = file("CORE_20260309_053000.ready", 1)
    both = decide(lists, Shown([file(DATA), zipped, ready]), {}, NOW, ZONE)
    assert [(d.list, d.action, d.ambiguous_ready) for d in both] == [
        ("core", "take", True),
        ("zipped", "take", True),
    ]
    # an own one for each ends it, and what was held as ambiguous is then taken anew
    known = {d.list: [arrived(d)] for d in both}
    assert [
        d.action for d in decide(lists, Shown([file(DATA), zipped, ready]), known, NOW, ZONE)
    ] == [
        "known",
        "known",
    ]
    own = [*(file(f"{name}.ready", 1) for name in (DATA, zipped.name)), ready]
    separate = decide(lists, Shown([file(DATA), zipped, *own]), known, NOW, ZONE)
    assert [(d.action, d.ambiguous_ready) for d in separate] == [("take", False)] * 2


def test_when_the_other_data_file_goes_the_ready_file_is_no_longer_ambiguous() -> None:
    lists = {
        "core": profile_list(),
        "zipped": profile_list(files="CORE_{YYYYMMDD}_{HHMISS}.zip"),
    }
    ready = file("CORE_20260309_053000.ready", 1)
    files = [file(DATA), file("CORE_20260309_053000.zip"), ready]
    core, _ = decide(lists, Shown(files), {}, NOW, ZONE)
    (alone,) = decide(lists, Shown([file(DATA), ready]), {"core": [arrived(core)]}, NOW, ZONE)
    assert (alone.action, alone.ambiguous_ready) == ("take", False)
    (again,) = decide(lists, Shown([file(DATA), ready]), {"core": [arrived(alone)]}, NOW, ZONE)
    assert again.action == "known"


def test_two_lists_may_take_the_same_file() -> None:
    lists = {"one": profile_list(), "two": profile_list()}
    decisions = decide(lists, Shown([file(DATA), file(f"{DATA}.ready")]), {}, NOW, ZONE)
    assert [(d.action, d.ambiguous_ready) for d in decisions] == [("take", False)] * 2


@pytest.mark.parametrize("age", [0, 10_000, 5 * 3600, 90 * 86_400, -86_000, -86_500])
@pytest.mark.parametrize(
    ("seen", "action"),
    [(None, "wait"), (0, "wait"), (599, "wait"), (600, "take"), (10**6, "take"), (-5, "wait")],
)
def test_without_ready_files_a_file_settles_by_our_own_clock_whatever_the_server_says(
    age: int, seen: int | None, action: str
) -> None:
    data = file(DATA, mtime=T - age)
    first = None if seen is None else NOW - dt.timedelta(seconds=seen)
    decision = settling(data, {data: first} if first else {})
    assert decision.action == action
    assert decision.reason == (None if action == "take" else "settling")
    assert decision.ready is None
    # a clock that was set back starts anew
    assert decision.first_seen == (first if first and first < NOW else NOW)


def settling(data: RemoteFile, looks: Looks, settle: str = "10m") -> Decision:
    lists = {"core": profile_list(ready="none", settle=settle)}
    return only(decide(lists, Shown([data]), {}, NOW, ZONE, {"core": looks}))


def test_a_look_at_another_size_or_time_does_not_count() -> None:
    long_ago = NOW - dt.timedelta(days=1)
    for other in (file(DATA, size=9), file(DATA, mtime=T - 61), file(f"{DATA}.part")):
        assert settling(file(DATA), {other: long_ago}).reason == "settling"


def test_without_settling_time_the_first_look_takes_a_file() -> None:
    decision = settling(file(DATA), {}, settle="0s")
    assert (decision.action, decision.first_seen) == ("take", None)


def test_a_file_that_was_taken_before_it_had_settled_is_looked_at_again() -> None:
    """Earlier versions took a file with an mtime far ahead at once, and said so."""
    decision = settling(file(DATA), {}, settle="0s")
    early = arrived(decision).model_copy(update={"unsettled": True})
    keys = {"ready": "none", "settle": "10m"}
    assert only(look([file(DATA)], [early], **keys)).action == "wait"
    assert only(look([file(DATA)], [early, arrived(decision)], **keys)).action == "known"


def test_stamps_before_since_are_ignored() -> None:
    ready = file(f"{DATA}.ready")
    assert only(look([file(DATA), ready], since="2026-03-10")).action == "ignore"
    assert only(look([file(DATA), ready], since="2026-03-09")).action == "take"


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        ("20260311_075959", None),  # 11:59:59 UTC of the next day
        ("20260311_080100", "stamp_in_future"),
        ("20270101_000000", "stamp_in_future"),
        ("99991231_235959", "stamp_in_future"),
        ("00010101_000000", "stamp_out_of_range"),
        ("18991231_000000", "stamp_out_of_range"),
    ],
)
def test_a_stamp_that_cannot_be_waits(stamp: str, reason: str | None) -> None:
    name = f"CORE_{stamp}.csv.gpg"
    for zone in ("America/New_York", "Asia/Tokyo"):
        decisions = decide(
            {"core": profile_list()},
            Shown([file(name), file(f"{name}.ready")]),
            {},
            NOW,
            ZoneInfo(zone),
        )
        if zone == "America/New_York":
            assert only(decisions).reason == reason
            assert only(decisions).action == ("take" if reason is None else "wait")


@pytest.mark.parametrize(
    ("name", "iso"),
    [
        ("CORE_20260309_053000.csv.gpg", "2026-03-09T05:30:00-04:00"),
        ("CORE_20260308_023000.csv.gpg", "2026-03-08T02:30:00-05:00"),  # does not exist there
        ("CORE_20251102_013000.csv.gpg", "2025-11-02T01:30:00-04:00"),  # occurs twice
    ],
)
def test_a_stamp_is_in_account_time(name: str, iso: str) -> None:
    decision = only(look([file(name)]))
    assert decision.stamp.isoformat() == iso
    assert arrived(decision).stamp.isoformat() == iso
    back = Arrival.model_validate_json(arrived(decision).model_dump_json())
    assert back.export_id == arrived(decision).export_id
    assert back.day == decision.day


def test_without_a_stamp_in_the_name_the_mtime_is_the_stamp() -> None:
    late = dt.datetime(2026, 3, 10, 3, 59, tzinfo=dt.UTC).timestamp()
    decision = only(look([file("CORE.csv", mtime=late)], files="CORE.csv"))
    assert decision.stamp.isoformat() == "2026-03-09T23:59:00-04:00"
    assert decision.day == dt.date(2026, 3, 9)


@pytest.mark.parametrize(
    "name",
    [
        "my_CORE_20260309_053000.csv.gpg",
        "CORE_20260309_053000.csv.gpg.bak",
        "CORE_20260309_053000.csv.gp\ufffd",
        "CORE_20260309_053000.csv.gpg\n",
        "CORE_20261309_053000.csv.gpg",
        "../CORE_20260309_053000.csv.gpg",
        "CORE_2026030\u0669_053000.csv.gpg",
        "core_20260309_053000.csv.gpg",
    ],
)
def test_only_whole_names_match(name: str) -> None:
    assert look([file(name), file(f"{name}.ready")]) == []


def test_full_and_incremental_exports_are_told_apart_by_their_names() -> None:
    files = {"full": "CORE_{YYYYMMDD}.csv", "incremental": "CORE_{YYYYMMDD}_{HHMISS}.csv"}
    decisions = look([file("CORE_20260309_053000.csv"), file("CORE_20260309.csv")], files=files)
    assert [(d.data.name, d.kind) for d in decisions] == [
        ("CORE_20260309.csv", "full"),
        ("CORE_20260309_053000.csv", "incremental"),
    ]


def test_what_changed_since_it_was_taken_is_taken_again_and_nothing_else() -> None:
    ready = file(f"{DATA}.ready", 1)
    known = [arrived(only(look([file(DATA), ready])))]
    same = look([file(DATA), ready], known)
    assert only(same).action == "known"
    for data, other in (
        (file(DATA, size=11), ready),
        (file(DATA, mtime=T - 59), ready),
        (file(DATA, mtime=T - 90_000), ready),
        (file(DATA), file(f"{DATA}.ready", 2)),
        (file(DATA), file(f"{DATA}.ready", 1, T - 59)),
    ):
        assert only(look([data, other], known)).action == "take"


def test_a_ready_file_removed_after_its_export_was_taken_changes_nothing() -> None:
    known = [arrived(only(look([file(DATA), file(f"{DATA}.ready")])))]
    assert only(look([file(DATA)], known)).action == "known"
    assert only(look([file(DATA, size=11)], known)).action == "wait"
