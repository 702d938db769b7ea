"""No merge, tie, reject, departure or old file undoes an opt-out."""

from __future__ import annotations

from pathlib import Path

from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.profiles.refresh import refresh
from responsys_assets.progress import SILENT
from responsys_assets_tests.profiles.worlds import (
    Hold,
    Row,
    Sent,
    by_key,
    closed_addresses,
    day,
    project_of,
    put,
    stamp_us,
)

PERMISSION, ADDRESS = "EMAIL_PERMISSION_STATUS_", "EMAIL_ADDRESS_"
COLUMNS = {"ID": "text", PERMISSION: "text", ADDRESS: "text"}


def row(key: str, said: str, time: int | None, address: str = "") -> Row:
    return Row((key,), {"ID": key, PERMISSION: said, ADDRESS: address}, time)


def hold(key: str | None, said: str, time: int | None, address: str = "") -> Hold:
    return Hold(None if key is None else (key,), {PERMISSION: said, ADDRESS: address}, time)


def merged(folder: Path, *sent: Sent) -> Snapshot | None:
    project = project_of(folder, {one.list: {} for one in sent}, {})
    lake = Lake(project.lake_path)
    for one in sent:
        put(lake, one)
    return refresh(project, lake, SILENT)[0]


def test_an_opt_out_wins_every_tie(tmp_path: Path) -> None:
    for order in (["I", "O"], ["O", "I"]):
        rows = [row("k", said, 5, "a@x.com") for said in order]
        snapshot = merged(tmp_path / order[0], Sent("core", COLUMNS, rows))
        assert by_key(snapshot, PERMISSION) == {"k": "O"}
        assert closed_addresses(snapshot, "email") == ["a@x.com"]


def test_a_strictly_later_opt_in_of_the_same_list_ends_an_opt_out(tmp_path: Path) -> None:
    rows = [row("k", "O", 5, "a@x.com"), row("k", "I", 6, "a@x.com")]
    snapshot = merged(tmp_path, Sent("core", COLUMNS, rows))
    assert by_key(snapshot, PERMISSION) == {"k": "I"}
    assert closed_addresses(snapshot, "email") == []


def test_an_opt_in_of_another_list_ends_nothing(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        Sent("core", COLUMNS, [row("k", "O", 5)]),
        Sent("web", COLUMNS, [row("k", "I", 9)]),
    )
    assert by_key(snapshot, PERMISSION) == {"k": "O"}


def test_an_opt_out_survives_leaving_the_list(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        Sent("core", COLUMNS, [row("k", "O", 5, "A@x.com ")]),
        Sent("core", COLUMNS, [row("other", "I", 5)], stamp=day(1)),
        Sent("web", COLUMNS, [row("k", "I", 9)]),
    )
    assert by_key(snapshot, PERMISSION) == {"k": "O", "other": "I"}
    assert closed_addresses(snapshot, "email") == ["a@x.com"]


def test_an_old_opt_in_that_is_sent_again_ends_nothing(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        Sent("core", COLUMNS, [row("k", "O", 5)]),
        Sent("core", COLUMNS, [row("k", "I", 4)], stamp=day(1)),
    )
    assert by_key(snapshot, PERMISSION) == {"k": "O"}


def test_an_opt_out_without_a_time_counts_at_the_stamp_of_its_export(tmp_path: Path) -> None:
    opt_out = Sent("core", COLUMNS, [row("k", "O", None)])
    for name, time, expected in (
        ("at", stamp_us(), "O"),
        ("after", stamp_us() + 1, "I"),
        ("never", None, "O"),
    ):
        opt_in = Sent("core", COLUMNS, [row("k", "I", time)], stamp=day(1))
        snapshot = merged(tmp_path / name, opt_out, opt_in)
        assert by_key(snapshot, PERMISSION) == {"k": expected}


def test_an_opt_in_without_a_time_says_i_where_nobody_opted_out(tmp_path: Path) -> None:
    snapshot = merged(tmp_path, Sent("core", COLUMNS, [row("k", "I", None), row("l", "", 5)]))
    assert by_key(snapshot, PERMISSION) == {"k": "I", "l": ""}


def test_what_is_not_understood_counts_as_an_opt_out_and_is_reported(tmp_path: Path) -> None:
    said = {"a": " i\t", "b": "\u00a0I", "c": "Y", "d": "\u0131", "e": "o ", "f": "  "}
    snapshot = merged(tmp_path, Sent("core", COLUMNS, [row(k, v, 5) for k, v in said.items()]))
    assert by_key(snapshot, PERMISSION) == {
        "a": "I",
        "b": "I",
        "c": "O",
        "d": "O",
        "e": "O",
        "f": "",
    }
    assert snapshot is not None
    assert snapshot.manifest["unknown_permissions"] == {"core": 2}


def test_a_reject_that_carried_an_opt_out_still_opts_out(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        Sent("core", COLUMNS, [row("k", "I", 5)]),
        Sent("core", COLUMNS, [], [hold("k", "O", 6, "a@x.com")], stamp=day(1)),
    )
    assert by_key(snapshot, PERMISSION) == {"k": "O"}
    assert closed_addresses(snapshot, "email") == ["a@x.com"]


def test_a_reject_never_opts_in(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        Sent("core", COLUMNS, [row("k", "O", 5)]),
        Sent("core", COLUMNS, [], [hold("k", "I", 9)], stamp=day(1)),
    )
    assert by_key(snapshot, PERMISSION) == {"k": "O"}


def test_an_opt_out_without_a_key_closes_its_address_for_good(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        Sent("core", COLUMNS, [row("k", "I", 9, "a@x.com")], [hold(None, "O", 5, "a@x.com")]),
    )
    assert by_key(snapshot, PERMISSION) == {"k": "I"}
    assert closed_addresses(snapshot, "email") == ["a@x.com"]


def test_what_a_replaced_export_says_of_opt_outs_stays_but_for_records_that_are_good_now(
    tmp_path: Path,
) -> None:
    doubtful = Hold(("m",), {PERMISSION: "O", ADDRESS: "m@x.com"}, None, doubt=True)
    claims = [doubtful, hold("l", "O", 5, "l@x.com")]
    broken = Sent("core", COLUMNS, [row("k", "O", 5)], claims, content="1", mtime=1)
    good = [row("k", "I", 5), row("l", "I", 4), row("m", "I", 5)]
    snapshot = merged(tmp_path, broken, Sent("core", COLUMNS, good, content="2", mtime=2))
    assert by_key(snapshot, PERMISSION) == {"k": "O", "l": "O", "m": "I"}
    assert closed_addresses(snapshot, "email") == ["l@x.com"]


def test_permission_is_there_even_when_only_an_old_export_has_it(tmp_path: Path) -> None:
    snapshot = merged(
        tmp_path,
        Sent("core", COLUMNS, [row("k", "O", 5, "a@x.com")]),
        Sent("core", {"ID": "text"}, [Row(("k",), {"ID": "k"}, 9)], stamp=day(1)),
    )
    assert by_key(snapshot, PERMISSION) == {"k": "O"}
    assert closed_addresses(snapshot, "email") == ["a@x.com"]
