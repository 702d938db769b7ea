"""The one normaliser: keys, addresses, suppressions and permissions all pass through here.

It says when two spellings are the same. Idempotent: a normalised value normalises to itself.
Its results depend on VERSION, the account's country and what `rules` digests, on nothing else.
"""

from __future__ import annotations

from responsys_assets.normalise.characters import INVISIBLE, WHITESPACE, visible
from responsys_assets.normalise.permission import normalise_permission, permission_bits
from responsys_assets.normalise.values import VERSION, normalise, rules

__all__ = [
    "INVISIBLE",
    "VERSION",
    "WHITESPACE",
    "normalise",
    "normalise_permission",
    "permission_bits",
    "rules",
    "visible",
]
