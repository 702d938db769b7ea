"""The one normaliser: keys, suppressions, addresses and permissions all pass through here.

Whitespace is what Python's `str.strip` strips; the normal form is NFC (NFKC would merge
different addresses). Idempotent: a normalised value normalises to itself.
"""

from __future__ import annotations

from typing import TypeVar

import polars as pl

from responsys_assets.system_columns import DIGITS_ONLY, LOWER_CASED, OPTED_IN, OPTED_OUT

Text = TypeVar("Text", pl.Series, pl.Expr)

# every character for which str.isspace() is true
WHITESPACE = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)


def normalise(values: Text, column: str) -> Text:
    """Values of a column as they are compared: stripped, NFC, then as the column demands.

    E-mail addresses and hashes are lower-cased, mobile numbers reduced to ASCII digits.
    """
    stripped = values.str.strip_chars(WHITESPACE)
    if column in DIGITS_ONLY:
        return stripped.str.replace_all("[^0-9]+", "")
    if isinstance(stripped, pl.Series) and _is_ascii(stripped):
        composed = stripped  # the same result, ten times faster
    else:
        composed = stripped.str.normalize("NFC")
    if column not in LOWER_CASED:
        return composed
    lowered = composed.str.to_lowercase()
    # lower-casing can leave a letter and its accent apart
    return lowered if composed is stripped else lowered.str.normalize("NFC")


def normalise_permission(values: Text) -> Text:
    """`I`, `O` or empty; whatever else was sent counts as `O`."""
    stripped = values.str.strip_chars(WHITESPACE)
    # exact pairs: upper-casing would also turn a dotless i into a consent
    return stripped.replace_strict(
        {"I": "I", "i": "I", "O": "O", "o": "O", "": ""}, default="O", return_dtype=pl.String
    )


def permission_bits(values: pl.Series) -> tuple[pl.Series, int]:
    """The same as OPTED_IN, OPTED_OUT or 0, of type UInt8, and how many values are neither `I`
    nor `O` nor empty, whatever their case and spaces."""
    said = {"I": OPTED_IN, "i": OPTED_IN, "O": OPTED_OUT, "o": OPTED_OUT, "": 0}
    bits = values.replace_strict(said, default=None, return_dtype=pl.UInt8)
    if not bits.null_count():
        return bits, 0
    rest = values.filter(bits.is_null()).str.strip_chars(WHITESPACE)
    understood = rest.replace_strict(said, default=None, return_dtype=pl.UInt8)
    odd = understood.null_count()
    return bits.scatter(bits.is_null().arg_true(), understood.fill_null(OPTED_OUT)), odd


def _is_ascii(values: pl.Series) -> bool:
    return bool(values.str.len_bytes().sum() == values.str.len_chars().sum())
