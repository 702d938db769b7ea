"""What a permission column says."""

from __future__ import annotations

import polars as pl

from responsys_assets.normalise.characters import INVISIBLE, WHITESPACE
from responsys_assets.system_columns import OPTED_IN, OPTED_OUT

# exact pairs: upper-casing would also turn a dotless i into a consent
_SAID = {"I": OPTED_IN, "i": OPTED_IN, "O": OPTED_OUT, "o": OPTED_OUT, "": 0}
_WRITTEN = {OPTED_IN: "I", OPTED_OUT: "O", 0: ""}


def normalise_permission(values: pl.Series) -> pl.Series:
    """`I`, `O` or empty; whatever else was sent counts as `O`."""
    return permission_bits(values)[0].replace_strict(_WRITTEN, return_dtype=pl.String)


def permission_bits(values: pl.Series) -> tuple[pl.Series, int]:
    """The same as OPTED_IN, OPTED_OUT or 0, of type UInt8, and how many values are neither `I`
    nor `O` nor empty, whatever their case, spaces and what nobody sees."""
    bits = values.replace_strict(_SAID, default=None, return_dtype=pl.UInt8)
    if not bits.null_count():
        return bits, 0
    rest = values.filter(bits.is_null()).str.replace_all(INVISIBLE, "").str.strip_chars(WHITESPACE)
    understood = rest.replace_strict(_SAID, default=None, return_dtype=pl.UInt8)
    odd = understood.null_count()
    return bits.scatter(bits.is_null().arg_true(), understood.fill_null(OPTED_OUT)), odd
