"""What the lake knows of one list on one day: the state of a partition."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake


@dataclass(frozen=True)
class Day:
    """The exports of a list on a day, in their order, without the withdrawn ones."""

    list_name: str
    day: dt.date
    exports: tuple[Export, ...]

    @classmethod
    def of(cls, list_name: str, day: dt.date, exports: Iterable[Export]) -> Day:
        """The day's part of a list's exports."""
        return cls(
            list_name,
            day,
            tuple(each for each in exports if each.day == day and not each.withdrawn),
        )

    @classmethod
    def read(cls, lake: Lake, list_name: str, day: dt.date) -> Day:
        """Raises LakeError for a damaged receipt."""
        return cls.of(list_name, day, read_exports(lake, list_name))

    @property
    def accepted(self) -> tuple[Export, ...]:
        return tuple(each for each in self.exports if each.accepted)

    @property
    def refused(self) -> tuple[Export, ...]:
        """Those whose newest reading is held or failed, and that no later accepted full export of
        the day makes up for."""
        full = [each.order for each in self.accepted if each.kind == "full"]
        newest = max(full, default=None)
        return tuple(
            each
            for each in self.exports
            if each.waits_for_person and (newest is None or each.order > newest or each.accepted)
        )

    @property
    def absence(self) -> str | None:
        """The sentence for a day without an export."""
        if self.exports:
            return None
        return f"no export of {self.list_name} for {self.day} has arrived"

    @property
    def refusal(self) -> str | None:
        """The sentence for a day with an export that cannot be taken as it is, and what to do."""
        if not self.refused:
            return None
        worst = self.refused[-1]
        more = f" (and {len(self.refused) - 1} more)" if len(self.refused) > 1 else ""
        why = worst.detail or "no reason given"
        return f"{self.list_name}: {worst.file}{more} is {worst.state}: {why}"
