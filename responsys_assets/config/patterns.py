"""File names with stamps: `CORE_{YYYYMMDD}_{HHMISS}.csv.gpg`, read and written by one class.

A stamp's parts are YYYY MM DD HH (or HH24) MI SS in any order inside braces, with `-`, `_`,
`.` or nothing between them. Deliveries may also use `{change}` and `{seq}`.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

_PARTS = {
    "YYYY": ("year", r"\d{4}", "%Y"),
    "MM": ("month", r"\d{2}", "%m"),
    "DD": ("day", r"\d{2}", "%d"),
    "HH24": ("hour", r"\d{2}", "%H"),
    "HH": ("hour", r"\d{2}", "%H"),
    "MI": ("minute", r"\d{2}", "%M"),
    "SS": ("second", r"\d{2}", "%S"),
}
_WIDTHS = {"year": 4, "month": 2, "day": 2, "hour": 2, "minute": 2, "second": 2}
_DIGIT, _NUMBER = "¤", "∞"  # marks that no pattern holds: they are not ASCII
_WORD_SHAPES = {"{change}": ["add", "update", "remove"], "{seq}": [_NUMBER]}
_TOKEN = re.compile(r"YYYY|MM|DD|HH24|HH|MI|SS|[-_.]")
_WORDS = ("change", "seq")
_LONGEST_NAME = 200


@dataclass(frozen=True)
class NameMatch:
    """A file name that fits a pattern; `stamp` is its local time, None without a stamp."""

    stamp: dt.datetime | None


@dataclass(frozen=True)
class FilePattern:
    """A whole file name; everything outside braces is taken literally."""

    text: str

    def __post_init__(self) -> None:
        if "/" in self.text or self.text.strip() != self.text or not self.text:
            raise ValueError("expected a file name without folders")
        if not self.text.isascii():
            raise ValueError("expected a file name in ASCII")
        fields = [field for _, parts in self._pieces for field, *_ in parts if field]
        if len(fields) != len(set(fields)):
            raise ValueError("a part of the stamp occurs twice in the pattern")
        if fields and not {"year", "month", "day"} <= set(fields):
            raise ValueError("a stamp needs YYYY, MM and DD")

    @cached_property
    def _pieces(self) -> list[tuple[str, list[tuple[str, str, str]]]]:
        """(literal or word, stamp parts) in order; a literal has no parts."""
        pieces: list[tuple[str, list[tuple[str, str, str]]]] = []
        for piece in re.split(r"(\{[^{}]*\})", self.text):
            if not piece.startswith("{"):
                if "{" in piece or "}" in piece:
                    raise ValueError("a brace is not closed")
                pieces.append((piece, []))
                continue
            inner = piece[1:-1]
            if inner in _WORDS:
                pieces.append((piece, []))
                continue
            tokens = _TOKEN.findall(inner)
            if "".join(tokens) != inner or not inner:
                raise ValueError(
                    f"{piece} is not a stamp: use YYYY MM DD HH MI SS, as in {{YYYYMMDD}}"
                )
            pieces.append((inner, [_PARTS.get(token, ("", "", token)) for token in tokens]))
        return [
            (text, [part if part[0] else ("", re.escape(part[2]), part[2]) for part in parts])
            for text, parts in pieces
        ]

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        out = []
        for text, parts in self._pieces:
            if parts:
                out += [f"(?P<{n}>{rx})" if n else rx for n, rx, _ in parts]
            else:
                out.append(re.escape(text))
        return re.compile("".join(out), re.ASCII)

    @property
    def has_stamp(self) -> bool:
        return any(parts for _, parts in self._pieces)

    def has(self, what: str) -> bool:
        """Whether the pattern uses a word (`change`, `seq`) or a stamp field (`second`)."""
        if what in _WORDS:
            return f"{{{what}}}" in self.text
        return any(field == what for _, parts in self._pieces for field, *_ in parts)

    @property
    def precision(self) -> dt.timedelta:
        """How long the time is that a stamp names: a day, an hour, a minute, a second.

        Zero without a stamp, for then it is a moment of the server's clock.
        """
        if not self.has_stamp:
            return dt.timedelta()
        for field, length in (
            ("second", dt.timedelta(seconds=1)),
            ("minute", dt.timedelta(minutes=1)),
            ("hour", dt.timedelta(hours=1)),
        ):
            if self.has(field):
                return length
        return dt.timedelta(days=1)

    def match(self, name: str) -> NameMatch | None:
        """What a file name says, or None if it is not of this pattern."""
        if len(name) > _LONGEST_NAME or not (found := self._regex.fullmatch(name)):
            return None
        if not self.has_stamp:
            return NameMatch(None)
        fields = {"hour": 0, "minute": 0, "second": 0} | {
            field: int(digits) for field, digits in found.groupdict().items()
        }
        try:
            return NameMatch(dt.datetime(**fields))  # type: ignore[arg-type]  # noqa: DTZ001
        except ValueError:  # such as a month 13
            return None

    def render(self, moment: dt.datetime, *, change: str = "", seq: int = 0) -> str:
        """The name for a moment in account time."""
        out = []
        for text, parts in self._pieces:
            if parts:
                out += [moment.strftime(fmt) if name else fmt for name, _, fmt in parts]
            else:
                out.append({"{change}": change, "{seq}": str(seq)}.get(text, text))
        return "".join(out)

    @cached_property
    def shapes(self) -> list[str]:
        """Its names in lower case, with marks for digits; one for every kind of change."""
        shapes = [""]
        for text, parts in self._pieces:
            if parts:
                stamp = "".join(_DIGIT * _WIDTHS[name] if name else mark for name, _, mark in parts)
                ends = [stamp]
            else:
                ends = _WORD_SHAPES.get(text, [text.lower()])
            shapes = [shape + end for shape in shapes for end in ends]
        return shapes

    def __str__(self) -> str:
        return self.text

    @classmethod
    def _validate(cls, value: object) -> FilePattern:
        if isinstance(value, FilePattern):
            return value
        if not isinstance(value, str):
            raise ValueError("expected a file name pattern such as CORE_{YYYYMMDD}.csv")
        return cls(value)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}


def have_common(one: str, other: str) -> bool:
    """Whether two shapes have a name in common; a number is one digit or more."""
    seen: set[tuple[int, int]] = set()
    places = [(0, 0)]
    while places:
        i, j = place = places.pop()
        if place == (len(one), len(other)):
            return True
        if place in seen or i == len(one) or j == len(other):
            continue
        seen.add(place)
        if _fit(one[i], other[j]):
            after_one = (i, i + 1) if one[i] == _NUMBER else (i + 1,)
            after_other = (j, j + 1) if other[j] == _NUMBER else (j + 1,)
            places += [(a, b) for a in after_one for b in after_other]
    return False


def _fit(one: str, other: str) -> bool:
    """Whether a character could stand for both."""
    marks = _DIGIT + _NUMBER
    digits = all(each in marks or each in "0123456789" for each in (one, other))
    return one == other or (digits and (one in marks or other in marks))
