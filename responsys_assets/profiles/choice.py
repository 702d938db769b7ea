"""Who wins among the lists: which row of which list each profile has, and which is the latest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from responsys_assets.profiles.reading import Part

_OLDEST = -(2**62)  # the time of a row without one
_ABSENT = -(2**63)  # older than any row


class Chosen:
    """The profiles of a range of keys, in the order of the keys.

    `latest[n]` are `key` and `place` of the latest live rows of list n; `said` are the `key` and
    `states` of each list that says something of permission; `only_in` is the list that decides
    who is a profile, else any does. `size` is the number of keys.
    """

    def __init__(
        self,
        size: int,
        latest: Sequence[pl.DataFrame],
        said: Iterable[pl.DataFrame],
        parts: Sequence[Part],
        only_in: int | None,
    ) -> None:
        self._parts = parts
        rows = [
            _spread(size, found["key"], part.order.gather(found["place"]))
            for found, part in zip(latest, parts, strict=True)
        ]
        deciding = rows if only_in is None else [rows[only_in]]
        chosen = np.any([each >= 0 for each in deciding], axis=0)
        states = np.zeros(size, np.uint8)
        for found in said:
            states[found["key"].to_numpy()] |= found["states"].to_numpy()
        self.keys = pl.Series(np.flatnonzero(chosen).astype(np.uint32))
        self.states = pl.Series("states", states[chosen])
        self.rows = [_known(each[chosen]) for each in rows]
        self.time = cache(self._time)

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

    def _time(self, n: int) -> pl.Series:
        """When the latest row of list n was updated, as a number that compares."""
        times = self._parts[n].rows["us"].fill_null(_OLDEST).gather(self.rows[n])
        return times.fill_null(_ABSENT)

    def winner(self, lists: Sequence[int]) -> pl.Series:
        """Which of these lists, in order, has the latest row: the earlier one wins a tie.

        Among lists that do not have a profile it is the first.
        """
        times = np.stack([self.time(n).to_numpy() for n in lists])
        return pl.Series(np.array(lists, np.uint8)[times.argmax(axis=0)])

    @property
    def newest(self) -> pl.Series:
        """The time of the latest row of all, in microseconds of UTC; null if it has none."""
        found = pl.Series(np.max([self.time(n).to_numpy() for n in range(len(self.rows))], axis=0))
        return found.set(found == _OLDEST, None)


def _spread(size: int, keys: pl.Series, rows: pl.Series) -> np.ndarray[Any, np.dtype[np.int32]]:
    """The row of each key, -1 where there is none."""
    found = np.full(size, -1, np.int32)
    found[keys.to_numpy()] = rows.to_numpy()
    return found


def _known(rows: np.ndarray[Any, np.dtype[np.int32]]) -> pl.Series:
    """Rows with null where there is none."""
    found = pl.Series(rows)
    return found.set(found < 0, None).cast(pl.UInt32)
