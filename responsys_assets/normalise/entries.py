"""What a cell with addresses or keys means, however people wrote it.

An entry counts for everything that it may mean: an address too many keeps one person out, an
address too few sends to somebody who must not be reached.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from responsys_assets.normalise.addresses import email_address
from responsys_assets.normalise.characters import folded, visible
from responsys_assets.normalise.mobile import mobile_number
from responsys_assets.normalise.values import normalise
from responsys_assets.system_columns import (
    EMAIL_ADDRESSES,
    HASHES,
    MOBILE_NUMBERS,
    POSTAL_CODES,
    POSTAL_LINES,
)

_QUOTES = "'\"\u2018\u2019\u201c\u201d`"
_BETWEEN = re.compile(r"[,;|\t\r\n]+")
_BETWEEN_LINES = re.compile(r"[;|\t\r\n]+")  # a street has commas
_BETWEEN_NUMBERS = re.compile(r"[,;|/\t\r\n]+")
_BETWEEN_WORDS = re.compile(r"[\s<>()\[\]\":\\]+")
_DOMAIN = re.compile(r"\*?@([^@\s<>()\[\]\":\\'/*]+)")
_FEWEST_DIGITS, _MOST_DIGITS = 7, 15  # E.164
_HASH = re.compile("[0-9a-f]{32}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Entries:
    """The entries of one file or column.

    `count` are all of them, repeated or not. `values` are normalised, `domains` stand for every
    address of a domain, `hashes` for the address that has them as MD5 or SHA-256. `unreadable`
    are the lines of entries that cannot be what their column says.
    """

    count: int
    values: pl.Series
    domains: frozenset[str]
    hashes: frozenset[str]
    unreadable: tuple[int, ...]

    @property
    def distinct(self) -> int:
        """How many of them say something that no other says."""
        return len(self.values) + len(self.domains) + len(self.hashes)


@dataclass(frozen=True)
class _Meaning:
    """What one entry may mean; texts are not normalised yet."""

    texts: Iterable[str]
    readable: bool = True
    domains: Iterable[str] = ()
    hashes: Iterable[str] = ()


def understand(
    lines: Sequence[int], cells: Sequence[str], column: str, country: str | None
) -> Entries:
    """The entries of a column: `cells`, not empty, with the lines of their file."""
    form, meaning = _kind(column, country)
    texts = pl.Series("value", cells, dtype=pl.String)
    plain = texts.str.contains(form)
    values: list[str] = []
    domains: set[str] = set()
    hashes: set[str] = set()
    unreadable = []
    for place in (~plain).arg_true():
        found = meaning(cells[place])
        values += found.texts
        domains.update(found.domains)
        hashes.update(found.hashes)
        if not found.readable:
            unreadable.append(lines[place])
    every = pl.concat([texts.filter(plain), pl.Series("value", values, dtype=pl.String)])
    normal = normalise(every, column, country).unique(maintain_order=True)
    return Entries(
        count=len(cells),
        values=normal.filter(normal != ""),
        domains=frozenset(domains),
        hashes=frozenset(hashes),
        unreadable=tuple(unreadable),
    )


def _kind(column: str, country: str | None) -> tuple[str, Callable[[str], _Meaning]]:
    """How an entry looks that means what it says, and what every other one may mean."""
    if column in EMAIL_ADDRESSES:
        return "^[0-9A-Za-z._+-]+@[0-9A-Za-z.-]*[0-9A-Za-z]$", _email
    if column in MOBILE_NUMBERS:
        return "^[+]?[1-9][0-9]{6,14}$", partial(_number, country=country)
    if column in HASHES:
        digits = HASHES[column]
        return f"^[0-9A-Fa-f]{{{digits}}}$", partial(_digest, digits=digits)
    between = _BETWEEN_LINES if column in POSTAL_LINES | POSTAL_CODES else _BETWEEN
    return "^[0-9A-Za-z@:._-]*$", partial(_other, between=between)


def _email(cell: str) -> _Meaning:
    """Addresses among names, links and reasons; `@example.com` is all of a domain."""
    addresses, domains, hashes = [], [], []
    for piece in map(folded, _BETWEEN.split(cell)):
        bare = email_address(piece)
        if whole := _DOMAIN.fullmatch(bare):
            domains.append(whole[1])
            continue
        for word in _BETWEEN_WORDS.split(piece):
            # two addresses with nothing but a stroke between them
            for part in word.split("/") if word.count("@") > 1 else [word]:
                known = email_address(part) if "@" in part else part.strip(_QUOTES)
                local, at, domain = known.rpartition("@")
                if at and local and domain:
                    addresses.append(known)
                elif _HASH.fullmatch(known):
                    hashes.append(known)
    readable = bool(addresses or domains or hashes)
    return _Meaning([cell, *addresses], readable, domains, hashes)


def _number(cell: str, country: str | None) -> _Meaning:
    pieces = [cell, *_BETWEEN_NUMBERS.split(cell)]
    if len(re.sub("[^0-9]+", "", cell)) > _MOST_DIGITS:
        pieces += cell.split()
    lengths = (len(mobile_number(piece, country).removeprefix("+")) for piece in pieces)
    numbers = [
        piece
        for piece, length in zip(pieces, lengths, strict=True)
        if _FEWEST_DIGITS <= length <= _MOST_DIGITS
    ]
    return _Meaning([cell, *numbers], bool(numbers))


def _digest(cell: str, digits: int) -> _Meaning:
    words = [visible(word).strip(_QUOTES).lower() for word in re.split(r"[\s,;|]+", cell)]
    hashes = [word for word in words if re.fullmatch(f"[0-9a-f]{{{digits}}}", word)]
    return _Meaning([cell, *hashes], bool(hashes))


def _other(cell: str, between: re.Pattern[str]) -> _Meaning:
    """Any value may be a key: as it is, without quotes, and each part of a list."""
    pieces = [cell, *between.split(cell)]
    return _Meaning(
        dict.fromkeys([cell, *(visible(piece).strip(_QUOTES + " ") for piece in pieces)])
    )
