"""What a rejected record still says: its key, its consent, its addresses."""

from __future__ import annotations

from typing import Any

import pytest

Bench = Any
HEADER = "id,name,EMAIL_ADDRESS_,EMAIL_PERMISSION_STATUS_,n\n"


def holds(bench: Bench, *records: str, header: str = HEADER, **settings: Any) -> list[Any]:
    """Key, permission and address of each hold."""
    settings = {"columns": {"n": "integer"}, **settings}
    staged = bench.stage((header + "\n".join(records)).encode(), **settings)
    assert not staged.rows
    found = [
        (hold["_key_0"], hold["EMAIL_PERMISSION_STATUS_"], hold["EMAIL_ADDRESS_"])
        for hold in staged.holds
    ]
    without = {hold["_record"] for hold in staged.holds if hold["_key_0"] is None}
    assert staged.outcome.unidentified == len(without)
    return found


@pytest.mark.parametrize(
    ("permission", "heard"), [("I", "I"), (" i", "I"), ("O", "O"), ("", "O"), ("?", "O")]
)
def test_a_record_with_a_key_counts_as_out_unless_it_says_in(
    bench: Bench, permission: str, heard: str
) -> None:
    assert holds(bench, f" 1 ,x,A@x.com,{permission},bad") == [("1", heard, "a@x.com")]


@pytest.mark.parametrize(("permission", "heard"), [("I", "I"), ("O", "O"), ("", "")])
def test_a_record_without_a_key_says_what_it_says(
    bench: Bench, permission: str, heard: str
) -> None:
    assert holds(bench, f",x,A@x.com,{permission},5") == [(None, heard, "a@x.com")]


def test_a_record_with_a_column_too_many_is_looked_at_from_both_ends(bench: Bench) -> None:
    assert holds(bench, "1,x,y,a@x.com,I,5") == [("1", "O", "y"), ("x", "O", "a@x.com")]


def test_a_record_that_is_too_short_may_have_been_cut_at_its_end(bench: Bench) -> None:
    assert holds(bench, "1,x,a@x.com,I") == [("1", "O", "a@x.com")]
    assert holds(bench, "1") == [(None, "", "")]


def test_the_last_column_as_key_is_read_from_both_ends_too(bench: Bench) -> None:
    header = "EMAIL_ADDRESS_,EMAIL_PERMISSION_STATUS_,id\n"
    assert holds(bench, "a@x.com,I,7,8", header=header, columns={}) == [
        ("7", "O", "a@x.com"),
        ("8", "O", "i"),
    ]
    assert holds(bench, "a@x.com,7", header=header, columns={}) == [("7", "O", "a@x.com")]


def test_of_a_misquoted_record_only_what_came_before_counts(bench: Bench) -> None:
    assert holds(bench, '1,"x"y,a@x.com,I,5') == [("1", "O", "")]
    assert holds(bench, '"1"2,x,a@x.com,I,5') == [(None, "", "")]


def test_an_undecodable_value_hides_only_itself(bench: Bench) -> None:
    header = HEADER.encode()
    staged = bench.stage(header + b"1,\xff,A@x.com,I,5\n\xff,x,b@x.com,O,5\n2,x,\xff,O,5\n")
    assert [
        (hold["_key_0"], hold["EMAIL_PERMISSION_STATUS_"], hold["EMAIL_ADDRESS_"])
        for hold in staged.holds
    ] == [("1", "I", "a@x.com"), (None, "O", "b@x.com"), ("2", "O", "")]


def test_a_composite_key_may_have_shifted_between_its_parts(bench: Bench) -> None:
    staged = bench.stage(b"a,x,b,y\n1,2,3,4,5\n", match_on=["a", "b"])
    assert [(hold["_key_0"], hold["_key_1"]) for hold in staged.holds] == [
        ("1", "3"),
        ("1", "4"),
        ("2", "4"),
    ]


def test_a_hold_knows_the_time_of_a_well_formed_record_only(bench: Bench) -> None:
    staged = bench.stage(
        b"id,n,u\n1,x,2026-05-01 10:00:00\n2,x,\n3,x,soon\n4,x,2027-01-01 00:00:00\n5,5\n",
        columns={"n": "integer"},
        updated_at="u",
    )
    times = {hold["_key_0"]: hold["_updated_us"] for hold in staged.holds}
    assert times == {"1": 1_777_644_000_000_000, "2": None, "3": None, "4": None, "5": None}


def test_records_swallowed_by_a_damaged_one_are_held_too(bench: Bench) -> None:
    staged = bench.stage(b'id,v\n1,"a"b\n2\n3,"c"d\n4,e\n')
    assert [row["id"] for row in staged.rows] == ["4"]
    assert {hold["_key_0"] for hold in staged.holds} >= {"1", "3"}


def test_a_list_without_permissions_has_holds_of_keys_alone(bench: Bench) -> None:
    staged = bench.stage(b"id,n\n1,x\n", columns={"n": "integer"})
    (hold,) = staged.holds
    assert list(hold) == ["_record", "_key_0", "_updated_us"]
