"""Each record of an export becomes a staged row or a reject that says where it was and why."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow.parquet as pq
import pytest

from responsys_assets.errors import ConfigError
from responsys_assets.staged.blocks import read_blocks
from responsys_assets_tests.staged.conftest import DIRTY, STAMP, lines

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
        ("number", "12345678901234567"), ("number", "0.12345678901234567890"),
        ("number", "1e-999"), ("number", "1e-99999999999999999999"),
        ("number", "-9007199254740993"),
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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("19.90", 19.9), ("0.1", 0.1), ("9007199254740992", 2.0**53), ("1.5e300", 1.5e300),
        ("0.30000000000000004", 0.30000000000000004), ("4111111111111111", 4111111111111111.0),
        ("100000000000000000000", 1e20), ("+.50000000000000000000", 0.5), ("0e-999", 0.0),
    ],
)  # fmt: skip
def test_a_number_is_staged_if_it_is_exactly_what_was_written(
    bench: Bench, text: str, value: float
) -> None:
    """Fails (above, for numbers that change) when `cast` does not ask `_loses_digits`."""
    assert bench.stage(lines("id,v", f"a,{text}"), columns={"v": "number"}).data == [("a", value)]


def test_the_time_of_update_is_that_of_the_column_or_of_the_export(bench: Bench) -> None:
    assert [row["_updated_us"] for row in bench.stage(lines("id", "a")).rows] == [
        1_780_293_600_000_000
    ]
    staged = bench.stage(lines("id,u", "a,2026-06-02 02:00:00", "c,soon"), updated_at="u")
    assert [row["_record"] for row in staged.rows] == [1]
    assert [r["reason"] for r in staged.rejects] == ["bad_updated_at"]


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("C_{YYYYMMDD}.csv", "2026-06-03 02:00:00"),  # the stamp of `bench` is 02:00, by its name
        ("C_{YYYYMMDD}_{HH}.csv", "2026-06-02 03:00:00"),
        ("C_{YYYYMMDD}_{HHMI}.csv", "2026-06-02 02:01:00"),
        ("C_{YYYYMMDD}_{HHMISS}.csv", "2026-06-02 02:00:01"),
        ("C.csv", "2026-06-02 02:00:00"),
    ],
)
def test_a_record_is_in_the_future_a_day_after_the_end_of_its_stamp(
    bench: Bench, name: str, last: str
) -> None:
    """Fails when `latest_time` does not add the length of the stamp."""
    staged = bench.stage(lines("id,u", f"a,{last}"), updated_at="u", files=name)
    assert [row["_record"] for row in staged.rows] == [1]
    after = last[:-1] + str(int(last[-1]) + 1)
    late = bench.stage(lines("id,u", f"a,{after}"), updated_at="u", files=name)
    assert [r["reason"] for r in late.rejects] == ["updated_at_in_future"]


def test_a_file_that_is_written_after_midnight_has_records_of_the_new_day(bench: Bench) -> None:
    """Fails when `latest_time` does not look at the time of the file."""
    midnight = STAMP.replace(hour=0) + dt.timedelta(days=1)
    written = midnight + dt.timedelta(hours=3, days=1)  # a day late, or a name of yesterday
    content = lines("id,u", "a,2026-06-03 02:59:00", "b,2026-06-04 02:59:00")
    early = bench.arrive(content, stamp=midnight - dt.timedelta(days=1))
    project = bench.project(updated_at="u")
    assert [row["_record"] for row in bench.judge(early, project).rows] == []
    bench.forget(early)
    late = bench.arrive(
        content,
        stamp=midnight - dt.timedelta(days=1),
        mtime=written.timestamp(),
        ready={"fetched_at": written + dt.timedelta(minutes=5)},
    )
    assert [row["_record"] for row in bench.judge(late, project).rows] == [1, 2]


def test_a_server_s_clock_that_is_ahead_is_believed_until_the_file_was_here(bench: Bench) -> None:
    """Fails when `latest_time` takes the file's time as it is."""
    far = dt.datetime(2036, 1, 1, tzinfo=dt.UTC).timestamp()
    staged = bench.stage(lines("id,u", "a,2030-01-01 00:00:00"), updated_at="u", mtime=far)
    assert [r["reason"] for r in staged.rejects] == ["updated_at_in_future"]


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
    assert staged.outcome.unidentified == 0  # it is nobody's, and that is known
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
