"""The state of an export is derived from its receipts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from responsys_assets.errors import LakeError
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.receipts import Action, Arrival, Outcome, RemoteFile, Verdict

STAMP = dt.datetime(2026, 11, 1, 2, 0, tzinfo=dt.timezone(dt.timedelta(hours=-4)))
NOW = dt.datetime(2026, 11, 1, 7, 0, tzinfo=dt.UTC)


def arrival(*, mtime: float = 1.0, stamp: dt.datetime = STAMP, ready: str = "1") -> Arrival:
    return Arrival(
        list="core",
        server="here",
        folder="",
        kind="full",
        stamp=stamp,
        data=RemoteFile(name=f"CORE_{stamp:%H}.csv", size=3, mtime=mtime),
        ready=None,
        ready_text=ready,
        sha256="ab" * 32,
        fetched_at=NOW,
    )


def record(lake: Lake, seen: Arrival) -> Path:
    folder = lake.exported("core") / seen.day.isoformat() / seen.sha256[:12]
    with lake.writing(), lake.workspace() as work:
        seen.write(work, folder / f"{seen.identity}.arrival.json")
    return folder


def decide(lake: Lake, folder: Path, export: Export, action: Action, number: int) -> None:
    verdict = Verdict(export_id=export.export_id, action=action, who="ann", when=NOW, why="because")
    with lake.writing(), lake.workspace() as work:
        verdict.write(work, folder / f"{number:04}.verdict.json")


def judge(lake: Lake, export: Export, settings: str = "s") -> None:
    outcome = Outcome(
        list="core",
        file=export.file,
        export_id=export.export_id,
        state="held",
        reason="count_mismatch",
        settings=settings,
        evidence=export.evidence,
        decided_at=NOW,
    )
    with lake.writing(), lake.workspace() as work:
        outcome.write(work, export.receipt)


def only(lake: Lake) -> Export:
    (export,) = read_exports(lake, "core")
    return export


def test_one_content_seen_twice_is_one_export(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    record(lake, arrival(mtime=1))
    record(lake, arrival(mtime=2))
    assert [seen.data.mtime for seen in only(lake).arrivals] == [1, 2]


def test_equal_bytes_of_two_hours_are_two_exports(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    record(lake, arrival())
    record(lake, arrival(stamp=STAMP + dt.timedelta(hours=1)))
    first, second = read_exports(lake, "core")
    assert first.order < second.order
    assert first.parquet != second.parquet


def test_the_partition_is_the_day_of_the_stamp_in_account_time() -> None:
    late = dt.datetime(2026, 11, 1, 23, 30, tzinfo=STAMP.tzinfo)
    assert arrival(stamp=late).day == dt.date(2026, 11, 1)


def test_an_export_is_judged_again_when_settings_evidence_or_verdicts_change(
    tmp_path: Path,
) -> None:
    lake = Lake(tmp_path)
    folder = record(lake, arrival())
    assert only(lake).needs_staging("s")
    judge(lake, only(lake))
    assert only(lake).state == "held"
    assert not only(lake).needs_staging("s")
    assert only(lake).needs_staging("other")
    record(lake, arrival(mtime=2))
    assert not only(lake).needs_staging("s")
    record(lake, arrival(mtime=3, ready="2"))
    assert only(lake).needs_staging("s")
    judge(lake, only(lake))
    decide(lake, folder, only(lake), "accept", 1)
    assert only(lake).accepted_by_person
    assert only(lake).needs_staging("s")


def test_a_withdrawn_export_is_neither_accepted_nor_staged_again(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    folder = record(lake, arrival())
    decide(lake, folder, only(lake), "withdraw", 1)
    assert only(lake).state == "withdrawn"
    assert not only(lake).needs_staging("s")
    decide(lake, folder, only(lake), "retry", 2)
    assert only(lake).needs_staging("s")


def test_a_damaged_receipt_is_named(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    folder = record(lake, arrival())
    (path,) = folder.glob("*.arrival.json")
    path.write_text("{")
    with pytest.raises(LakeError) as caught:
        read_exports(lake, "core")
    assert caught.value.file == str(path)
