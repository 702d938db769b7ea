"""An export is staged as a whole, or held or failed with a reason."""

from __future__ import annotations

import datetime as dt
import gzip
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from responsys_assets.errors import LakeError
from responsys_assets.ingest import stage_all
from responsys_assets.lake.publish import sha256_of
from responsys_assets_tests.limits import largest_file
from responsys_assets_tests.staged.conftest import DIRTY, lines

# the fixture `bench` is a Bench of conftest.py
Bench = Any


def test_an_empty_file_without_a_header_line_has_no_records(bench: Bench) -> None:
    staged = bench.stage(b"", header=False, columns={"id": "text"})
    assert (staged.outcome.state, staged.outcome.records, staged.data) == ("staged", 0, [])


def test_a_file_with_nothing_but_a_header_has_no_records(bench: Bench) -> None:
    for content in (b"id,v", b"id,v\n", b"\n\nid,v\r\n\r\n"):
        staged = bench.stage(content)
        assert (staged.outcome.state, staged.outcome.records) == ("staged", 0)
        assert staged.rows == []


def test_packed_content_is_read_whatever_the_name(bench: Bench) -> None:
    assert bench.stage(gzip.compress(lines("id", "a"))).data == [("a",)]


@pytest.mark.parametrize(
    ("content", "settings", "reason", "told"),
    [
        (b"id,a,a\n", {}, "duplicate_header", "a twice"),
        (b"id,a,A\n", {}, "duplicate_header", "case"),
        (b"x,id\n", {"rename": {"x": "id"}}, "duplicate_header", "id twice"),
        (b"a,b\n1,2\n", {}, "missing_column", "no column id"),
        (b"id\n", {"columns": {"n": "integer"}}, "missing_column", "no column n"),
        (b"id\n", {"rename": {"old": "new"}}, "missing_column", "no column old"),
        (b"id\n", {"updated_at": "when"}, "missing_column", "no column when"),
        (b"id;n\n1;2\n", {}, "wrong_delimiter", 'delimiter: ";"'),
        (b"id\tn\n1\t2\n", {}, "wrong_delimiter", "delimiter: tab"),
        (b"", {}, "no_header", "empty"),
        (b"\n\r\n", {}, "no_header", "empty"),
        (b"1,a@example.com\n2,b@example.com\n", {}, "no_header", "like a record"),
        (b"id,\n", {}, "no_header", "column 2"),
        (b'id,"n\n1,2\n', {}, "no_header", "cannot be read as a header"),
        (b"id,UPDATED_AT_\n", {}, "reserved_column", "UPDATED_AT_"),
        (b"id,_record\n", {}, "reserved_column", "_record"),
        (b"\xff\xfei\0d\0\n\0", {}, "wrong_charset", "utf-16"),
        (b"id,\xe9t\xe9\n", {}, "wrong_charset", "charset"),
    ],
)
def test_a_file_whose_head_is_wrong_is_held(
    bench: Bench, content: bytes, settings: dict[str, Any], reason: str, told: str
) -> None:
    staged = bench.stage(content, **settings)
    assert (staged.outcome.state, staged.outcome.reason) == ("held", reason)
    assert told in staged.outcome.detail
    assert "`responsys exports core`" in staged.outcome.detail
    assert not staged.export.parquet.exists()


@pytest.mark.parametrize(
    ("ready", "text", "reason"),
    [
        ({}, "2", None),
        ({}, "records: 2\r\n", None),
        ({}, "3", "count_mismatch"),
        ({}, "", "ready_unreadable"),
        ({}, None, "ready_unreadable"),
        ({}, "2 of 2", "ready_unreadable"),
        ({}, "-2", "ready_unreadable"),
        ({"count": "optional"}, "", None),
        ({"count": "optional"}, "3", "count_mismatch"),
        ({"count": "none"}, "3", None),
        ({"counts_header": True}, "3", None),
        ({"counts_header": True}, "2", "count_mismatch"),
    ],
)
def test_the_ready_file_must_announce_the_records(
    bench: Bench, ready: dict[str, Any], text: str | None, reason: str | None
) -> None:
    staged = bench.stage(lines("id", "a", "", "b"), ready_text=text, settle=None, ready=ready)
    assert staged.outcome.reason == reason
    assert staged.outcome.records == 2
    assert staged.export.parquet.exists() == (reason is None)


def test_a_count_mismatch_says_both_numbers(bench: Bench) -> None:
    outcome = bench.stage(lines("id", "a"), ready_text="17", settle=None, ready={}).outcome
    assert "17 records" in outcome.detail
    assert "has 1" in outcome.detail


def test_too_many_rejects_hold_the_file_and_show_the_rejects(bench: Bench) -> None:
    content = lines("id,n", *(f"{n},{n}" for n in range(19)), "x,x")
    assert bench.stage(content, columns={"n": "integer"}, max_rejected="5%").outcome.rejected == 1
    staged = bench.stage(content + b"y,y\n", columns={"n": "integer"}, max_rejected="5%")
    assert (staged.outcome.state, staged.outcome.reason) == ("held", "too_many_rejected")
    assert (staged.outcome.rejected, staged.outcome.staged) == (2, 0)
    assert len(staged.rejects) == 2
    assert not staged.holds
    assert not staged.export.parquet.exists()


def test_an_ambiguous_ready_file_holds_its_export(bench: Bench) -> None:
    export = bench.arrive(lines("id", "a"), ready={"ready_text": "1", "ambiguous_ready": True})
    assert bench.judge(export, bench.project()).outcome.reason == "ambiguous_ready"


def test_a_person_can_accept_what_was_held_for_its_count(bench: Bench) -> None:
    project = bench.project(settle=None, ready={})
    export = bench.arrive(lines("id", "a"), ready={"ready_text": "2"})
    held = bench.judge(export, project)
    assert held.outcome.state == "held"
    accepted = bench.judge(bench.decide(held.export, "accept"), project)
    assert (accepted.outcome.state, accepted.data) == ("staged", [("a",)])


def test_a_person_cannot_accept_a_file_without_its_columns(bench: Bench) -> None:
    export = bench.decide(bench.arrive(lines("x", "a")), "accept")
    assert bench.judge(export, bench.project()).outcome.reason == "missing_column"


@pytest.mark.parametrize("size", [30, 200])
def test_a_cut_container_fails(bench: Bench, size: int) -> None:
    content = gzip.compress(lines("id", *map(str, range(1000))))
    staged = bench.stage(content[:size])
    assert (staged.outcome.state, staged.outcome.reason) == ("failed", "content_damaged")
    assert not staged.export.parquet.exists()


def test_a_pruned_file_keeps_what_was_accepted_and_otherwise_fails(bench: Bench) -> None:
    kept = bench.stage(lines("id", "a"))
    kept.export.ciphertext.unlink()
    again = bench.judge(kept.export, bench.project(max_rejected=7))
    assert again.outcome == kept.outcome
    other = bench.arrive(lines("id", "b"))
    other.ciphertext.unlink()
    assert bench.judge(other, bench.project()).outcome.reason == "ciphertext_pruned"


def test_new_columns_are_taken_and_reported(bench: Bench) -> None:
    day = dt.timedelta(days=1)
    first = bench.stage(lines("id", "a"))
    assert first.outcome.new_columns == ()
    stamp = first.export.stamp
    bench.stage(b"", stamp=stamp + day)  # held: no columns to compare with
    second = bench.stage(lines("id,v", "a,1"), stamp=stamp + day * 2)
    assert second.outcome.new_columns == ("v",)
    assert bench.stage(lines("v,id", "1,a"), stamp=stamp + day * 3).outcome.new_columns == ()


def test_staging_again_under_the_same_settings_changes_nothing(bench: Bench) -> None:
    first = bench.stage(DIRTY, columns={"n": "integer"})
    before = {path: path.stat().st_mtime_ns for path in bench.lake.root.rglob("*")}
    again = bench.judge(first.export, bench.project(columns={"n": "integer"}))
    assert again.outcome == first.outcome
    assert {path: path.stat().st_mtime_ns for path in bench.lake.root.rglob("*")} == before


def test_the_same_export_makes_the_same_bytes(bench: Bench, tmp_path: Path) -> None:
    one = bench.stage(DIRTY, columns={"n": "integer"})
    two = type(bench)(tmp_path / "other").stage(DIRTY, columns={"n": "integer"})
    for path in ("parquet", "holds", "rejects"):
        assert sha256_of(getattr(one.export, path)) == sha256_of(getattr(two.export, path))
    assert one.outcome.parquet_sha256 == sha256_of(one.export.parquet)
    assert one.outcome.holds_sha256 == sha256_of(one.export.holds)
    assert one.outcome.rejects_sha256 == sha256_of(one.export.rejects)


def test_a_new_reading_replaces_the_accepted_one_only_when_it_is_accepted(bench: Bench) -> None:
    first = bench.stage(lines("id,n", "a,x", "b,1"), columns={"n": "integer"})
    assert first.export.holds.exists()
    second = bench.judge(first.export, bench.project())
    assert second.data == [("a", "x"), ("b", "1")]
    assert not second.export.holds.exists()
    assert not second.export.rejects.exists()
    other = bench.project(columns={"z": "integer"})
    third = bench.judge(second.export, other)
    assert third.outcome.state == "held"
    assert (third.export.accepted, third.export.outcome) == (True, second.outcome)
    assert sha256_of(third.export.parquet) == second.outcome.parquet_sha256
    assert third.export.refused == third.outcome
    assert not third.export.needs_staging(other.staging_settings("core"))


def test_an_edit_that_is_undone_leaves_no_trace_of_the_reading_that_was_refused(
    bench: Bench,
) -> None:
    first = bench.stage(lines("id,n", "a,x"))
    second = bench.judge(first.export, bench.project(delimiter=";"))
    assert second.export.refused
    stage_all(bench.project(), bench.lake, "core")
    undone = bench.export(first.export.export_id)
    assert (undone.accepted, undone.outcome, undone.refused) == (True, first.outcome, None)


def test_what_was_withdrawn_returns_only_with_a_new_reading_that_is_accepted(bench: Bench) -> None:
    first = bench.stage(lines("id,n", "a,x"))
    again = bench.decide(bench.decide(first.export, "withdraw"), "retry")
    assert again.state == "fetched"
    refused = bench.judge(again, bench.project(delimiter=";"))
    assert refused.export.state == "held"
    accepted = bench.judge(refused.export, bench.project())
    assert accepted.export.state == "staged"


def test_what_is_published_is_private_and_nothing_else_is_left(bench: Bench) -> None:
    staged = bench.stage(DIRTY, columns={"n": "integer"})
    files = [path for path in bench.lake.root.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert not (bench.lake.root / "tmp").exists()
    assert staged.export.rejects in files


def test_a_full_disk_is_said_and_leaves_no_receipt(bench: Bench) -> None:
    export = bench.arrive(lines("id", *(os.urandom(40).hex() for _ in range(5000))))
    with largest_file(100_000), pytest.raises(LakeError) as caught:
        bench.judge(export, bench.project())
    assert caught.value.code == "disk"
    assert not list(bench.lake.staged("core").rglob("*"))
    assert bench.judge(export, bench.project()).outcome.state == "staged"


def test_odd_permissions_are_reported_and_staged_as_they_are(bench: Bench) -> None:
    staged = bench.stage(lines("id,EMAIL_PERMISSION_STATUS_", "1,i", "2,Y", "3,"))
    assert [row[1] for row in staged.data] == ["i", "Y", ""]
    assert "EMAIL_PERMISSION_STATUS_ (1)" in staged.outcome.detail
