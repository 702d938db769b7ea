"""When two spellings of a key or an address are the same."""

from __future__ import annotations

import sys
import unicodedata
from itertools import product

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from responsys_assets.normalise import INVISIBLE, WHITESPACE, normalise, visible
from responsys_assets_tests.normalise import plain
from responsys_assets_tests.scorecard import examples

EVERY = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
COLUMNS = [
    "CUSTOMER_ID_",
    "EMAIL_ADDRESS_",
    "EMAIL_MD5_HASH_",
    "MOBILE_NUMBER_",
    "POSTAL_STREET_1_",
    "POSTAL_CODE_",
]
COUNTRIES = [None, "AR", "CI", "DE", "GB", "HU", "IT", "KZ", "MX", "US"]

# texts that are mostly made of what the rules look at
ODD = "\u200b\ufeff\u00ad\u202e\0\t \u00a0\u3000＠@.。．<>\"';,:"
ODD += "İıςΣßẞéE\u0301\u0307iIＡ０٣+0()-x4#\u00bd"
texts = st.text() | st.text(ODD + "abmailto:ext=?19") | st.text(st.sampled_from("0123456789+"))


def normal(value: str, column: str, country: str | None = None) -> str:
    return str(normalise(pl.Series([value], dtype=pl.String), column, country)[0])


def test_whitespace_is_what_python_strips() -> None:
    assert set(WHITESPACE) == {character for character in EVERY if character.isspace()}


def test_nobody_sees_what_is_taken_away() -> None:
    taken = pl.Series(EVERY).str.replace_all(INVISIBLE, "") == ""
    assert [c for c, gone in zip(EVERY, taken, strict=True) if gone != plain.unseen(c)] == []
    assert "".join(c for c in EVERY if not plain.unseen(c)).strip() == visible("".join(EVERY))


def _has_no_spellings(character: str) -> bool:
    """Unassigned, or of scripts with thousands of characters and neither case nor forms."""
    many = ((0x3400, 0x9FFF), (0xAC00, 0xD7A3), (0x17000, 0x18CFF), (0x20000, 0xDFFFF))
    inside = any(low <= ord(character) <= high for low, high in many)
    return inside or unicodedata.category(character) in ("Co", "Cn")


@pytest.mark.parametrize("column", COLUMNS)
def test_every_character_by_itself_and_between_letters_is_normalised_for_good(column: str) -> None:
    characters = [character for character in EVERY if not _has_no_spellings(character)]
    for form in ("{}", "a{}b@c{}d", "1{}2"):
        values = pl.Series([form.replace("{}", character) for character in characters])
        once = normalise(values, column, "GB")
        assert normalise(once, column, "GB").to_list() == once.to_list()


@pytest.mark.scorecard(26)
@examples(300, 5000)
@given(st.sampled_from(COLUMNS), texts, st.sampled_from(COUNTRIES))
@example("EMAIL_ADDRESS_", "İ", None)
@example("EMAIL_ADDRESS_", "i\u0307\u0301\u0307", None)
@example("EMAIL_ADDRESS_", "ΑΣ\u0301", None)
@example("EMAIL_ADDRESS_", "mailto:mailto:<'<a@b>'>", None)
@example("CUSTOMER_ID_", " e\u200b\u0301 ", None)
@example("MOBILE_NUMBER_", "000171", "DE")
@example("MOBILE_NUMBER_", "+20 25550123 ", "US")
@example("MOBILE_NUMBER_", "3933123456", "IT")
def test_normalising_twice_changes_nothing_more(
    column: str, value: str, country: str | None
) -> None:
    once = normal(value, column, country)
    assert normal(once, column, country) == once


@pytest.mark.scorecard(26)
@examples(300, 5000)
@given(texts)
@example("\ufeff e\u0301\u200b ")
def test_a_key_is_what_one_sees_of_it(value: str) -> None:
    assert normal(value, "CUSTOMER_ID_") == plain.key(value)


@pytest.mark.scorecard(26)
@examples(300, 5000)
@given(texts | st.text(ODD + "ab").map(lambda text: f"Ann <{text}@example.com.>"))
@example("A\u00adnn <\u200bＡnn＠BÜCHER。De.> ")
@example("MAILTO:a@b.c?subject=x")
@example("<< a@b.c>")
def test_an_address_is_what_plain_python_says(value: str) -> None:
    assert normal(value, "EMAIL_ADDRESS_") == plain.email(value)


@pytest.mark.scorecard(26)
@examples(200, 5000)
@given(
    st.lists(texts | st.none(), min_size=1),
    st.sampled_from(COLUMNS),
    st.sampled_from(COUNTRIES),
)
def test_a_column_is_normalised_value_by_value(
    values: list[str | None], column: str, country: str | None
) -> None:
    alone = [None if value is None else normal(value, column, country) for value in values]
    series = pl.Series("v", values, dtype=pl.String)
    assert normalise(series, column, country).to_list() == alone
    assert normalise(series[1:], column, country).to_list() == alone[1:]
    lazily = series.to_frame().lazy().select(normalise(pl.col("v"), column, country))
    assert lazily.collect()["v"].to_list() == alone
    assert lazily.collect(engine="streaming")["v"].to_list() == alone


letters = st.text("abcxyzéß0-_", min_size=1).map(lambda text: unicodedata.normalize("NFC", text))


@pytest.mark.scorecard(26)
@examples(300, 5000)
@given(st.data(), st.text("abz09+_-", min_size=1), letters)
def test_an_address_is_the_same_with_what_nobody_sees_in_any_case_and_wrapping(
    data: st.DataObject, local: str, label: str
) -> None:
    address = f"{local}@{label}.example.com"
    hidden = st.text("\u200b\ufeff\u00ad\u200e\u202e\0\u2060")
    spelling = "".join(data.draw(hidden) + character for character in address)
    for change in data.draw(st.lists(st.sampled_from(SPELLINGS))):
        spelling = change(spelling)
    assert normal(spelling, "EMAIL_ADDRESS_") == normal(address, "EMAIL_ADDRESS_")


SPELLINGS = [
    lambda text: text.replace("@", "＠"),
    lambda text: text.replace(".", "．"),
    lambda text: text + ".",
    lambda text: f" {text}\u00a0",
    lambda text: f"<{text}>",
    lambda text: f"Ann Smith <{text}>",
    lambda text: f"'{text}'",
    lambda text: f"mailto:{text}",
    lambda text: unicodedata.normalize("NFD", text),
    # the capital of ß is SS: other letters
    lambda text: "".join(c if c == "ß" else c.upper() for c in text),
    lambda text: "".join(chr(ord(c) + 0xFEE0) if "0" <= c <= "z" else c for c in text),
]


def test_a_column_of_plain_values_is_normalised_like_one_with_odd_ones() -> None:
    values = [f"{a}nn{n}@Example{b}" for n, a, b in product(range(40_000), "aA", (".COM", ""))]
    odd = pl.Series([*values, "é@x", *values])
    expected = [value.lower() for value in values]
    assert normalise(pl.Series(values), "EMAIL_ADDRESS_", None).to_list() == expected
    assert normalise(odd, "EMAIL_ADDRESS_", None).to_list() == [*expected, "é@x", *expected]


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("EMAIL_ADDRESS_", "\u00a0Ann@Example.COM\n", "ann@example.com"),
        ("EMAIL_ADDRESS_", "a@bücher.example", "a@xn--bcher-kva.example"),
        ("EMAIL_ADDRESS_", "STRASSE@ẞ.de", "strasse@xn--zca.de"),
        ("EMAIL_ADDRESS_", "a@i❤.ws", "a@xn--i-7iq.ws"),
        ("EMAIL_ADDRESS_", "İBRAHİM@example.com", "ibrahim@example.com"),
        ("EMAIL_ADDRESS_", "ΝΙΚΟΣ@example.com", "νικοσ@example.com"),
        ("EMAIL_ADDRESS_", "o'brien@example.com", "o'brien@example.com"),
        ("EMAIL_ADDRESS_", "\0", ""),
        ("EMAIL_MD5_HASH_", " 0CC175B9\u200bC0F1", "0cc175b9c0f1"),
        ("POSTAL_STREET_1_", "12  High\tSt\u200b ", "12 high st"),
        ("POSTAL_STREET_1_", "１２ HIGH\u00a0ST", "12 high st"),
        ("POSTAL_CODE_", "sw1a\u00a01AA", "sw1a1aa"),
        ("CUSTOMER_ID_", " 007 ", "007"),
        ("CUSTOMER_ID_", "Ab\u200b", "Ab"),
        ("CUSTOMER_ID_", "Ａb", "Ａb"),
    ],
)  # fmt: skip
def test_spellings_of_one_key_meet(column: str, value: str, expected: str) -> None:
    assert normal(value, column) == expected
