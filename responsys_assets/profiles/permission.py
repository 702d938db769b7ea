"""Permission as its own state: an opt-out stands until the same list says a later opt-in.

Over everything that the consent ledger has, whatever rows are live. Nothing here looks at which
row is the latest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from responsys_assets.consent.ledger import ListLedger
from responsys_assets.normalise.channel_addresses import closed_by
from responsys_assets.profiles.keys import KEY, Flags, Numbers, greatest
from responsys_assets.profiles.statements import NEVER, Statements
from responsys_assets.system_columns import Channel

_NOT = NEVER - 1  # older than anything that is said


@dataclass(frozen=True)
class Permissions:
    """What one list says: the bits of each key, the normalised addresses that it closes, and what
    of it the next merge need not read again."""

    states: Numbers
    closed: dict[Channel, pl.Series]
    people: pl.DataFrame
    addresses: pl.DataFrame

    def write(self, folder: Path, number: int, keys: pl.DataFrame) -> None:
        """What is carried on, as the files of a range of keys."""
        for kind, frame in (("people", self.people), ("addresses", self.addresses)):
            places = frame[KEY]
            named = [keys[name].gather(places) for name in keys.columns]
            rows = pl.DataFrame([*named, *frame.drop(KEY)])
            path = folder / f"{kind}-{number:05}.parquet"
            rows.write_parquet(path, compression="zstd", compression_level=1)


def permissions_of(
    ledger: ListLedger,
    rows: pl.DataFrame | None,
    statements: Statements,
    keys: int,
    country: str | None,
) -> Permissions:
    """The permission of `keys` keys; all is numbered.

    `rows` are the staged rows of recent exports (as `reading.Part` has them), None for a list
    that is not configured any more.
    """
    states = np.zeros(keys, np.int32)
    closed, addresses = {}, [statements.addresses]
    people: dict[str, Numbers] = {}
    for channel in ledger.channels:
        judged = _Channel(channel, rows, statements, keys)
        people |= {
            f"in_{channel.name}": judged.carried_in,
            f"out_{channel.name}": judged.carried_out,
        }
        if ledger.configured:
            states[judged.opted_in >= NEVER] |= channel.opted_in
        states[judged.stands] = states[judged.stands] & ~channel.opted_in | channel.opted_out
        closed[channel] = judged.closed(country)
        addresses.append(judged.former_addresses())
    said = np.any([times > _NOT for times in people.values()], axis=0)
    numbers = pl.Series(KEY, np.flatnonzero(said).astype(np.int32))
    carried = [
        pl.Series(name, times[said]).set(pl.Series(times[said] == _NOT), None)
        for name, times in people.items()
    ]
    every = pl.concat(addresses).unique().sort(pl.all())
    return Permissions(states, closed, pl.DataFrame([numbers, *carried]), every)


class _Channel:
    """One channel of one list."""

    def __init__(
        self, channel: Channel, rows: pl.DataFrame | None, statements: Statements, keys: int
    ) -> None:
        self._channel, self._rows, self._statements = channel, rows, statements
        people = statements.people
        entries = statements.entries
        self.carried_in = np.maximum(
            _latest(people[KEY], people[f"in_{channel.name}"], keys),
            self._times(entries, "said_in", channel.opted_in, keys),
        )
        self.carried_out = np.maximum(
            _latest(people[KEY], people[f"out_{channel.name}"], keys),
            self._times(entries, "said_out", channel.opted_out, keys),
        )
        self.opted_in = self.carried_in
        opted_out = np.maximum(
            self.carried_out,
            self._times(statements.claims, "said_out", channel.opted_out, keys),
        )
        if rows is not None:
            self.opted_in = np.maximum(
                self.opted_in, self._times(rows, "said_in", channel.opted_in, keys)
            )
            opted_out = np.maximum(
                opted_out, self._times(rows, "said_out", channel.opted_out, keys)
            )
        self.stands: Flags = (opted_out > _NOT) & (self.opted_in <= opted_out)

    @staticmethod
    def _times(rows: pl.DataFrame, time: str, bit: int, keys: int) -> Numbers:
        said = (rows["permissions"] & bit != 0) & rows[KEY].is_not_null()
        return _latest(rows[KEY].filter(said), rows[time].filter(said), keys)

    def closed(self, country: str | None) -> pl.Series:
        """Every address that a person who opted out has or had, as it is compared; and those of
        opt-outs of nobody who is known."""
        name, statements = self._channel.name, self._statements
        carried = self._carried_addresses()
        sent = [
            self._standing(statements.entries[KEY], statements.entries[name]),
            self._standing(statements.claims[KEY], statements.claims[name]),
            self._standing(carried[KEY], carried["address"]),
            *(self._nobodys(frame) for frame in (statements.entries, statements.claims)),
            carried["address"].filter(carried[KEY].is_null()),
        ]
        if self._rows is not None:
            sent.append(self._standing(self._rows[KEY], self._rows[name]))
        addresses = pl.concat(series.rename("address") for series in sent).unique()
        # anew, or a few addresses would keep everything in memory that was read with them
        return closed_by(addresses, self._channel, country)

    def former_addresses(self) -> pl.DataFrame:
        """Addresses of entries that no recent row of their key has: key, channel, address."""
        name, entries = self._channel.name, self._statements.entries
        opted_out = pl.col("permissions") & self._channel.opted_out != 0
        rows = entries.filter(pl.col(name) != "").filter(pl.col(KEY).is_not_null() | opted_out)
        if len(rows) and self._rows is not None and len(self._rows):
            rows = rows.filter(rows[name].ne_missing(self._recent_address(rows[KEY])))
        return rows.select(KEY, pl.lit(name).alias("channel"), pl.col(name).alias("address"))

    def _recent_address(self, keys: pl.Series) -> pl.Series:
        """An address that recent rows of these keys have; null if there is no such row."""
        assert self._rows is not None  # noqa: S101 - for the type checker
        own = self._rows[KEY].to_numpy()
        place = np.full(len(self.stands), -1, np.int64)
        place[own] = np.arange(len(own))
        found = pl.Series(place).gather(keys)
        return self._rows[self._channel.name].gather(found.set(found < 0, None))

    def _carried_addresses(self) -> pl.DataFrame:
        return self._statements.addresses.filter(pl.col("channel") == self._channel.name)

    def _standing(self, keys: pl.Series, addresses: pl.Series) -> pl.Series:
        """The addresses of keys that have a standing opt-out."""
        known = keys.is_not_null()
        stands = pl.Series(self.stands[keys.filter(known).to_numpy()], dtype=pl.Boolean)
        return addresses.filter(known).filter(stands)

    def _nobodys(self, rows: pl.DataFrame) -> pl.Series:
        """The addresses of opt-outs of nobody who is known."""
        opted_out = rows["permissions"] & self._channel.opted_out != 0
        return rows[self._channel.name].filter(opted_out & rows[KEY].is_null())


def _latest(keys: pl.Series, times: pl.Series, count: int) -> Numbers:
    """The latest time of each key."""
    return greatest(count, keys.to_numpy(), times.fill_null(_NOT).to_numpy(), nothing=_NOT)


def all_of(permissions: Sequence[Permissions], keys: int) -> Numbers:
    """The bits of each key over all lists: an opt-out of any list stands."""
    states: Numbers = np.bitwise_or.reduce(
        [np.zeros(keys, np.int32), *(p.states for p in permissions)]
    )
    return states


def each_closed(permissions: Sequence[Permissions]) -> Iterator[tuple[Channel, pl.Series]]:
    """The closed addresses of every list, channel by channel."""
    for said in permissions:
        yield from said.closed.items()
