"""What a rejected record still says: its key, its consent, its addresses."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from responsys_assets_tests.staged.conftest import STAMP

Bench = Any
HEADER = "id,name,EMAIL_ADDRESS_,EMAIL_PERMISSION_STATUS_,n\n"


DAY = dt.timedelta(days=1)


def stage(bench: Bench, *records: str, known: str, header: str = HEADER, **settings: Any) -> Any:
    """Records of a list whose export of the day before had these keys."""
    settings = {"columns": {"n": "integer"}, "max_shrink": "100%", **settings}
    names = header.strip().split(",")
    before = "".join(
        ",".join(key if name == "id" else "" for name in names) + "\n" for key in known.split()
    )
    bench.stage((header + before).encode(), stamp=STAMP - DAY, **settings)
    return bench.stage((header + "\n".join(records)).encode(), **settings)


def holds(bench: Bench, *records: str, known: str = "1 x 7 8", **settings: Any) -> list[Any]:
    """Key, permission and address of each hold."""
    staged = stage(bench, *records, known=known, **settings)
    assert not staged.rows
    return [
        (hold["_key_0"], hold["EMAIL_PERMISSION_STATUS_"], hold["EMAIL_ADDRESS_"])
        for hold in staged.holds
    ]


@pytest.mark.parametrize(
    ("permission", "heard"), [("I", "I"), (" i", "I"), ("O", "O"), ("", "O"), ("?", "O")]
)
def test_a_record_with_a_key_counts_as_out_unless_it_says_in(
    bench: Bench, permission: str, heard: str
) -> None:
    assert holds(bench, f" 1 ,x,A@x.com,{permission},bad") == [("1", heard, "a@x.com")]


@pytest.mark.parametrize(
    ("permission", "doubt"), [("I", False), (" o ", False), ("O", False), ("", True), ("?", True)]
)
def test_what_is_only_assumed_is_marked_as_a_doubt(
    bench: Bench, permission: str, doubt: bool
) -> None:
    (hold,) = stage(bench, f"1,x,A@x.com,{permission},bad", known="1").holds
    assert hold["_doubt"] is doubt


def test_of_two_channels_one_may_be_plain_and_one_a_doubt(bench: Bench) -> None:
    header = "id,EMAIL_PERMISSION_STATUS_,MOBILE_PERMISSION_STATUS_,MOBILE_NUMBER_,n\n"
    found = stage(bench, "1,O,,+39 06 1234567,bad", known="1", header=header).holds
    assert [
        (hold["_doubt"], hold["EMAIL_PERMISSION_STATUS_"], hold["MOBILE_PERMISSION_STATUS_"])
        for hold in found
    ] == [(False, "O", ""), (True, "", "O")]


@pytest.mark.parametrize(("permission", "heard"), [("I", "I"), ("O", "O"), ("", "")])
def test_a_record_without_a_key_says_what_it_says_and_is_nobody_s(
    bench: Bench, permission: str, heard: str
) -> None:
    """Fails when a well-formed record without a key counts as `unidentified`."""
    staged = stage(bench, f",x,A@x.com,{permission},5", f",x,B@x.com,{permission},bad", known="1")
    assert [
        (hold["_key_0"], hold["EMAIL_PERMISSION_STATUS_"], hold["EMAIL_ADDRESS_"])
        for hold in staged.holds
    ] == [(None, heard, "a@x.com"), (None, heard, "b@x.com")]
    assert staged.outcome.unidentified == 0


def test_a_record_with_a_column_too_many_is_looked_at_from_both_ends(bench: Bench) -> None:
    assert holds(bench, "1,x,y,a@x.com,I,5") == [("1", "O", "y"), ("x", "O", "a@x.com")]


def test_a_guess_is_a_key_only_if_the_list_has_or_had_it(bench: Bench) -> None:
    """Fails when `Guesses.settle` keeps every guess."""
    assert holds(bench, "1,EU,y,a@x.com,I,5", known="1") == [("1", "O", "y")]


def test_a_guess_of_which_nothing_is_known_is_nobody(bench: Bench) -> None:
    assert holds(bench, "1,EU,y,a@x.com,I,6", known="2 3") == [(None, "", "")]


def test_a_key_of_the_export_itself_is_one_that_the_list_has(bench: Bench) -> None:
    staged = stage(bench, "1,x,a@x.com,I,5", "1,x,y,a@x.com,O,5", known="7")
    assert [row["id"] for row in staged.rows] == ["1"]
    assert {hold["_key_0"] for hold in staged.holds} == {"1", None}
    assert staged.outcome.unidentified == 0


def test_keys_of_a_withdrawn_export_are_none(bench: Bench) -> None:
    first = bench.stage((HEADER + "1,,,,\n").encode(), stamp=STAMP - DAY)
    bench.decide(first.export, "withdraw")
    assert bench.stage((HEADER + "1,x,y,a@x.com,I,5\n").encode()).outcome.unidentified == 1


def test_an_older_export_than_the_last_one_knows_a_key_too(bench: Bench) -> None:
    bench.stage((HEADER + "1,,,,\n").encode(), stamp=STAMP - 2 * DAY)
    assert stage(bench, "1,x,y,a@x.com,I,5", known="7").outcome.unidentified == 0


@pytest.mark.parametrize(
    "record",
    [
        '"1","x","a@x.com","O",5,6',
        '"1","x"y,"a@x.com","O",5',
        '"1,x,a@x.com,O,5',
        '1",x,a@x.com,O,5',
        '1,"x, y,a@x.com,O,5',
        "1;x;a@x.com;O;5",
        "1\tx\ta@x.com\tO\t5",
        "1|x, y|a@x.com|O|5",
        ' "1" ,x,a@x.com,O,5',
    ],
)
def test_a_key_is_found_in_quotes_and_with_other_delimiters(bench: Bench, record: str) -> None:
    staged = stage(bench, record, known="1")
    assert {(hold["_key_0"], hold["_doubt"]) for hold in staged.holds} == {
        ("1", True),
        (None, True),
    }
    assert staged.outcome.unidentified == 0
    assert "a@x.com" in {h["EMAIL_ADDRESS_"] for h in staged.holds if h["_key_0"] is None}


def test_a_key_in_the_last_column_is_found_behind_quotes(bench: Bench) -> None:
    header = "name,EMAIL_ADDRESS_,EMAIL_PERMISSION_STATUS_,id\n"
    records = ['"x"y,a@x.com,O,1', '"x, z"y,"a@x.com","O","7"', 'x"y,a@x.com,O,8']
    staged = stage(bench, *records, known="1 7 8", header=header, columns={})
    assert {hold["_key_0"] for hold in staged.holds} - {None} == {"1", "7", "8"}
    assert staged.outcome.unidentified == 0


def test_a_ragged_record_with_an_empty_key_is_not_that_of_a_shifted_value(bench: Bench) -> None:
    staged = stage(bench, ",EU,x,a@x.com,O,5", known="1")
    assert staged.outcome.unidentified == 1
    assert {hold["_key_0"] for hold in staged.holds} == {None}


@pytest.mark.parametrize(
    ("record", "closed"),
    [
        ("z,x,y,a@x.com,O,5", {"a@x.com"}),
        ("z,x,y,a@x.com, o ,5", {"a@x.com"}),
        ("z,a@x.com,<B@x.com>,O,5,6,7", {"a@x.com", "b@x.com"}),
        ("z,x,'a@x.com',O,5,6", {"a@x.com"}),
        ("z,x,a@x.com", {"a@x.com"}),
        ("z,x,a@x.com,,5,6", {"a@x.com"}),
        ("z,x,y,a@x.com,I,5", set()),
    ],
)
def test_addresses_in_a_damaged_record_are_closed_unless_it_plainly_says_in(
    bench: Bench, record: str, closed: set[str]
) -> None:
    """Fails when `_Reader._closed` finds nothing."""
    staged = stage(bench, record, known="1")
    said = {h["EMAIL_ADDRESS_"] for h in staged.holds if h["EMAIL_PERMISSION_STATUS_"] == "O"}
    assert said == closed
    assert staged.outcome.unidentified == 1


def test_mobile_numbers_in_a_damaged_record_are_closed(bench: Bench) -> None:
    header = "id,MOBILE_NUMBER_,MOBILE_PERMISSION_STATUS_,n\n"
    staged = stage(bench, "z,x,+39 06 1234567,O,5", known="1", header=header)
    numbers = {h["MOBILE_NUMBER_"] for h in staged.holds if h["MOBILE_PERMISSION_STATUS_"] == "O"}
    assert {re.sub("[^0-9]", "", number) for number in numbers} == {"39061234567"}


def test_a_record_that_is_too_short_may_have_been_cut_at_its_end(bench: Bench) -> None:
    assert holds(bench, "1,x,a@x.com,I") == [("1", "O", "a@x.com")]
    assert holds(bench, "1") == [(None, "", "")]


def test_the_last_column_as_key_is_read_from_both_ends_too(bench: Bench) -> None:
    header = "EMAIL_ADDRESS_,EMAIL_PERMISSION_STATUS_,id\n"
    assert holds(bench, "a@x.com,I,7,8", header=header, columns={}) == [
        ("7", "O", "a@x.com"),
        ("8", "O", "i"),
    ]


def test_two_records_in_one_line_are_not_one_person_s(bench: Bench) -> None:
    staged = stage(bench, "1,x,a@x.com,I,57,x,b@x.com,O,5", known="1 7")
    assert staged.outcome.unidentified == 1
    assert {"a@x.com", "b@x.com"} <= {hold["EMAIL_ADDRESS_"] for hold in staged.holds}


def test_an_undecodable_value_hides_only_itself(bench: Bench) -> None:
    header = HEADER.encode()
    staged = bench.stage(header + b"1,\xff,A@x.com,I,5\n\xff,x,b@x.com,O,5\n2,x,\xffc@x.com,O,5\n")
    assert [
        (hold["_key_0"], hold["EMAIL_PERMISSION_STATUS_"], hold["EMAIL_ADDRESS_"])
        for hold in staged.holds
    ] == [("1", "I", "a@x.com"), (None, "O", "b@x.com"), ("2", "O", "c@x.com")]
    assert staged.outcome.unidentified == 1


def test_an_undecodable_permission_is_an_opt_out(bench: Bench) -> None:
    staged = bench.stage(HEADER.encode() + b"1,x,a@x.com,\xffO,5\n\xff,x,b@x.com,\xff,5\n")
    assert [(h["EMAIL_PERMISSION_STATUS_"], h["_doubt"]) for h in staged.holds] == [("O", True)] * 2


def test_a_composite_key_may_have_shifted_between_its_parts(bench: Bench) -> None:
    project = {"match_on": ["a", "b"], "max_shrink": "100%"}
    bench.stage(b"a,x,b,y\n1,2,3,4\n1,2,4,4\n2,2,4,4\n", stamp=STAMP - DAY, **project)
    staged = bench.stage(b"a,x,b,y\n1,2,3,4,5\n", **project)
    assert {(hold["_key_0"], hold["_key_1"]) for hold in staged.holds} == {
        ("1", "3"),
        ("1", "4"),
        ("2", "4"),
    }


def test_a_hold_knows_the_time_of_a_well_formed_record_only(bench: Bench) -> None:
    """A time in the future is kept: fails when `judge_rows` takes it away."""
    staged = bench.stage(
        b"id,n,u\n1,x,2026-05-01 10:00:00\n2,x,\n3,x,soon\n4,x,2027-01-01 00:00:00\n5,5\n",
        columns={"n": "integer"},
        updated_at="u",
    )
    times = {hold["_key_0"]: hold["_updated_us"] for hold in staged.holds}
    assert times == {
        "1": 1_777_644_000_000_000,
        "2": None,
        "3": None,
        "4": 1_798_779_600_000_000,
        None: None,
    }


def test_records_swallowed_by_a_damaged_one_are_held_too(bench: Bench) -> None:
    bench.stage(b"id,v\n1,\n2,\n3,\n", stamp=STAMP - DAY)
    staged = bench.stage(b'id,v\n1,"a"b\n2\n3,"c"d\n4,e\n', max_shrink="100%")
    assert [row["id"] for row in staged.rows] == ["4"]
    assert {hold["_key_0"] for hold in staged.holds} >= {"1", "3"}
    assert staged.outcome.unidentified == 1  # the 2 may be a part of it


def test_a_list_without_permissions_has_holds_of_keys_alone(bench: Bench) -> None:
    staged = bench.stage(b"id,n\n1,x\n", columns={"n": "integer"})
    (hold,) = staged.holds
    assert list(hold) == ["_record", "_key_0", "_updated_us", "_doubt"]


def test_half_of_a_composite_key_that_cannot_be_decoded_is_no_key(bench: Bench) -> None:
    staged = bench.stage(b"a,b\n1,\xff\n2,\xc3\xa9\n", match_on=["a", "b"])
    assert [(hold["_key_0"], hold["_key_1"]) for hold in staged.holds] == [(None, None)]
    assert staged.outcome.unidentified == 1
