"""What the consent ledger says of the keys of a range.

Every entry counts for ever, so reading all of them would make each merge longer than the one
before. Of the past only this matters: by key and channel the latest opt-in and the latest opt-out
(`people`), and the addresses that a key had and its live rows have no more (`addresses`). To that
an entry can be added, in any order. Entries of recent exports are not read: the merge reads the
staged rows that they were made of. What a snapshot holds of them already is in carried.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from responsys_assets.consent.entries import Entry
from responsys_assets.consent.ledger import Counted, ListLedger
from responsys_assets.normalise import normalise, permission_bits, rules
from responsys_assets.normalise.channel_addresses import address_as_sent
from responsys_assets.profiles.carried import Carried
from responsys_assets.profiles.instants import earliest, latest
from responsys_assets.profiles.keys import key_names
from responsys_assets.profiles.live import ListExports
from responsys_assets.profiles.placed import identifying, placed
from responsys_assets.profiles.ranges import KeyRange
from responsys_assets.profiles.superseded import superseded_claims
from responsys_assets.staged.columns import KEY_PART, PERMISSIONS, RECORD, UPDATED_US
from responsys_assets.staged.times import micros
from responsys_assets.system_columns import CHANNELS, Channel

NEVER = -(2**62)  # an opt-in without a time is older than anything that is said
_OPTED_IN = sum(channel.opted_in for channel in CHANNELS.values())
_OPTED_OUT = sum(channel.opted_out for channel in CHANNELS.values())


@dataclass(frozen=True)
class Statements:
    """What the ledger of one list says about the keys of a range.

    `entries`: rows of entries that are not carried: their key (null: nobody who is known),
    `said_in` and `said_out` (when their opt-ins and opt-outs count, microseconds of UTC),
    `permissions` (bits of all channels), and the address of each channel under its name.
    `claims`: the same of rejected records, opt-outs only. `people`: a key and, for each channel,
    `in_<channel>` and `out_<channel>` (null: none). `addresses`: key, channel, address.
    """

    entries: pl.DataFrame
    claims: pl.DataFrame
    people: pl.DataFrame
    addresses: pl.DataFrame

    @property
    def frames(self) -> list[pl.DataFrame]:
        return [self.entries, self.claims, self.people, self.addresses]


class StatementReader:
    """Reads the ledger of one list, range by range."""

    def __init__(
        self,
        ledger: ListLedger,
        lists: Sequence[ListExports],
        match_columns: Sequence[str],
        country: str | None,
        carried: Carried,
    ) -> None:
        self._match_columns = tuple(match_columns)
        self._country, self._rules = country, rules(country)
        self._keys = key_names(len(match_columns))
        self._channels = ledger.channels
        self._carried = carried
        self._empty = _empty(self._keys, self._channels)
        others = [c for c in ledger.entries if not self._is_key_of(c.entry)]
        placed_ones = [self._placed(counted, lists) for counted in others]
        self._claims = pl.concat([self._read_claims(ledger), *placed_ones])

    def read(self, within: KeyRange) -> Statements:
        """Everything about the keys of a range."""
        in_range = within.has(self._keys[0])
        scans = [self._scan(counted, within) for counted in self._carried.missing]
        entries = [self._empty.entries]
        for frame, counted in zip(pl.collect_all(scans), self._carried.missing, strict=True):
            entries.append(_timed(frame, counted).select(self._empty.entries.columns))
        return Statements(
            pl.concat(entries),
            self._claims.filter(in_range),
            _read(self._empty.people, self._carried.people, in_range),
            _read(self._empty.addresses, self._carried.addresses, in_range),
        )

    def _scan(self, counted: Counted, within: KeyRange) -> pl.LazyFrame:
        rows = pl.scan_parquet(counted.statements, glob=False, hive_partitioning=False)
        names = pq.read_schema(counted.statements).names
        permissions = pl.col(PERMISSIONS)
        if counted.opt_outs_only:
            permissions &= _OPTED_OUT
        select = [
            pl.col(UPDATED_US).alias("us"),
            permissions.alias("permissions"),
            *self._addresses(counted.entry, names),
        ]
        key = self._key_of(counted.entry, names)
        if self._is_key_of(counted.entry):
            return rows.filter(within.has(f"{KEY_PART}0")).select(*key, *select)
        return rows.select(*key, *select).filter(within.has(self._keys[0]))

    def _key_of(self, entry: Entry, names: Sequence[str]) -> list[pl.Expr]:
        if not self._is_key_of(entry):
            return self._other_key(entry, names)
        return [
            pl.col(f"{KEY_PART}{n}").cast(pl.String).alias(key) for n, key in enumerate(self._keys)
        ]

    def _is_key_of(self, entry: Entry) -> bool:
        """Whether the keys of an entry are those of today: of the same columns, spelled alike."""
        return (entry.match_on, entry.spelling) in (
            (None, None),
            (self._match_columns, self._rules),
        )

    def _other_key(self, entry: Entry, names: Iterable[str]) -> list[pl.Expr]:
        """Today's match columns where an entry was recorded with others: null unless every part
        was recorded and is not empty."""
        recorded = entry.match_on or self._match_columns
        names, parts = {*names}, []
        for column in self._match_columns:
            if column in recorded:
                part = pl.col(f"{KEY_PART}{recorded.index(column)}").cast(pl.String)
                parts.append(normalise(part, column, self._country))
            elif column in names:
                part = pl.col(column).cast(pl.String).fill_null("")
                parts.append(normalise(part, column, self._country))
            else:
                return [pl.lit(None, pl.String).alias(key) for key in self._keys]
        known = pl.all_horizontal(part != "" for part in parts)
        return [
            pl.when(known).then(part).alias(key)
            for key, part in zip(self._keys, parts, strict=True)
        ]

    def _addresses(self, entry: Entry, names: Iterable[str]) -> list[pl.Expr]:
        """The address of each channel; a match column was recorded as a part of the key."""
        keys = {column: f"{KEY_PART}{n}" for n, column in enumerate(entry.match_on or ())}
        return [
            address_as_sent(channel, {*names}, keys).alias(channel.name)
            for channel in self._channels
        ]

    def _placed(self, counted: Counted, lists: Sequence[ListExports]) -> pl.DataFrame:
        """Opt-outs without today's key, of whom their other identifying values tell."""
        names = pq.read_schema(counted.statements).names
        ids = identifying(counted.entry.match_on or (), names, self._country)
        opt_outs = (
            pl.scan_parquet(counted.statements, glob=False, hive_partitioning=False)
            .filter(pl.col(PERMISSIONS) & _OPTED_OUT != 0)
            .select(
                *self._key_of(counted.entry, names),
                pl.col(UPDATED_US).alias("us"),
                (pl.col(PERMISSIONS) & _OPTED_OUT).alias("permissions"),
                *self._addresses(counted.entry, names),
                *ids.values(),
            )
            .filter(pl.col(self._keys[0]).is_null())
            .collect()
        )
        found = placed(opt_outs, ids, lists, self._match_columns, self._country)
        return _timed(found, counted).select(self._empty.claims.columns)

    def _read_claims(self, ledger: ListLedger) -> pl.DataFrame:
        """What rejected records still claim, all of it: there are few."""
        superseded = superseded_claims(ledger)
        frames = [self._empty.claims]
        for counted in ledger.entries:
            if counted.claims is None or counted.settled is None:
                continue
            claims = pl.read_parquet(counted.claims, glob=False)
            claims = claims.filter(~pl.col(RECORD).is_in([*counted.settled]))
            ended = superseded.get(counted.entry.name)
            bits = opted_out_bits(claims)
            if ended is not None:
                bits &= ~claims.select(RECORD).join(ended, RECORD, how="left")["bits"].fill_null(0)
            frame = claims.select(
                *self._key_of(counted.entry, claims.columns),
                pl.col(UPDATED_US).alias("us"),
                pl.lit(bits).alias("permissions"),
                *(
                    address_as_sent(channel, {*claims.columns}).alias(channel.name)
                    for channel in self._channels
                ),
            )
            frames.append(_timed(frame, counted).select(self._empty.claims.columns))
        return pl.concat(frames)


def _timed(rows: pl.DataFrame, counted: Counted) -> pl.DataFrame:
    entry = counted.entry
    return with_times(
        rows,
        entry.stamp,
        zone=entry.zone,
        reread_in=counted.reread_in,
        resolution=entry.resolution,
    )


def with_times(
    rows: pl.DataFrame,
    stamp: dt.datetime,
    *,
    zone: str | None,
    reread_in: str | None,
    resolution: int,
) -> pl.DataFrame:
    """Rows with `said_in` and `said_out`, made of their `us`.

    An opt-out without a time counts at the stamp of its export, an opt-in without one never ends
    anything. An opt-out counts to the end of the moment that its time tells.
    """
    us, permissions = rows["us"], rows["permissions"]
    said_in, said_out = us.fill_null(NEVER), us.fill_null(micros(stamp))
    outs = (us.is_not_null() & (permissions & _OPTED_OUT != 0)).arg_true()
    last = latest(us.gather(outs).to_numpy(), zone, reread_in) + (resolution - 1)
    said_out = said_out.scatter(outs, last)
    if reread_in is not None:
        ins = (us.is_not_null() & (permissions & _OPTED_IN != 0)).arg_true()
        said_in = said_in.scatter(ins, earliest(us.gather(ins).to_numpy(), zone, reread_in))
    return rows.with_columns(said_in.alias("said_in"), said_out.alias("said_out"))


def opted_out_bits(claims: pl.DataFrame) -> pl.Series:
    """The opt-outs that rejected records claim, as bits."""
    bits = pl.zeros(len(claims), pl.UInt8, eager=True)
    for channel in CHANNELS.values():
        if channel.permission in claims.columns:
            said, _ = permission_bits(claims[channel.permission].cast(pl.String).fill_null(""))
            bits |= said * (1 << channel.shift) & channel.opted_out
    return bits


def _empty(keys: Sequence[str], channels: Sequence[Channel]) -> Statements:
    key = dict.fromkeys(keys, pl.String)
    rows = {
        **key,
        "said_in": pl.Int64,
        "said_out": pl.Int64,
        "permissions": pl.UInt8,
        **{channel.name: pl.String for channel in channels},
    }
    times = {f"{what}_{channel.name}": pl.Int64 for channel in channels for what in ("in", "out")}
    return Statements(
        pl.DataFrame(schema=rows),
        pl.DataFrame(schema=rows),
        pl.DataFrame(schema={**key, **times}),
        pl.DataFrame(schema={**key, "channel": pl.String, "address": pl.String}),
    )


def _read(nothing: pl.DataFrame, paths: Sequence[Path], within: pl.Expr) -> pl.DataFrame:
    """Files of a snapshot; it may know fewer channels."""
    scans = [pl.scan_parquet(path, glob=False, hive_partitioning=False) for path in paths]
    parts = [nothing.lazy(), *(scan.filter(within) for scan in scans)]
    return pl.concat(parts, how="diagonal").select(nothing.columns).collect()
