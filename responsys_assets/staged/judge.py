"""Whether an export that was read to its end is taken; pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from responsys_assets.config.models import ProfileList, ReadyFile
from responsys_assets.lake.exports import Export
from responsys_assets.lake.receipts import Arrival
from responsys_assets.staged.before import Before, Drift
from responsys_assets.staged.held import HeldError

_FEW_ODD = 10  # values; so few say nothing of a column, whatever the share
NO_KEY = "no_match_key"  # a record without a key is no fault of the feed
ACCEPTABLE = frozenset(
    {
        "ambiguous_ready",
        "ready_unreadable",
        "count_mismatch",
        "mtime_in_future",
        "too_many_rejected",
        "column_gone",
        "no_records",
        "shrunk",
        "odd_permissions",
    }
)


@dataclass
class Tally:
    """What was counted while reading."""

    records: int = 0
    staged: int = 0
    blank: int = 0
    unidentified: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    odd_permissions: Counter[str] = field(default_factory=Counter)

    @property
    def rejected(self) -> int:
        return self.reasons.total()

    @property
    def remark(self) -> str | None:
        """What a person should know about the permissions that were sent."""
        odd = [f"{name} ({count})" for name, count in self.odd_permissions.items() if count]
        return f"values that are not I, O or empty count as O: {', '.join(odd)}" if odd else None


def judge(
    tally: Tally, export: Export, source: ProfileList, *, before: Before, drift: Drift
) -> None:
    """Return if the export is taken.

    Raises:
        HeldError: one of ACCEPTABLE, unless a person has accepted it; it says all that is wrong,
            for a person who accepts an export accepts all of it.
    """
    if export.accepted_by_person:
        problems = [*_lost(drift.dropped)]
    else:
        problems = [
            *_shown(tally.records, export, source),
            *_near(drift),
            *_lost(drift.lost),
            *_size(tally.records, export, source, before),
            *_rejects(tally, export, source),
            *_permissions(tally, source),
        ]
    if problems:
        raise HeldError(problems[0].code, "; besides, ".join(each.message for each in problems))


def _shown(records: int, export: Export, source: ProfileList) -> Iterator[HeldError]:
    """A content may be shown several times: one good ready file is enough, in whatever order the
    clocks put them."""
    problems = [_problem(records, arrival, source) for arrival in export.arrivals]
    if problems[-1] is not None and None not in problems:
        yield problems[-1]


def _near(drift: Drift) -> Iterator[HeldError]:
    """No column that decides who may be reached comes under a new name unseen."""
    for name, column in drift.near:
        yield HeldError(
            "column_gone",
            f"it has a column {name} and no {column}: if that is its name now, say rename: "
            f"{{{name}: {column}}} for the list; if it means something else, accept it",
        )


def _lost(names: Sequence[str]) -> Iterator[HeldError]:
    """No such column goes away unseen."""
    if names:
        yield HeldError(
            "column_gone",
            f"it has no column {', '.join(names)} any more, which says who may be reached; "
            "mend the export, or the list's `rename`. Accept it if the column is really gone: "
            "what it said so far stays",
        )


def _size(records: int, export: Export, source: ProfileList, before: Before) -> Iterator[HeldError]:
    """A full export removes whom it does not mention: that may not be nearly everybody."""
    if export.kind != "full":
        return
    known = before.full.records if before.full else 0
    if records == 0:
        yield HeldError(
            "no_records",
            "it is a full export without records, which would remove everybody from the list; "
            "accept it if the list is really empty",
        )
    elif source.max_shrink.exceeded_by(known - records, known):
        yield HeldError(
            "shrunk",
            f"it has {records} records, the full export before it had {known}: it shrank by more "
            f"than max_shrink ({source.max_shrink}); accept it if so many people really left",
        )


def _rejects(tally: Tally, export: Export, source: ProfileList) -> Iterator[HeldError]:
    rejected = tally.rejected - tally.reasons[NO_KEY]
    if source.max_rejected.exceeded_by(rejected, tally.records):
        yield HeldError(
            "too_many_rejected",
            f"{rejected} of its {tally.records} records are rejected, more than max_rejected "
            f"({source.max_rejected}); see them with `responsys rejects {export.list_name}`",
        )


def _permissions(tally: Tally, source: ProfileList) -> Iterator[HeldError]:
    """Values that are neither I nor O nor empty count as opt-outs: many are a new spelling."""
    limit = source.max_odd_permissions
    for name, odd in tally.odd_permissions.items():
        few = limit.percent is not None and odd <= _FEW_ODD
        if limit.exceeded_by(odd, tally.staged) and not few:
            yield HeldError(
                "odd_permissions",
                f"{odd} values of {name} are neither I nor O nor empty, more than "
                f"max_odd_permissions ({limit}); have the sender write I and O, or accept it: "
                "then they count as opt-outs",
            )


def _problem(records: int, arrival: Arrival, source: ProfileList) -> HeldError | None:
    """Why this showing of an export does not say that it is whole."""
    if arrival.ambiguous_ready:
        return HeldError(
            "ambiguous_ready", "its ready file could belong to another data file as well"
        )
    if source.ready != "none":
        return _miscount(records, arrival.ready_text, source.ready, header=source.header)
    if arrival.unsettled:
        return HeldError(
            "mtime_in_future",
            "its time on the server is still to come, so it may still be written to; it is taken "
            "by itself if it is found unchanged later",
        )
    return None


def _miscount(
    records: int, text: str | None, ready: ReadyFile, *, header: bool
) -> HeldError | None:
    """What is wrong between the text of a ready file and the records there are."""
    said = announced(text)
    if ready.count == "none" or (said is None and ready.count == "optional"):
        return None
    if said is None:
        return HeldError("ready_unreadable", "its ready file does not hold one whole number")
    expected = said - 1 if ready.counts_header and header else said
    if expected == records:
        return None
    return HeldError(
        "count_mismatch", f"its ready file announces {expected} records, the file has {records}"
    )


def announced(ready_text: str | None) -> int | None:
    """The one whole number in a ready file's text."""
    found = re.findall(r"-?[0-9]+", ready_text or "")
    return int(found[0]) if len(found) == 1 and found[0][0] != "-" else None
