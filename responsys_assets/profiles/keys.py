"""Keys as numbers: all that is said of the keys of a range is grouped and joined by integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

KEY = "key"
Flags = NDArray[np.bool_]
Numbers = NDArray[np.signedinteger[Any]]


def key_names(parts: int) -> list[str]:
    """What the parts of a key are called until they have a number."""
    return [f"k{n}" for n in range(parts)]


def numbered(
    frames: Sequence[pl.DataFrame], names: Sequence[str]
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Put `key`, a number in the order of the keys, in place of the columns `names`.

    Returns the distinct keys, each in the row of its number, and the frames. A record without a
    key has no number.
    """
    every = pl.concat([frame.select(names) for frame in frames], rechunk=True)
    order = every.select(pl.arg_sort_by(names)).to_series()
    ordered = every[order]
    first = ordered.select(
        pl.any_horizontal(
            pl.col(name).ne_missing(pl.col(name).shift()) | (pl.int_range(pl.len()) == 0)
            for name in names
        )
        & pl.col(names[0]).is_not_null()
    ).to_series()
    numbers = np.empty(len(every), np.int32)
    numbers[order.to_numpy()] = first.cum_sum().cast(pl.Int32).to_numpy() - 1
    found, begin = [], 0
    for frame in frames:
        own = pl.Series(KEY, numbers[begin : begin + len(frame)])
        begin += len(frame)
        found.append(frame.drop(names).insert_column(0, own.set(own < 0, None)))
    return ordered.filter(first), found


def greatest(keys: int, key: Numbers, values: Numbers, *, nothing: int = -1) -> Numbers:
    """The greatest value of each key, `nothing` for keys that have none."""
    found = np.full(keys, nothing, values.dtype)
    np.maximum.at(found, key, values)
    return found
