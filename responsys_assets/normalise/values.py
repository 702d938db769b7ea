"""Values of a column as they are compared."""

from __future__ import annotations

from typing import TypeVar

import polars as pl

from responsys_assets.normalise.addresses import email_addresses
from responsys_assets.normalise.bulk import in_parts, rewritten, translated
from responsys_assets.normalise.characters import INVISIBLE, WHITESPACE, folded
from responsys_assets.normalise.mobile import mobile_numbers, numbering
from responsys_assets.system_columns import (
    EMAIL_ADDRESSES,
    HASHES,
    MOBILE_NUMBERS,
    POSTAL_CODES,
    POSTAL_LINES,
)

Text = TypeVar("Text", pl.Series, pl.Expr)

VERSION = 1
"""Rises when any value would be normalised to something else than before."""

_SEEN = bytes(code if ord("!") <= code <= ord("~") else 0 for code in range(256))


def normalise(values: Text, column: str, country: str | None) -> Text:
    """Texts of a column as they are compared; null stays null.

    Everywhere goes what nobody sees, and white space at the ends; then, by column:
    EMAIL_ADDRESS_ as `addresses.email_address`, MOBILE_NUMBER_ as `mobile.mobile_number` with the
    account's `country`, hashes in lower case, postal addresses in lower case with single spaces,
    all others in NFC.
    """
    if isinstance(values, pl.Expr):
        return values.map_batches(
            lambda series: _normalised(series, column, country),
            return_dtype=pl.String,
            is_elementwise=True,
        )
    return _normalised(values, column, country)


def rules(country: str | None) -> str:
    """What decides how values are normalised, beside their column."""
    known = f" {country} {numbering(country).digest}" if country else ""
    return f"{VERSION}{known}"


def _normalised(values: pl.Series, column: str, country: str | None) -> pl.Series:
    if column in EMAIL_ADDRESSES:
        return email_addresses(values)
    if column in MOBILE_NUMBERS:
        return mobile_numbers(values, country)
    if column in HASHES:
        lowered = values.str.to_lowercase()
        return rewritten(values, lowered, ~values.str.contains("^[0-9A-Za-z]*$"), folded)
    if column in POSTAL_LINES:
        return _postal(values, " ")
    if column in POSTAL_CODES:
        return _postal(values, "")
    return in_parts(values, _composed)


def _composed(values: pl.Series) -> pl.Series:
    places = translated(values, _SEEN)[1].arg_true()
    if not len(places):
        return values
    seen = values.gather(places).str.replace_all(INVISIBLE, "").str.normalize("NFC")
    return values.clone().scatter(places, seen.str.strip_chars(WHITESPACE))


def _postal(values: pl.Series, space: str) -> pl.Series:
    spaced = values.str.replace_all(f"[{WHITESPACE}]+", " ").str.replace_all(INVISIBLE, "")
    lowered = spaced.str.normalize("NFKC").str.to_lowercase().str.normalize("NFKC")
    line = lowered.str.replace_all(f"[{WHITESPACE}]+", space).str.strip_chars(WHITESPACE)
    return line.str.normalize("NFKC")
