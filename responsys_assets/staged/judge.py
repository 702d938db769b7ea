"""Whether an export that was read to its end is taken; pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from responsys_assets.config.models import ProfileList
from responsys_assets.lake.exports import Export
from responsys_assets.staged.held import HeldError

NO_KEY = "no_match_key"  # a record without a key is no fault of the feed
ACCEPTABLE = frozenset(
    {"ambiguous_ready", "ready_unreadable", "count_mismatch", "too_many_rejected"}
)


@dataclass
class Tally:
    """What was counted while reading."""

    records: int = 0
    staged: int = 0
    blank: int = 0
    unidentified: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def rejected(self) -> int:
        return self.reasons.total()


def judge(tally: Tally, export: Export, source: ProfileList) -> None:
    """Return if the export is taken.

    Raises:
        HeldError: `ambiguous_ready`, `ready_unreadable`, `count_mismatch`, `too_many_rejected`,
            unless a person has accepted it.
    """
    if export.accepted_by_person:
        return
    if export.arrival.ambiguous_ready:
        raise HeldError(
            "ambiguous_ready", "its ready file could belong to another data file as well"
        )
    _check_count(tally.records, export, source)
    rejected = tally.rejected - tally.reasons[NO_KEY]
    if source.max_rejected.exceeded_by(rejected, tally.records):
        raise HeldError(
            "too_many_rejected",
            f"{rejected} of its {tally.records} records are rejected, more than max_rejected "
            f"({source.max_rejected}); see them with `responsys rejects {export.list_name}`",
        )


def _check_count(records: int, export: Export, source: ProfileList) -> None:
    ready = source.ready
    if ready == "none" or ready.count == "none":
        return
    said = announced(export.arrival.ready_text)
    if said is None:
        if ready.count == "required":
            raise HeldError("ready_unreadable", "its ready file does not hold one whole number")
        return
    expected = said - 1 if ready.counts_header and source.header else said
    if expected != records:
        raise HeldError(
            "count_mismatch",
            f"its ready file announces {expected} records, the file has {records}",
        )


def announced(ready_text: str | None) -> int | None:
    """The one whole number in a ready file's text."""
    found = re.findall(r"-?[0-9]+", ready_text or "")
    return int(found[0]) if len(found) == 1 and found[0][0] != "-" else None
