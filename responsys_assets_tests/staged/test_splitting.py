"""Records are found as Python's csv finds them, and a fault costs one record."""

from __future__ import annotations

import csv
import io
import random
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responsys_assets.staged.fields import good_fields
from responsys_assets.staged.records import Dialect
from responsys_assets.staged.splitter import FAULTS, LIMIT, PADDING, Splitter

PLAIN = Dialect(ord(","), quoted=True)


@dataclass
class Found:
    rows: list[tuple[str, ...]] = field(default_factory=list)
    faults: list[tuple[str, bytes]] = field(default_factory=list)
    orders: list[int] = field(default_factory=list)
    blank: int = 0
    records: int = 0


def split(
    data: bytes, columns: int, dialect: Dialect = PLAIN, block: int = 1 << 20, limit: int = LIMIT
) -> Found:
    """Everything in a text that comes in blocks."""
    splitter = Splitter(dialect, columns, limit)
    found, left, at = Found(), b"", 0
    while True:
        chunk = data[at : at + block]
        at += len(chunk)
        whole = left + chunk
        text = np.zeros(len(whole) + PADDING, np.uint8)
        text[: len(whole)] = np.frombuffer(whole, np.uint8)
        cut = splitter.split(text, len(whole), final=at >= len(data))
        fields = good_fields(text, cut, dialect)
        values = [fields.column(index).to_pylist() for index in range(columns)]
        found.rows += zip(*values, strict=True)
        found.faults += [
            (FAULTS[fault], whole[start:end])
            for start, end, fault in zip(
                cut.spans.starts, cut.spans.ends, cut.spans.faults, strict=True
            )
        ]
        orders = [*cut.order.tolist(), *cut.spans.order.tolist()]
        found.orders += sorted(found.records + order for order in orders)
        found.blank += cut.blank
        found.records += cut.records
        left = whole[cut.used :]
        if at >= len(data):
            assert not left
            assert found.orders == list(range(found.records))
            return found


values = st.lists(
    st.sampled_from(["a", '"', ",", ";", "\t", "|", "\n", "\r\n", "é", "\0", " ", "x" * 13, "😀"]),
    max_size=4,
).map("".join)


@settings(deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda columns: st.lists(st.tuples(*[values] * columns), min_size=1, max_size=12)
    ),
    st.sampled_from([",", ";", "|", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.booleans(),
    st.sampled_from([1, 5, 64, 1 << 20]),
)
def test_a_well_formed_file_reads_as_python_reads_it(
    rows: list[tuple[str, ...]],
    mark: str,
    newline: str,
    quoting: Literal[0, 1],
    cut_end: bool,
    block: int,
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=mark, lineterminator=newline, quoting=quoting).writerows(rows)
    data = text.getvalue()
    data = data.removesuffix(newline) if cut_end and not data.endswith(newline * 2) else data
    reader = csv.reader(io.StringIO(data, newline=""), delimiter=mark, strict=True)
    expected = [tuple(row) for row in reader if row]
    found = split(data.encode(), len(rows[0]), Dialect(ord(mark), quoted=True), block)
    assert found.rows == expected
    assert not found.faults


plain = st.text(st.sampled_from('ab"é 0'), max_size=14)


@settings(deadline=None)
@given(
    st.lists(st.tuples(plain, plain, plain), min_size=1, max_size=12),
    st.sampled_from([(10, "\n"), (10, "\r\n"), (13, "\r")]),
    st.sampled_from([1, 7, 1 << 20]),
)
def test_without_enclosure_a_quote_is_a_character(
    rows: list[tuple[str, ...]], newline: tuple[int, str], block: int
) -> None:
    data = "".join("|".join(row) + newline[1] for row in rows).encode()
    found = split(data, 3, Dialect(ord("|"), quoted=False, newline=newline[0]), block)
    assert found.rows == rows


def test_every_field_with_a_doubled_quote_is_read_even_if_there_are_very_many() -> None:
    data = b'"a ""b"" c and more","""","z"\n' * 12_000
    assert set(split(data, 3, block=1 << 22).rows) == {('a "b" c and more', '"', "z")}


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60).map(lambda noise: bytes(b'a",\n\r|'[byte % 6] for byte in noise)),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from([1, 3, 16, 1 << 20]),
    st.sampled_from([4, 20, LIMIT]),
)
def test_whatever_comes_the_spans_tile_it(
    data: bytes, columns: int, quoted: bool, block: int, limit: int
) -> None:
    found = split(data, columns, Dialect(ord(","), quoted), block, limit)  # asserts inside
    assert found.records == len(found.rows) + len(found.faults)


@settings(deadline=None)
@given(st.data())
def test_a_mutated_file_is_staged_or_rejected_record_by_record(data: st.DataObject) -> None:
    rows = [(str(n), f"name {n}", "x\ny" if n % 7 == 0 else "") for n in range(60)]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    content = bytearray(text.getvalue().encode())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[place] = data.draw(st.integers(0, 127))
    found = split(bytes(content), 3)
    assert found.records == len(found.rows) + len(found.faults)


WORDS = ["Rome", "a,b", "New York", 'say "hi"', "line\nbreak", "", "é", "12"]


@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
@pytest.mark.parametrize("seed", range(12))
def test_a_stray_quote_costs_one_record(seed: int, quoting: Literal[0, 1]) -> None:
    chance = random.Random(seed)  # noqa: S311 - not a secret
    rows, starts, text = [], [], io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=quoting)
    for number in range(5000):
        rare = chance.random() < 0.1
        row = (str(number), *(chance.choice(WORDS if rare else ["Rome", "12"]) for _ in range(4)))
        rows.append(row)
        starts.append(text.tell())
        writer.writerow(row)
    content, hit = text.getvalue(), set()
    strays = chance.randint(1, 3)
    for place in sorted((chance.randrange(len(content)) for _ in range(strays)), reverse=True):
        content = content[:place] + '"' + content[place:]
        hit |= {bisect_right(starts, place) - 1, bisect_right(starts, place - 1) - 1}
    found = split(content.encode(), 5, block=1 << chance.choice([12, 16, 20]))
    assert len(found.faults) <= strays
    staged = set(found.rows)
    assert [row for number, row in enumerate(rows) if row not in staged and number not in hit] == []


def test_a_quote_that_is_never_closed_costs_its_record() -> None:
    found = split(b'1,"a\n2,b\n3,c\n', 2)
    assert found.rows == [("2", "b"), ("3", "c")]
    assert found.faults == [("misquoted", b'1,"a\n')]


def test_a_quote_that_is_closed_too_late_costs_its_record() -> None:
    rows = b"".join(b"%d,x,y\n" % number for number in range(700))
    found = split(b'a,"b,c\n' + rows + b'z,"Rome, IT",y\n', 3, block=128)
    assert [fault for fault, _ in found.faults] == ["misquoted"]
    assert len(found.rows) == 701


def test_two_damaged_lines_that_look_like_records_are_two_rejects() -> None:
    found = split(b'1,"a"x\n2,"b"x\n3,c\n', 2)
    assert found.faults == [("misquoted", b'1,"a"x\n'), ("misquoted", b'2,"b"x\n')]


def test_a_record_cut_by_a_quote_before_a_line_end_is_one_reject() -> None:
    found = split(b'"1","a"\nb","c"\n"2","x","y"\n', 3)
    assert [fault for fault, _ in found.faults] == ["misquoted"]
    assert found.rows == [("2", "x", "y")]


@pytest.mark.parametrize("block", [1, 9, 1 << 20])
@pytest.mark.parametrize(
    "damaged",
    [
        b'"1","a","line"\nbreak"\n',
        b'"1","a","line"\n\nb\nc\nd"\n',
        b'"1","w"\nx\ny\nz","b"\n',
        b'"1","x\ny"\nz","line\nbreak"\n',
    ],
)
def test_no_part_of_a_record_that_a_quote_cut_is_staged(damaged: bytes, block: int) -> None:
    found = split(b'"0","x","y"\n' + damaged + b'"2","x","y"\n', 3, block=block)
    assert found.faults == [("misquoted", damaged)]
    assert found.rows == [("0", "x", "y"), ("2", "x", "y")]


def test_a_ragged_line_after_a_damaged_one_is_a_reject_of_its_own() -> None:
    found = split(b'1,"a"x\n2\n\n3\n4,c\n', 2)
    assert found.faults == [("misquoted", b'1,"a"x\n'), ("ragged", b"2\n"), ("ragged", b"3\n")]
    assert (found.rows, found.blank) == ([("4", "c")], 1)


def test_ragged_lines_are_rejected_one_by_one() -> None:
    found = split(b"1,a\n2\n3,a,b\n\n4,d\n", 2)
    assert found.faults == [("ragged", b"2\n"), ("ragged", b"3,a,b\n")]
    assert found.rows == [("1", "a"), ("4", "d")]
    assert found.blank == 1


def test_a_record_above_the_limit_is_rejected_and_the_next_one_read() -> None:
    found = split(b"1,a\n2," + b"x" * 500 + b"\n3,c\n", 2, block=16, limit=100)
    assert [fault for fault, _ in found.faults] == ["too_long"]
    assert found.rows == [("1", "a"), ("3", "c")]


def test_a_runaway_quote_is_given_up_at_the_limit() -> None:
    rows = b"".join(b"%d,x\n" % number for number in range(1000))
    found = split(b'a,"b\n' + rows, 2, block=64, limit=200)
    assert [fault for fault, _ in found.faults] == ["misquoted"]
    assert len(found.rows) == 1000


def test_carriage_returns_inside_values_stay() -> None:
    assert split(b'a\rb,"c\r\nd"\r\n', 2).rows == [("a\rb", "c\r\nd")]
