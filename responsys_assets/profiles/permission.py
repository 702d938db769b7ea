"""Permission as its own state: an opt-out stands until the same list says a later opt-in.

DESIGN section 4, "Permission": over all accepted exports, live or not, and over what rejected
records still say. Nothing here looks at which row is the latest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from responsys_assets.normalise import normalise
from responsys_assets.profiles.keys import KEY, Numbers, greatest
from responsys_assets.profiles.live import ListExports
from responsys_assets.system_columns import CHANNELS, Channel

_NEVER = -(2**62)  # an opt-in without a time is older than anything that is said


def channels_of(source: ListExports) -> tuple[Channel, ...]:
    """The channels whose permission column any accepted export of the list has."""
    has = {name for one in source.sources for name in one.columns}
    return tuple(channel for channel in CHANNELS.values() if channel.permission in has)


@dataclass(frozen=True)
class Said:
    """What one list says: the bits of each key, and the normalised addresses of every opt-out
    that still stands."""

    states: Numbers
    closed: dict[Channel, pl.Series]


def said_by(source: ListExports, rows: pl.DataFrame, holds: pl.DataFrame, keys: int) -> Said:
    """The permission of `keys` keys; `rows` and `holds` as `reading.Part` has them, numbered."""
    columns = [KEY, "us", "since", "permissions", *(c.name for c in channels_of(source))]
    marks = pl.concat([rows.select(columns), holds.filter(~pl.col("mended")).select(columns)])
    states = np.zeros(keys, np.int32)
    closed = {}
    for channel in channels_of(source):
        outs = marks.filter((pl.col("permissions") & channel.opted_out) != 0)
        ins = marks.filter((pl.col("permissions") & channel.opted_in) != 0).drop_nulls(KEY)
        times = ins["us"].fill_null(_NEVER).to_numpy()
        opted_in = greatest(keys, ins[KEY].to_numpy(), times, nothing=_NEVER - 1)
        # an opt-out without a key has no opt-in that could end it
        known, nobodys = outs.drop_nulls(KEY), outs.filter(pl.col(KEY).is_null())
        ended = opted_in[known[KEY].to_numpy()] > known["since"].to_numpy()
        standing = known.filter(~pl.Series(ended))
        states[opted_in >= _NEVER] |= channel.opted_in
        who = standing[KEY].to_numpy()
        states[who] = states[who] & ~channel.opted_in | channel.opted_out
        addresses = pl.concat([standing[channel.name], nobodys[channel.name]]).unique()
        # anew, or a few addresses would keep everything in memory that was read with them
        closed[channel] = normalise(addresses, channel.address).unique()
    return Said(states, closed)
