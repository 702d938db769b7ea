"""Each record of an export becomes a staged row or a reject that says where it was and why."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow.parquet as pq
import pytest

from responsys_assets.errors import ConfigError
from responsys_assets.staged.blocks import read_blocks
from responsys_assets_tests.staged.conftest import DIRTY, lines

# the fixture `bench` is a Bench of conftest.py
Bench = Any


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
