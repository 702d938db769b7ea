"""What was accepted before an export, by which it is measured: its columns and its records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from responsys_assets.lake.exports import Export
from responsys_assets.lake.receipts import Outcome
from responsys_assets.system_columns import CONSENT_COLUMNS


@dataclass(frozen=True)
class Drift:
    """How the columns of an export differ from those before it.

    `lost` are gone columns that decide who may be reached, and `dropped` those of them that this
    very export had when it was accepted; `near` are columns that are called almost like one that
    the export lacks, with the name of that one.
    """

    new: tuple[str, ...]
    gone: tuple[str, ...]
    lost: tuple[str, ...]
    dropped: tuple[str, ...]
    near: tuple[tuple[str, str], ...]

    @property
    def told(self) -> dict[str, Any]:
        """What of it is in a receipt."""
        return {"new_columns": self.new, "gone_columns": self.gone}


@dataclass(frozen=True)
class Before:
    """What an export is measured by.

    `exports` are the accepted ones before it, in their order; `last` is the newest of its kind, if
    there is one, and `full` the newest full one; `own` is this export as it was accepted earlier,
    under other settings; `approved` are the columns of exports that a person accepted.
    """

    exports: tuple[Export, ...]
    last: Outcome | None
    full: Outcome | None
    own: Outcome | None
    approved: frozenset[str]

    @property
    def rows(self) -> list[Path]:
        """The staged rows of the exports, the newest first."""
        return [each.parquet for each in reversed(self.exports) if each.parquet in each.named]

    def drift(self, names: Sequence[str]) -> Drift:
        """How an export with these columns differs."""
        before = _names(self.last)
        own = _names(self.own)
        missing = [name for name in sorted(CONSENT_COLUMNS) if name not in names]
        return Drift(
            new=tuple(name for name in names if name not in before) if self.last else (),
            gone=tuple(name for name in before if name not in names),
            lost=tuple(name for name in missing if name in before or name in own),
            dropped=tuple(name for name in missing if name in own),
            near=tuple(
                (name, column)
                for column in missing
                for name in names
                if _letters(name) == _letters(column) and name not in self.approved
            ),
        )


def before(export: Export, exports: Iterable[Export]) -> Before:
    """What there is before an export, of all exports of its list in their order."""
    earlier = [each for each in exports if each.accepted and each.order < export.order]
    alike = [each for each in earlier if each.kind == export.kind]
    full = [each.outcome for each in earlier if each.kind == "full"]
    own = export.outcome if export.outcome and export.outcome.state == "staged" else None
    verdict = export.last_verdict
    if own and verdict and verdict.action == "accept" and verdict.when > own.decided_at:
        own = None  # a person accepts what has become of it since
    return Before(
        exports=tuple(earlier),
        last=([each.outcome for each in alike or earlier] or [None])[-1],
        full=(full or [None])[-1],
        own=own,
        approved=frozenset(
            name for each in earlier if each.accepted_by_person for name in _names(each.outcome)
        ),
    )


def _names(outcome: Outcome | None) -> list[str]:
    return [name for name, _ in outcome.columns] if outcome else []


def _letters(name: str) -> str:
    """A column's name as people hear it."""
    return "".join(filter(str.isalnum, name)).casefold()
