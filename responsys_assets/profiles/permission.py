"""Permission as its own state: an opt-out stands until the same list says a later opt-in.

DESIGN section 4, "Permission": over all accepted exports, live or not, and over what rejected
records still say. Nothing here looks at which row is the latest.
"""

# ruff: noqa: S608 - names are quoted by sql.py, values are bound

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow.parquet as pq

from responsys_assets.normalise import WHITESPACE
from responsys_assets.profiles.live import ListExports
from responsys_assets.profiles.mended import mended_records
from responsys_assets.profiles.sql import (
    STAMP,
    Keys,
    Sql,
    combine,
    comma,
    holds_of,
    identifier,
    of_files,
    rows_of,
)
from responsys_assets.profiles.winners import ROW_ID, row_id
from responsys_assets.system_columns import CHANNELS, Channel

_NEVER = -(2**62)  # an opt-in without a time is older than anything

# the states of all channels are two bits each of one number, joined by OR
_BITS = {name: 2 * place for place, name in enumerate(CHANNELS)}
_OPTED_IN, _OPTED_OUT = 1, 2


def channels_of(source: ListExports) -> tuple[Channel, ...]:
    """The channels whose permission column any accepted export of the list has."""
    has = {name for one in source.sources for name in one.columns}
    return tuple(channel for channel in CHANNELS.values() if channel.permission in has)


def normalised(value: str) -> str:
    """Permission as I, O or empty: trimmed, in either case; what is not understood is O."""
    trimmed = f"trim({value}, $whitespace)"
    return (
        f"CASE {value} WHEN 'I' THEN 'I' WHEN 'O' THEN 'O' WHEN '' THEN '' "
        f"ELSE CASE {trimmed} WHEN 'I' THEN 'I' WHEN 'i' THEN 'I' WHEN '' THEN '' ELSE 'O' END END"
    )


@dataclass(frozen=True)
class Holds:
    """The columns of a list's hold files, and the row ids of records that were mended since."""

    columns: frozenset[str]
    mended: tuple[int, ...]


@dataclass(frozen=True)
class _Marks:
    """Everything one list says about permission: rows and holds, one by one."""

    number: int
    source: ListExports
    keys: Keys
    holds: Holds

    def read(self, channels: Iterable[Channel], *, addresses: bool = False) -> Sql:
        """A subquery of keys, `since` (when an opt-out counts), `us` and what each channel says."""
        columns: set[str] = {name for one in self.source.sources for name in one.columns}
        rows = dict(self.keys.staged, since=f"coalesce(r._updated_us, {STAMP})", us="r._updated_us")
        holds = dict(rows)
        for channel in channels:
            rows[channel.name] = _value(channel.permission, columns)
            holds[channel.name] = _value(channel.permission, self.holds.columns)
            if addresses:
                rows[f"{channel.name}_address"] = _value(channel.address, columns)
                holds[f"{channel.name}_address"] = _value(channel.address, self.holds.columns)
        holds["place"] = ROW_ID
        staged = of_files(rows_of(self.source.sources), f"marks_{self.number}", rows)
        # a re-sent full export takes the place of its first version: so do the rejects
        held = of_files(holds_of(self.source.in_force), f"held_{self.number}", holds)
        mended = Sql("", {f"mended_{self.number}": list(self.holds.mended)})
        names = comma(name for name in rows if name not in CHANNELS)
        said = comma(f"{normalised(c.name)} AS {c.name}" for c in channels)
        only_out = comma(
            f"CASE {normalised(c.name)} WHEN 'O' THEN 'O' ELSE '' END AS {c.name}" for c in channels
        )
        return combine(
            f"(SELECT {names}, {said} FROM {staged} UNION ALL "
            f"SELECT {names}, {only_out} FROM {held} "
            f"WHERE place NOT IN (SELECT unnest($mended_{self.number}::BIGINT[])))",
            staged,
            held,
            mended,
            Sql("", {"whitespace": WHITESPACE}),
        )


def _value(column: str, columns: Iterable[str]) -> str:
    if column not in columns:
        return "''"
    return f"coalesce(CAST(r.{identifier(column)} AS VARCHAR), '')"


def state_tables(number: int, source: ListExports, keys: Keys, holds: Holds) -> Iterator[Sql]:
    """Statements that make `permission_<number>`: for each key the time of its last opt-out and
    opt-in of each channel, and `states`, the states of all channels."""
    channels = channels_of(source)
    if not channels:
        return
    marks = _Marks(number, source, keys, holds).read(channels)
    times = comma(
        f"max(CASE WHEN {c.name} = 'O' THEN since END) AS {c.name}_out, "
        f"max(CASE WHEN {c.name} = 'I' THEN coalesce(us, {_NEVER}) END) AS {c.name}_in"
        for c in channels
    )
    states = " | ".join(
        f"(CASE WHEN {c.name}_out >= coalesce({c.name}_in, {_NEVER}) "
        f"THEN {_OPTED_OUT << _BITS[c.name]} "
        f"WHEN {c.name}_in IS NOT NULL THEN {_OPTED_IN << _BITS[c.name]} ELSE 0 END)"
        for c in channels
    )
    says = " OR ".join(f"{c.name} <> ''" for c in channels)
    yield combine(
        f"CREATE TEMP TABLE permission_{number} AS SELECT *, ({states})::UTINYINT AS states FROM ("
        f"SELECT {keys.list}, {times} FROM {marks} "
        f"WHERE k0 IS NOT NULL AND ({says}) GROUP BY {keys.list})",
        marks,
    )


def standing_addresses(
    number: int, source: ListExports, keys: Keys, holds: Holds, channel: Channel
) -> Sql:
    """A query for the addresses, as they were sent, of every opt-out that still stands.

    An opt-out without a key has no opt-in that could end it.
    """
    marks = _Marks(number, source, keys, holds).read((channel,), addresses=True)
    name = channel.name
    return combine(
        f"SELECT DISTINCT m.{name}_address AS address FROM {marks} AS m LEFT JOIN ("
        f"SELECT {keys.list}, {name}_in FROM permission_{number} "
        f"WHERE {name}_out IS NOT NULL AND {name}_in IS NOT NULL) AS p USING ({keys.list}) "
        f"WHERE m.{name} = 'O' AND m.{name}_address <> '' "
        f"AND m.since >= coalesce(p.{name}_in, {_NEVER})",
        marks,
    )


def unknown_values(number: int, source: ListExports) -> Sql:
    """A query that counts permission values which are neither I nor O nor empty."""
    columns = {name for one in source.sources for name in one.columns}
    channels = {c.name: _value(c.permission, columns) for c in channels_of(source)}
    rows = of_files(rows_of(source.sources), f"marks_{number}", channels)
    counts = " + ".join(
        f"count(*) FILTER (trim({name}, $whitespace) NOT IN ('', 'I', 'i', 'O', 'o'))"
        for name in channels
    )
    return combine(f"SELECT {counts} FROM {rows}", rows, Sql("", {"whitespace": WHITESPACE}))


def holds(source: ListExports) -> Holds:
    """What the hold files of a list have in common."""
    return Holds(
        frozenset(
            name for file in holds_of(source.in_force) for name in pq.read_schema(file.path).names
        ),
        tuple(row_id(seq, record) for seq, record in mended_records(source)),
    )


def profile_state(states: str, channel: str) -> str:
    """SQL of a profile's permission, given the states that all lists say, joined by OR."""
    opted_in, opted_out = _OPTED_IN << _BITS[channel], _OPTED_OUT << _BITS[channel]
    return (
        f"CASE WHEN {states} & {opted_out} <> 0 THEN 'O' "
        f"WHEN {states} & {opted_in} <> 0 THEN 'I' ELSE '' END"
    )
