"""Who wins among the lists: which row of which list each profile has, and which is the latest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from responsys_assets.profiles.keys import Numbers
from responsys_assets.profiles.reading import Part

_OLDEST = -(2**62)  # the time of a row without one
_ABSENT = -(2**63)  # older than any row


class Chosen:
    """The profiles of a range of keys, in the order of the keys.

    `latest[n]` are the places of the latest live rows of list n, key by key; `states` what all
    lists say of permission. `only_in` is the list that decides who is a profile, else any does.
    """

    def __init__(
        self,
        latest: Sequence[Numbers],
        states: Numbers,
        parts: Sequence[Part],
        only_in: int | None,
    ) -> None:
        deciding = latest if only_in is None else [latest[only_in]]
        chosen = np.any([places >= 0 for places in deciding], axis=0)
        self.keys = pl.Series(np.flatnonzero(chosen).astype(np.uint32))
        self.states = pl.Series("states", states[chosen].astype(np.uint8))
        self.rows = [
            part.order.gather(_known(places[chosen]))
            for places, part in zip(latest, parts, strict=True)
        ]
        self._parts = parts
        # when the latest row of each list was updated, as numbers that compare
        self.times = [
            part.rows["us"].fill_null(_OLDEST).gather(rows).fill_null(_ABSENT)
            for part, rows in zip(parts, self.rows, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.keys)

    def has(self, n: int) -> pl.Series:
        """Whether list n has each profile."""
        return self.rows[n].is_not_null()

    def exports(self, n: int) -> pl.Series:
        """Which export of list n has the latest row; null if none."""
        return self._parts[n].rows["seq"].gather(self.rows[n])

    def nth(self, n: int) -> pl.Series:
        """Which of its export's rows that is."""
        return self._parts[n].rows["nth"].gather(self.rows[n])

    def winner(self, lists: Sequence[int]) -> pl.Series:
        """Which of these lists, in order, has the latest row: the earlier one wins a tie.

        Among lists that do not have a profile it is the first.
        """
        times = np.stack([self.times[n].to_numpy() for n in lists])
        return pl.Series(np.array(lists, np.uint8)[times.argmax(axis=0)])

    @property
    def newest(self) -> pl.Series:
        """The time of the latest row of all, in microseconds of UTC; null if it has none."""
        found = pl.Series(np.max([times.to_numpy() for times in self.times], axis=0))
        return found.set(found == _OLDEST, None)


def _known(places: Numbers) -> pl.Series:
    """Places with null where there is none."""
    found = pl.Series(places)
    return found.set(found < 0, None).cast(pl.UInt32)
