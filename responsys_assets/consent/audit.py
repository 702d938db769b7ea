"""What the consent ledger claims of its files, for `responsys verify`."""

from __future__ import annotations

from collections.abc import Iterator

from responsys_assets.consent.entries import (
    Entry,
    ledger_lists,
    read_forgotten,
    read_settled,
)
from responsys_assets.consent.record import unrecorded
from responsys_assets.errors import LakeError
from responsys_assets.lake.exports import read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.retention import list_names
from responsys_assets.lake.verify import Claim, Finding

_RESTORE = (
    "restore it from a backup of the lake; without one, and if the staged file of this export is "
    "whole, move the files of this entry out of the lake: the next sync records them again"
)


def ledger_claims(lake: Lake) -> Iterator[Claim | Finding]:
    """The digest of every file of the ledger, and every receipt of it that cannot be read."""
    for name in list_names(lake):
        yield from _unrecorded(lake, name)
    for name in ledger_lists(lake):
        for path in sorted(lake.consent(name).glob("*/*.json")):
            try:
                entry = Entry.read(path)
            except LakeError as error:
                yield Finding(path, "damaged", error.message)
                continue
            yield Claim(entry.statements(lake), entry.statements_sha256, _RESTORE)
            claims = entry.claims(lake)
            if claims is not None and entry.claims_sha256:
                yield Claim(claims, entry.claims_sha256, _RESTORE)
        for read in (read_forgotten, read_settled):
            try:
                read(lake, name)
            except LakeError as error:
                yield Finding(lake.consent(name), "damaged", str(error))


def _unrecorded(lake: Lake, list_name: str) -> Iterator[Finding]:
    """Accepted exports without an entry."""
    try:
        exports = read_exports(lake, list_name)
    except LakeError:
        return  # that its receipts cannot be read is found elsewhere
    for _, path in unrecorded(lake, exports):
        advice = "run `responsys sync`: it is recorded again from the staged file"
        yield Finding(path, "missing", advice)
