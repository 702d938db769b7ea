"""Who wins in a list: the latest live row of every key.

The rows of a list have one total order, and a row's `place` in it is an integer: so there are no
ties, and the greatest place is the latest row. Everything here is a maximum over the numbers of
the keys; nothing else of a row is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from responsys_assets.profiles.keys import KEY, Flags, Numbers, greatest
from responsys_assets.profiles.live import ListExports, Source


def latest(source: ListExports, rows: pl.DataFrame, holds: pl.DataFrame, keys: int) -> Numbers:
    """The place of the latest live row of each of `keys` keys, -1 where there is none.

    `rows` and `holds` are as `reading.Part` has them, with the number of their key.
    """
    key, seq = rows[KEY].to_numpy(), rows["seq"].to_numpy()
    live = _of(source.recent, seq)
    if source.rivals:
        live &= seq >= _newest(key, seq, _of(source.rivals, seq), keys)[key]
    if source.may_reach_back:
        live |= _of(source.older, seq) & (seq >= _reached(source, rows, holds, keys)[key])
    return greatest(keys, key[live], rows["place"].to_numpy()[live])


def _of(sources: Sequence[Source], seq: Numbers) -> Flags:
    """Which rows are of one of these exports."""
    return np.isin(seq, [one.seq for one in sources])


def _newest(key: Numbers, seq: Numbers, rows: Flags, keys: int) -> Numbers:
    """The newest export that has each key among these rows."""
    return greatest(keys, key[rows], seq[rows])


def _reached(source: ListExports, rows: pl.DataFrame, holds: pl.DataFrame, keys: int) -> Numbers:
    """Where the live rows of kept keys start, among the exports before the newest complete one.

    A key is kept if that export only has it among its holds. Its rows start at the newest older
    full export that has the key, or is complete and does not hold it; else at the very first.
    Keys that are not kept reach no row.
    """
    key, seq = rows[KEY].to_numpy(), rows["seq"].to_numpy()
    fulls = [one for one in source.older if one.full]
    starts = np.maximum(_newest(key, seq, _of(fulls, seq), keys), 0)
    held = np.ones(keys, bool)
    held[key[_of((source.complete[0], *source.rivals), seq)]] = False
    held &= _held(source.complete[0], holds, keys)
    kept = held.copy()
    for one in source.complete[1:]:
        holding = held & _held(one, holds, keys)
        ends = held & ~holding
        starts[ends] = np.maximum(starts[ends], one.seq)
        held = holding
    return np.where(kept, starts, np.iinfo(np.int32).max)


def _held(one: Source, holds: pl.DataFrame, keys: int) -> Flags:
    """Which keys the holds of an export have."""
    found = np.zeros(keys, bool)
    found[holds.filter(pl.col("seq") == one.seq)[KEY].drop_nulls().to_numpy()] = True
    return found
