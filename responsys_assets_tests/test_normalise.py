"""One normaliser: keys, addresses and permissions."""

from __future__ import annotations

import sys
import unicodedata

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from responsys_assets.normalise import (
    WHITESPACE,
    normalise,
    normalise_permission,
    permission_bits,
)

COLUMNS = ["CUSTOMER_ID_", "EMAIL_ADDRESS_", "EMAIL_MD5_HASH_", "MOBILE_NUMBER_"]


def normalise_text(value: str, column: str) -> str:
    return str(normalise(pl.Series([value], dtype=pl.String), column)[0])


def test_whitespace_is_what_python_strips() -> None:
    every = {chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()}
    assert set(WHITESPACE) == every


@given(st.sampled_from(COLUMNS), st.text())
@example("EMAIL_ADDRESS_", "İ")
@example("EMAIL_ADDRESS_", "ΑΣ\u0301")
@example("CUSTOMER_ID_", " e\u0301 ")
def test_normalising_twice_changes_nothing_more(column: str, value: str) -> None:
    once = normalise_text(value, column)
    assert normalise_text(once, column) == once


@given(st.text())
def test_a_key_is_stripped_and_composed(value: str) -> None:
    assert normalise_text(value, "CUSTOMER_ID_") == unicodedata.normalize("NFC", value.strip())


@given(st.lists(st.text(), min_size=1), st.sampled_from(COLUMNS))
def test_a_column_is_normalised_value_by_value(values: list[str], column: str) -> None:
    alone = [normalise_text(value, column) for value in values]
    assert normalise(pl.Series(values), column).to_list() == alone
    lazily = pl.DataFrame({"v": values}).select(normalise(pl.col("v"), column))
    assert lazily["v"].to_list() == alone


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("EMAIL_ADDRESS_", "\u00a0Ann@Example.COM\n", "ann@example.com"),
        ("EMAIL_ADDRESS_", "STRASSE@ẞ.de", "strasse@ß.de"),
        ("MOBILE_NUMBER_", "+39 (333) 12-34", "393331234"),
        ("MOBILE_NUMBER_", "３９", ""),
        ("CUSTOMER_ID_", " 007 ", "007"),
        ("CUSTOMER_ID_", "Ab\u200b", "Ab\u200b"),
    ],
)
def test_spellings_of_one_key_meet(column: str, value: str, expected: str) -> None:
    assert normalise_text(value, column) == expected


def test_a_permission_is_i_or_o_or_empty_and_anything_else_is_o() -> None:
    sent = pl.Series(["I", " i ", "O", "o", "", "  ", "Y", "ı", "II", "0"])
    assert normalise_permission(sent).to_list() == [
        "I", "I", "O", "O", "", "", "O", "O", "O", "O",
    ]  # fmt: skip
    bits, odd = permission_bits(sent)
    assert bits.to_list() == [1, 1, 2, 2, 0, 0, 2, 2, 2, 2]
    assert odd == 4


@given(st.text())
def test_a_normalised_permission_stays_as_it_is(value: str) -> None:
    once = normalise_permission(pl.Series([value]))
    assert normalise_permission(once).to_list() == once.to_list()
