"""Permission as its own state: an opt-out stands until the same list says a later opt-in.

DESIGN section 4, "Permission": over all accepted exports, live or not, and over what rejected
records still say. Nothing here looks at which row is the latest.
"""

# ruff: noqa: S608 - no name or value in these statements comes from outside

from __future__ import annotations

from collections.abc import Sequence

from responsys_assets.profiles.live import ListExports
from responsys_assets.profiles.sql import comma
from responsys_assets.system_columns import CHANNELS, Channel

_NEVER = -(2**62)  # an opt-in without a time is older than anything


def channels_of(source: ListExports) -> tuple[Channel, ...]:
    """The channels whose permission column any accepted export of the list has."""
    has = {name for one in source.sources for name in one.columns}
    return tuple(channel for channel in CHANNELS.values() if channel.permission in has)


def state_table(n: int, channels: Sequence[Channel]) -> str:
    """A statement that makes `permission_<n>`: for each key the time of its last opt-out and
    opt-in of each channel, and `states`, the permission bits of all channels."""
    times = comma(
        f"max(CASE WHEN permissions & {c.opted_out} <> 0 THEN since END) AS {c.name}_out, "
        f"max(CASE WHEN permissions & {c.opted_in} <> 0 THEN coalesce(us, {_NEVER}) END) "
        f"AS {c.name}_in"
        for c in channels
    )
    states = " | ".join(
        f"(CASE WHEN {c.name}_out >= coalesce({c.name}_in, {_NEVER}) THEN {c.opted_out} "
        f"WHEN {c.name}_in IS NOT NULL THEN {c.opted_in} ELSE 0 END)"
        for c in channels
    )
    return (
        f"CREATE OR REPLACE TEMP TABLE permission_{n} AS "
        f"SELECT *, ({states})::UTINYINT AS states FROM (SELECT key, {times} FROM "
        f"{_said(n, 'us', 'since')} WHERE permissions <> 0 AND key IS NOT NULL GROUP BY key)"
    )


def states(n: int) -> str:
    """A query for what a list says of each key."""
    return f"SELECT key, states FROM permission_{n}"


def standing_addresses(n: int, channel: Channel) -> str:
    """A query for the addresses, as they were sent, of every opt-out that still stands.

    An opt-out without a key has no opt-in that could end it.
    """
    name = channel.name
    return (
        f"SELECT DISTINCT o.{name} AS address FROM {_said(n, 'since', name)} AS o LEFT JOIN ("
        f"SELECT key, {name}_in FROM permission_{n} "
        f"WHERE {name}_out IS NOT NULL AND {name}_in IS NOT NULL) AS p USING (key) "
        f"WHERE o.permissions & {channel.opted_out} <> 0 AND o.{name} <> '' "
        f"AND o.since >= coalesce(p.{name}_in, {_NEVER})"
    )


def _said(n: int, *columns: str) -> str:
    """What rows, and rejected records that were not mended, say."""
    said = comma(("key", "permissions", *columns))
    return f"(SELECT {said} FROM rows_{n} UNION ALL SELECT {said} FROM holds_{n} WHERE NOT mended)"
