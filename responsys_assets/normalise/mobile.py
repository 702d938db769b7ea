"""Mobile numbers as they are compared: E.164, as digits.

A number that begins with `+` or `00` is international, and so are digits alone, unless they are a
mobile number of the account's country as one dials it there. A foreign number whose digits alone
would be taken for such a one keeps its plus.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from functools import cache, partial

import phonenumbers
import polars as pl

from responsys_assets.normalise.bulk import rewritten
from responsys_assets.normalise.characters import visible

_CALLING_CODE_AND_NUMBER = "[1-9][0-9]{6,14}"  # E.164: at most 15 digits
_SPREADSHEET = re.compile(r"(\+?\d{6,})[.,]0{1,2}")
_SCIENTIFIC = re.compile(r"\+?(\d)(?:[.,](\d*))?e\+?(\d\d?)")
_EXTENSION = re.compile(
    r"(?<=\d)[\s.,;)]*(?:ext(?:ensio)?n?|xt?n?|int|#|~)[.:=\s]*\d{1,7}\s*#?$", re.IGNORECASE
)
_SIMPLE_TRUNK = re.compile(r"[0-9|?\[\]]+")  # without what a carrier or an area adds
_TRUNK_IN_BRACKETS = re.compile(r"(?<=\d)([^\d]*)\(\s*0\s*\)")


@dataclass(frozen=True)
class Numbering:
    """How mobile numbers are written in a country. `digest` changes when its rules do.

    `number` is a regular expression of a number without calling code and trunk prefix.
    """

    country: str
    code: str
    number: str
    own: re.Pattern[str]
    dialled: re.Pattern[str]
    digest: str

    def national(self, digits: str) -> str:
        """Digits as they are dialled in the country, with its calling code."""
        found = self.dialled.fullmatch(digits)
        return f"{self.code}{found['number']}" if found else digits

    def international(self, digits: str) -> str:
        """Digits that begin with a calling code, so that they cannot be misread."""
        if found := self.own.fullmatch(digits):
            return f"{self.code}{found['number']}"
        return digits if self.national(digits) == digits else f"+{digits}"


@cache
def numbering(country: str) -> Numbering:
    """The numbering plan of a country (ISO 3166, two letters)."""
    plan = phonenumbers.PhoneMetadata.metadata_for_region(country)
    if plan is None or plan.general_desc is None:
        raise ValueError(f"no numbering plan of {country} is known")
    kind = plan.general_desc  # North America: mobile numbers look like all others
    if plan.mobile is not None and not plan.same_mobile_and_fixed_line_pattern:
        kind = plan.mobile
    number = str(kind.national_number_pattern).replace(r"\d", "[0-9]")
    code, trunk = str(plan.country_code), plan.national_prefix_for_parsing or ""
    if not _SIMPLE_TRUNK.fullmatch(trunk):
        trunk = plan.national_prefix or ""
    # greedy, then lazy: the result of a match is a match of itself
    prefix = f"(?:{trunk})??" if trunk else ""
    return Numbering(
        country=country,
        code=code,
        number=f"(?:{number})",
        own=re.compile(f"{code}{prefix}(?P<number>{number})"),
        dialled=re.compile(f"(?:{code})?{prefix}(?P<number>{number})"),
        digest=hashlib.sha256(f"{plan}".encode()).hexdigest()[:16],
    )


def mobile_numbers(values: pl.Series, country: str | None) -> pl.Series:
    """Each value as `mobile_number` has it."""
    international = values.str.contains(rf"^\+?{_CALLING_CODE_AND_NUMBER}$")
    usual = values.str.strip_prefix("+")
    if country is None:
        return rewritten(values, usual, ~international, partial(mobile_number, country=None))
    plan = numbering(country)
    own = values.str.contains(rf"^\+?{plan.code}{plan.number}$")
    national = values.str.contains(f"^{plan.number}$") & ~own
    like_national = values.str.contains(rf"^\+?{plan.dialled.pattern}$") & ~own
    usual = usual.zip_with(~national.fill_null(value=False), plan.code + values)
    odd = ~(own | national | (international & ~like_national))
    return rewritten(values, usual, odd, partial(mobile_number, country=country))


def mobile_number(text: str, country: str | None) -> str:
    """A number in any spelling; empty if there is none in it."""
    digits = _spelled_plainly(text)
    if digits.startswith(("+", "00")):
        digits = digits.lstrip("+0")
        return digits if country is None else numbering(country).international(digits)
    if country is None:
        return digits
    plan = numbering(country)
    known = plan.national(digits)
    if known != digits or not digits.startswith("0"):
        return known
    try:
        parsed = phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        return digits
    whole = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return plan.international(whole.removeprefix("+"))


def _spelled_plainly(text: str) -> str:
    """ASCII digits, behind a plus if the number has one, and no extension."""
    text = visible(unicodedata.normalize("NFKC", visible(text))).lower()
    text = "".join(str(unicodedata.decimal(c, c)) for c in text)
    if spread := _SPREADSHEET.fullmatch(text):
        text = spread[1]
    elif found := _SCIENTIFIC.fullmatch(text):
        first, rest, power = found[1], found[2] or "", int(found[3])
        # with fewer digits than its power it was cut, and nobody knows the number
        text = first + rest[:power] if len(rest) >= power else ""
    text = _TRUNK_IN_BRACKETS.sub(r"\1", _EXTENSION.sub("", text))
    plus = "+" if re.match(r"[^0-9]*\+", text) else ""
    digits = re.sub("[^0-9]+", "", text)
    return plus + digits if digits else ""
