"""Ranges of keys: the merge takes one after the other, so its memory does not grow with the lists.

Ranges are independent of each other: whatever is said about a key is in the one that has it.
Where they are cut depends on the staged rows alone: the same input makes the same files on every
machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from responsys_assets.profiles.live import ListExports
from responsys_assets.staged.columns import KEY_PART

# Decoded bytes of a range
WORTH_A_RANGE = 64 << 20
MOST_IN_A_RANGE = 1000 << 20  # two at once, and what is made of them, stay below 4 GB
USUAL_RANGES = 10  # enough to write one while the next is merged
_VALUE = 16  # bytes beside a text

# What is looked at to cut evenly
_GROUPS_ASKED = 128
_KEYS_ASKED = 1 << 14


@dataclass(frozen=True)
class KeyRange:
    """Keys whose first part is from `low` up to, but without, `past`; None is no bound."""

    low: str | None
    past: str | None

    def has(self, column: str) -> pl.Expr:
        """Whether the range has a key; the first range has what has no key, too."""
        key, found = pl.col(column), pl.lit(value=True)
        if self.low is not None:
            found &= key >= self.low
        if self.past is not None:
            found &= key < self.past
        return found if self.low is not None else found | key.is_null()


@dataclass(frozen=True)
class _Group:
    """A row group of staged rows; `size` are its decoded bytes, `first` its smallest key."""

    path: Path
    number: int
    size: int
    first: str


def key_ranges(lists: Sequence[ListExports]) -> Iterator[KeyRange]:
    """Ranges in order that have about as many live rows each and together every key."""
    groups = [*_groups(lists)]
    size = sum(group.size for group in groups)
    wanted = max(1, min(USUAL_RANGES, size // WORTH_A_RANGE), size // MOST_IN_A_RANGE)
    bounds = cuts(_some_keys(groups), wanted) if wanted > 1 else []
    for low, past in zip([None, *bounds], [*bounds, None], strict=True):
        yield KeyRange(low, past)


def cuts(keys: Sequence[str], ranges: int) -> list[str]:
    """The keys at which `ranges` ranges with about as many of these ordered keys each begin, but
    the first; fewer if a key fills more than one."""
    places = (len(keys) * n // ranges for n in range(1, ranges))
    found = dict.fromkeys(keys[place] for place in places if keys[place] > keys[0])
    return [*found]


def _groups(lists: Sequence[ListExports]) -> Iterator[_Group]:
    for path in (one.rows for source in lists for one in source.recent if one.rows is not None):
        metadata = pq.read_metadata(path)
        key = metadata.schema.names.index(f"{KEY_PART}0")
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            size = group.total_byte_size + group.num_rows * group.num_columns * _VALUE
            statistics = group.column(key).statistics
            known = statistics is not None and statistics.has_min_max
            yield _Group(path, number, size, statistics.min if known else "")


def _some_keys(groups: Sequence[_Group]) -> list[str]:
    """Keys in order, more where there are more: of groups whose first keys are spread evenly, so
    it does not matter whether a file is in the order of its keys."""
    spread = sorted(groups, key=attrgetter("first"))[:: -(-len(groups) // _GROUPS_ASKED)]
    found = []
    for path, asked in groupby(sorted(spread, key=attrgetter("path")), attrgetter("path")):
        numbers = [group.number for group in asked]
        with pq.ParquetFile(path) as file:
            (keys,) = file.read_row_groups(numbers, columns=[f"{KEY_PART}0"]).columns
        found.append(pl.Series(keys).cast(pl.String))
    every = pl.concat(found).drop_nulls()
    return every.gather_every(max(1, len(every) // _KEYS_ASKED)).sort().to_list()
