"""E-mail addresses as they are compared."""

from __future__ import annotations

import re
import string

import polars as pl

from responsys_assets.normalise.bulk import in_parts, rewritten, translated
from responsys_assets.normalise.characters import WHITESPACE, folded

# what is found in an address as it should be; whatever else there is has to be looked at
_PLAIN = string.ascii_letters + string.digits + "!#$%&*+-./=?@^_`{|}~"
_LOWERED = bytes(ord(chr(c).lower()) if chr(c) in _PLAIN else 0 for c in range(256))

_WRAPPING = WHITESPACE + "\"'<>,;\u2018\u2019\u201c\u201d\u00ab\u00bb"
_IN_BRACKETS = re.compile("<([^<>]*@[^<>]*)(?:>|\\Z)")
_MAILTO = re.compile(r"mailto:([^?]*)(?:\?.*)?", re.DOTALL)


def email_addresses(values: pl.Series) -> pl.Series:
    """Each value as `email_address` has it. Plain ones are lower-cased as the bytes that they are,
    the others one by one."""
    return in_parts(values, _emails)


def email_address(text: str) -> str:
    """Lower case, without its name and wrapping; the domain in ASCII and without a final dot."""
    bare = _unwrapped(folded(text))
    local, at, domain = bare.rpartition("@")
    return local + at + ".".join(map(_ascii, domain.split("."))) if at else bare


def _unwrapped(text: str) -> str:
    while True:
        bare = text.lstrip(_WRAPPING).rstrip(_WRAPPING + ".")
        if named := _IN_BRACKETS.search(bare):
            bare = named[1]
        elif linked := _MAILTO.fullmatch(bare):
            bare = linked[1]
        if bare == text:
            return text
        text = bare


def _ascii(label: str) -> str:
    """A part of a domain as the name system has it. No table of permitted characters is asked:
    what a browser would refuse still has one spelling in ASCII."""
    return label if label.isascii() else f"xn--{label.encode('punycode').decode('ascii')}"


def _emails(values: pl.Series) -> pl.Series:
    lower, odd = translated(values, _LOWERED)
    return rewritten(values, lower, odd | lower.str.ends_with("."), email_address)
