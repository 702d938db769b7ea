"""Holds: what rejected records still say about keys, opt-outs and addresses.

A hold too many keeps a profile for a while; a hold too few could undo an opt-out.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from responsys_assets.normalise import INVISIBLE, WHITESPACE, normalise, normalise_permission
from responsys_assets.staged.columns import DOUBT, RECORD, UPDATED_US, Layout

_PLAIN = ["I", "i", "O", "o"]


def holds_frame(
    layout: Layout,
    records: pl.Series,
    keys: Sequence[pl.Series],
    updated: pl.Series,
    *,
    permissions: Sequence[pl.Series],
    addresses: Sequence[pl.Series],
) -> pl.DataFrame:
    """Holds of well-formed records, from series of equal length: normalised keys, permissions
    (null: unreadable) and addresses as they were sent.

    A key with an empty part is no key. A reject with a key counts as `O` unless it says `I`. What
    it does not say itself is in a row of its own, marked as a doubt.
    """
    said_by = [permission.fill_null("?") for permission in permissions]
    frame = pl.DataFrame(
        [
            records.alias(RECORD).cast(pl.Int64),
            *(key.alias(name) for name, key in zip(layout.key_names, keys, strict=True)),
            updated.alias(UPDATED_US).cast(pl.Int64),
            *(
                series
                for (channel, _, _), permission, address in zip(
                    layout.channels, said_by, addresses, strict=True
                )
                for series in (
                    normalise_permission(permission).alias(channel.permission),
                    normalise(address, channel.address, layout.country).alias(channel.address),
                )
            ),
        ]
    )
    known = pl.all_horizontal((pl.col(name) != "").fill_null(False) for name in layout.key_names)
    said, assumed = {}, {}
    for (channel, _, _), sent in zip(layout.channels, said_by, strict=True):
        heard = pl.col(channel.permission)
        seen = sent.str.replace_all(INVISIBLE, "").str.strip_chars(WHITESPACE)
        plain = pl.lit(seen.is_in(_PLAIN))
        out = (known & (heard != "I")) | (heard == "O")
        said[channel.permission] = pl.when(plain).then(heard).otherwise(pl.lit(""))
        assumed[channel.permission] = pl.when(out & ~plain).then(pl.lit("O")).otherwise(pl.lit(""))
    keyed = [pl.when(known).then(pl.col(name)).alias(name) for name in layout.key_names]
    sure = frame.with_columns(*keyed, **said, **{DOUBT: pl.lit(value=False)})
    doubt = frame.with_columns(*keyed, **assumed, **{DOUBT: pl.lit(value=True)})
    doubt = doubt.filter(_says_something(layout))
    sure = sure.filter(_says_something(layout) | ~pl.col(RECORD).is_in(doubt[RECORD].implode()))
    return sure.vstack(doubt).sort(RECORD, maintain_order=True)


def assumed_frame(
    layout: Layout,
    records: pl.Series,
    keys: Sequence[pl.Series],
    addresses: Sequence[pl.Series | None],
) -> pl.DataFrame:
    """Holds of damaged records, from series of equal length: normalised keys and addresses. An
    opt-out by each channel that has addresses, not None; all of it is a doubt, and has no time."""
    nothing = pl.repeat("", len(records), dtype=pl.String, eager=True)
    opted_out = pl.repeat("O", len(records), dtype=pl.String, eager=True)
    return pl.DataFrame(
        [
            records.alias(RECORD).cast(pl.Int64),
            *(key.alias(name) for name, key in zip(layout.key_names, keys, strict=True)),
            pl.repeat(None, len(records), dtype=pl.Int64, eager=True).alias(UPDATED_US),
            *(
                series
                for (channel, _, _), address in zip(layout.channels, addresses, strict=True)
                for series in (
                    (nothing if address is None else opted_out).alias(channel.permission),
                    (nothing if address is None else address).alias(channel.address),
                )
            ),
            pl.repeat(value=True, n=len(records), dtype=pl.Boolean, eager=True).alias(DOUBT),
        ]
    )


def _says_something(layout: Layout) -> pl.Expr:
    names = [channel.permission for channel, _, _ in layout.channels]
    return pl.any_horizontal(pl.lit(value=False), *(pl.col(name) != "" for name in names))
