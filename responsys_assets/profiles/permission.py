"""Permission as its own state: an opt-out stands until the same list says a later opt-in.

DESIGN section 4, "Permission": over all accepted exports, live or not, and over what rejected
records still say. Nothing here looks at which row is the latest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from responsys_assets.normalise import normalise
from responsys_assets.profiles.earlier import NEVER, Earlier
from responsys_assets.profiles.keys import KEY, Numbers, greatest
from responsys_assets.profiles.live import ListExports
from responsys_assets.system_columns import CHANNELS, Channel


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


def said_by(
    source: ListExports, rows: pl.DataFrame, holds: pl.DataFrame, earlier: Earlier, keys: int
) -> Said:
    """The permission of `keys` keys; all is numbered, `rows` and `holds` as `reading.Part` has
    them."""
    columns = [KEY, "us", "since", "permissions", *(c.name for c in channels_of(source))]
    marks = pl.concat([rows.select(columns), holds.filter(~pl.col("mended")).select(columns)])
    states = np.zeros(keys, np.int32)
    closed = {}
    for channel in channels_of(source):
        ins, outs = _said_of(channel, marks, earlier)
        opted_in = greatest(keys, ins[KEY].to_numpy(), ins["us"].to_numpy(), nothing=NEVER - 1)
        # an opt-out without a key has no opt-in that could end it
        known, nobodys = outs.drop_nulls(KEY), outs.filter(pl.col(KEY).is_null())
        ended = opted_in[known[KEY].to_numpy()] > known["since"].to_numpy()
        standing = known.filter(~pl.Series(ended))
        states[opted_in >= NEVER] |= channel.opted_in
        who = standing[KEY].to_numpy()
        states[who] = states[who] & ~channel.opted_in | channel.opted_out
        addresses = pl.concat([standing["address"], nobodys["address"]]).unique()
        # anew, or a few addresses would keep everything in memory that was read with them
        closed[channel] = normalise(addresses, channel.address, source.country).unique()
    return Said(states, closed)


def _said_of(
    channel: Channel, marks: pl.DataFrame, earlier: Earlier
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The opt-ins of a channel (key, `us`) and its opt-outs (key, `address`, `since`)."""
    rows, before = marks.lazy(), earlier.outs.lazy()
    said, address = pl.col("permissions"), pl.col(channel.name)
    ins = pl.concat(
        [
            rows.filter(said & channel.opted_in != 0).select(KEY, pl.col("us").fill_null(NEVER)),
            earlier.ins.lazy().select(KEY, address.alias("us")),
        ]
    )
    outs = pl.concat(
        [
            rows.filter(said & channel.opted_out != 0).select(
                KEY, address.alias("address"), "since"
            ),
            before.filter(pl.col("channel") == channel.name).select(KEY, "address", "since"),
        ]
    )
    found = pl.collect_all([ins.drop_nulls(), outs])
    return found[0], found[1]
