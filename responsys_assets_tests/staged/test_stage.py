"""An export is staged record by record, or held or failed with a reason."""

from __future__ import annotations

import datetime as dt
import gzip
import os
import resource
import stat
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from responsys_assets.errors import ConfigError, LakeError
from responsys_assets.lake.publish import sha256_of
from responsys_assets.staged.blocks import read_blocks

# the fixture `bench` is a Bench of conftest.py
Bench = Any


def lines(*rows: str, end: str = "\n") -> bytes:
    return "".join(row + end for row in rows).encode()


def test_staged_rows_have_the_columns_of_the_contract(bench: Bench) -> None:
    staged = bench.stage(
        lines("member,POINTS,when", "007,5,2026-05-01 10:00:00", "\u00a0x ,,"),
        match_on="CUSTOMER_ID_",
        rename={"member": "CUSTOMER_ID_"},
        columns={"POINTS": "integer"},
        updated_at="when",
    )
    assert staged.outcome.columns == (
        ("CUSTOMER_ID_", "text"),
        ("POINTS", "integer"),
        ("when", "text"),
    )
    first, second = staged.rows
    assert first == {
        "CUSTOMER_ID_": "007",
        "POINTS": 5,
        "when": "2026-05-01 10:00:00",
        "_source_file": "C_20260601.csv",
        "_source_line": 2,
        "_record": 1,
        "_updated_us": 1_777_644_000_000_000,
        "_permissions": 0,
        "_key_0": "007",
    }
    assert (second["CUSTOMER_ID_"], second["_key_0"]) == ("\u00a0x ", "x")
    assert (second["POINTS"], second["when"], second["_updated_us"]) == (None, "", None)


def test_each_type_has_its_parquet_type(bench: Bench) -> None:
    kinds = ["text", "integer", "number", "boolean", "date", "timestamp"]
    staged = bench.stage(
        lines(
            "id,integer,number,boolean,date,timestamp",
            "1, +4 ,1.5,Yes,2026-02-03,2026-07-01 00:00:00",
        ),
        columns={kind: kind for kind in kinds[1:]},
    )
    (row,) = staged.data
    moment = dt.datetime(2026, 7, 1, 4, tzinfo=dt.UTC)
    assert row == ("1", 4, 1.5, True, dt.date(2026, 2, 3), moment)
    schema = pq.read_schema(staged.export.parquet)
    assert [str(schema.field(n).type) for n in range(6)] == [
        "string", "int64", "double", "bool", "date32[day]", "timestamp[us, tz=UTC]",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", "1.0"), ("integer", "9223372036854775808"), ("integer", "٣"),
        ("number", "nan"), ("number", "1e999"), ("number", "1,5"),
        ("boolean", "maybe"), ("date", "2026-02-30"), ("timestamp", "2026-01-01"),
    ],
)  # fmt: skip
def test_a_value_that_is_not_of_its_type_rejects_its_record(
    bench: Bench, kind: str, value: str
) -> None:
    staged = bench.stage(lines("id,v", f'a,"{value}"', "b,"), columns={"v": kind})
    (reject,) = staged.rejects
    assert (reject["reason"], reject["column"], reject["record"]) == (f"bad_{kind}", "v", 1)
    assert value not in reject["detail"]
    assert staged.data == [("b", None)]


def test_text_is_never_null_and_never_reinterpreted(bench: Bench) -> None:
    staged = bench.stage(b'id,v\n007,""\n008,\nnull,NULL\n1e5, x \nz\0,\0\n')
    assert staged.data == [
        ("007", ""), ("008", ""), ("null", "NULL"), ("1e5", " x "), ("z\0", "\0"),
    ]  # fmt: skip


def test_the_time_of_update_is_that_of_the_column_or_of_the_export(bench: Bench) -> None:
    assert [row["_updated_us"] for row in bench.stage(lines("id", "a")).rows] == [
        1_780_293_600_000_000
    ]
    staged = bench.stage(
        lines("id,u", "a,2026-06-02 02:00:00", "b,2026-06-02 02:00:01", "c,soon"), updated_at="u"
    )
    assert [row["_record"] for row in staged.rows] == [1]  # 24 hours after the stamp, no more
    assert [r["reason"] for r in staged.rejects] == ["updated_at_in_future", "bad_updated_at"]


def test_a_date_as_time_of_update_is_its_midnight_in_account_time(bench: Bench) -> None:
    staged = bench.stage(lines("id,u", "a,2026-05-01"), updated_at="u", columns={"u": "date"})
    assert staged.rows[0]["_updated_us"] == 1_777_608_000_000_000


def test_a_record_without_a_part_of_its_key_is_rejected_but_no_fault(bench: Bench) -> None:
    staged = bench.stage(
        lines("a,MOBILE_NUMBER_", "1,+39 3", " ,2", "3,none", "4,5"),
        match_on=["a", "MOBILE_NUMBER_"],
        max_rejected=0,
    )
    assert [(row["_key_0"], row["_key_1"]) for row in staged.rows] == [("1", "393"), ("4", "5")]
    assert staged.outcome.rejected_by_reason == {"no_match_key": 2}
    assert staged.outcome.unidentified == 2
    assert staged.outcome.state == "staged"


DIRTY = (
    b'id,name,n\r\n1,"a\nb",1\r\n\r\n2,x\r\n3,"y"z,3\r\n4,ok,four\r\n\xff5,w,5\r\n,none,6\r\n7,ok,7'
)


@pytest.mark.parametrize("block", [16, 8 << 20])
def test_rejects_say_where_they_are(
    bench: Bench, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_blocks, "__defaults__", (block,))
    staged = bench.stage(DIRTY, columns={"n": "integer"})
    told = [(r["record"], r["line"], r["reason"], r["raw"]) for r in staged.rejects]
    assert told == [
        (2, 5, "ragged", b"2,x"),
        (3, 6, "misquoted", b'3,"y"z,3'),
        (4, 7, "bad_integer", b"4,ok,four"),
        (5, 8, "bad_encoding", b"\xff5,w,5"),
        (6, 9, "no_match_key", b",none,6"),
    ]
    for reject in staged.rejects:
        assert DIRTY[reject["byte"] :].startswith(reject["raw"])
    assert [(row["_record"], row["_source_line"]) for row in staged.rows] == [(1, 2), (7, 10)]
    assert (staged.outcome.records, staged.outcome.blank) == (7, 1)


@pytest.mark.parametrize(
    ("charset", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-16", b"\xff\xfe"),
        ("utf-16-le", b""),
        ("utf-16-be", b"\xfe\xff"),
        ("latin-1", b""),
        ("cp1252", b""),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "|", "tab"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_charset_delimiter_and_line_end_reads_alike(
    bench: Bench, charset: str, mark: bytes, delimiter: str, end: str
) -> None:
    text = end.join(["id|name", 'é1|"Zoë ""Ü"""', "2", "3|", ""])
    codec = "utf-16-le" if mark == b"\xff\xfe" else charset
    content = mark + text.replace("|", "\t" if delimiter == "tab" else delimiter).encode(codec)
    staged = bench.stage(content, charset=charset, delimiter=delimiter)
    assert staged.data == [("é1", 'Zoë "Ü"'), ("3", "")]
    (reject,) = staged.rejects
    assert content[reject["byte"] :].startswith(reject["raw"])
    assert (reject["raw"].decode(codec), reject["line"]) == ("2", 3)


def test_bytes_that_cannot_be_decoded_reject_their_record_only(bench: Bench) -> None:
    cp1252 = bench.stage(b"id,v\n1,\x81\n2,\x80\n", charset="cp1252")
    assert cp1252.data == [("2", "€")]
    assert cp1252.rejects[0]["raw"] == b"1,\x81"
    text = "id,v\n1,\ud800\n2,😀\n3,x".encode("utf-16-be", "surrogatepass") + b"\0"
    wide = bench.stage(text, charset="utf-16-be")
    assert wide.data == [("2", "😀")]
    assert [reject["record"] for reject in wide.rejects] == [1, 3]
    assert [text[r["byte"] :].startswith(r["raw"]) for r in wide.rejects] == [True, True]


def test_a_charset_of_several_bytes_a_character_is_a_configuration_error(bench: Bench) -> None:
    with pytest.raises(ConfigError):
        bench.stage(b"id\n", charset="shift_jis")


def test_without_a_header_line_the_configuration_names_the_columns(bench: Bench) -> None:
    staged = bench.stage(
        lines("1|x|5"),
        header=False,
        delimiter="|",
        enclosure="none",
        columns={"id": "text", "name": "text", "n": "integer"},
    )
    assert staged.data == [("1", "x", 5)]
    assert (staged.rows[0]["_source_line"], staged.rows[0]["_record"]) == (1, 1)


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


def test_new_settings_replace_what_was_published(bench: Bench) -> None:
    first = bench.stage(lines("id,n", "a,x", "b,1"), columns={"n": "integer"})
    assert first.export.holds.exists()
    second = bench.judge(first.export, bench.project())
    assert second.data == [("a", "x"), ("b", "1")]
    assert not second.export.holds.exists()
    assert not second.export.rejects.exists()
    third = bench.judge(second.export, bench.project(columns={"z": "integer"}))
    assert third.outcome.state == "held"
    assert not third.export.parquet.exists()


def test_what_is_published_is_private_and_nothing_else_is_left(bench: Bench) -> None:
    staged = bench.stage(DIRTY, columns={"n": "integer"})
    files = [path for path in bench.lake.root.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert not (bench.lake.root / "tmp").exists()
    assert staged.export.rejects in files


def test_a_full_disk_is_said_and_leaves_no_receipt(bench: Bench) -> None:
    export = bench.arrive(lines("id", *(os.urandom(40).hex() for _ in range(5000))))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(LakeError) as caught:
            bench.judge(export, bench.project())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "disk"
    assert not list(bench.lake.staged("core").rglob("*"))
    assert bench.judge(export, bench.project()).outcome.state == "staged"


def test_odd_permissions_are_reported_and_staged_as_they_are(bench: Bench) -> None:
    staged = bench.stage(lines("id,EMAIL_PERMISSION_STATUS_", "1,i", "2,Y", "3,"))
    assert [row[1] for row in staged.data] == ["i", "Y", ""]
    assert "EMAIL_PERMISSION_STATUS_ (1)" in staged.outcome.detail
