"""Holds: what rejected records still say about keys, opt-outs and addresses.

A hold too many keeps a profile for a while; a hold too few could undo an opt-out.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from responsys_assets.staged.columns import RECORD, UPDATED_US, Layout


def holds_frame(
    layout: Layout,
    records: pl.Series,
    keys: Sequence[pl.Series],
    updated: pl.Series,
    *,
    permissions: Sequence[pl.Series],
    addresses: Sequence[pl.Series],
) -> pl.DataFrame:
    """Holds in their final form, from normalised series of equal length.

    A key with an empty part is no key. A reject with a key counts as `O` unless it says `I`.
    """
    frame = pl.DataFrame(
        [
            records.alias(RECORD).cast(pl.Int64),
            *(key.alias(name) for name, key in zip(layout.key_names, keys, strict=True)),
            updated.alias(UPDATED_US).cast(pl.Int64),
            *(
                series
                for (channel, _, _), permission, address in zip(
                    layout.channels, permissions, addresses, strict=True
                )
                for series in (permission.alias(channel.permission), address.alias(channel.address))
            ),
        ]
    )
    known = pl.all_horizontal((pl.col(name) != "").fill_null(False) for name in layout.key_names)
    return frame.with_columns(
        *(pl.when(known).then(pl.col(name)).alias(name) for name in layout.key_names),
        *(
            pl.when(known & (pl.col(name) != "I")).then(pl.lit("O")).otherwise(name).alias(name)
            for name in (channel.permission for channel, _, _ in layout.channels)
        ),
    )
