"""Addresses of a channel: one column, or several that are one address only together."""

from __future__ import annotations

from collections.abc import Container, Mapping

import polars as pl

from responsys_assets.normalise.entries import understand
from responsys_assets.normalise.values import normalise
from responsys_assets.system_columns import Channel

_BETWEEN = "\x1f"  # the normaliser removes it from every part


def address_as_sent(
    channel: Channel, columns: Container[str], named: Mapping[str, str] | None = None
) -> pl.Expr:
    """A text that holds the whole address; a part whose column is missing is empty.

    `named` are columns that have another name.
    """
    named = named or {}
    parts = [
        pl.col(named.get(name, name)).cast(pl.String).fill_null("")
        if name in named or name in columns
        else pl.lit("")
        for name in channel.address_parts
    ]
    if len(parts) == 1:
        return parts[0]
    bare = [part.str.replace_all(_BETWEEN, " ", literal=True) for part in parts]
    return pl.concat_str(bare, separator=_BETWEEN)


def closed_by(addresses: pl.Series, channel: Channel, country: str | None) -> pl.Series:
    """Every address that opt-outs with these addresses close, as they are compared.

    One cell may hold several: an address too many keeps one person out, an address too few sends
    to somebody who opted out.
    """
    whole = normalise_addresses(addresses, channel, country)
    if len(channel.address_parts) > 1:
        return whole.unique()
    cells = addresses.filter(whole != "").to_list()
    parts = understand(range(len(cells)), cells, channel.address, country).values
    return pl.concat([whole, parts.rename(whole.name)]).unique()


def normalise_addresses(
    addresses: pl.Series,
    channel: Channel,
    country: str | None,
    columns: Container[str] | None = None,
) -> pl.Series:
    """Addresses as they are compared; empty where the column `channel.address` is.

    `columns`: with what can be said by these columns alone, the other parts being empty.
    """
    if len(channel.address_parts) == 1:
        return normalise(addresses, channel.address, country)
    split = addresses.str.split(_BETWEEN)
    parts = []
    for place, name in enumerate(channel.address_parts):
        part = split.list.get(place, null_on_oob=True).fill_null("")
        known = columns is None or name in columns
        parts.append(
            normalise(part, name, country) if known else pl.repeat("", len(part), eager=True)
        )
    whole = pl.select(pl.concat_str(parts, separator=_BETWEEN)).to_series()
    return whole.set(parts[0] == "", "").alias(addresses.name)
