"""People who opted out and have no profile: receivers may still have them.

profiles/<snapshot>/opted_out/part-<n>.parquet   the match columns and the bits of all channels
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from responsys_assets.lake.publish import make_private_folder
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.profiles.keys import Numbers
from responsys_assets.system_columns import CHANNELS, Channel

_FOLDER = "opted_out"
_BITS = "states"
_OPTED_OUT = sum(channel.opted_out for channel in CHANNELS.values())


def write_opted_out(
    folder: Path, number: int, keys: pl.DataFrame, states: Numbers, profiles: pl.Series
) -> None:
    """The keys of a range that have a standing opt-out and are not among the `profiles`."""
    left = states & _OPTED_OUT != 0
    left[profiles.to_numpy()] = False
    places = np.flatnonzero(left)
    bits = pl.Series(_BITS, states[places].astype(np.uint8))
    path = make_private_folder(folder / _FOLDER, lasting=False) / f"part-{number:05}.parquet"
    keys[places].with_columns(bits).write_parquet(path, compression="zstd", compression_level=1)


def opted_out_without_profile(
    profiles: Snapshot, channel: Channel, match_columns: Sequence[str]
) -> pl.DataFrame:
    """The match columns of those who opted out of a channel and have no profile."""
    nobody = pl.DataFrame(schema=dict.fromkeys(match_columns, pl.String))
    files = [path for path in profiles.files if path.parent == profiles.path / _FOLDER]
    people = (pl.read_parquet(path, glob=False) for path in files)
    opted_out = (p.filter(pl.col(_BITS) & channel.opted_out != 0).drop(_BITS) for p in people)
    return pl.concat([nobody, *opted_out])
