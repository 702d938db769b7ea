"""Who of the people that a receiver has may not be reached any more."""

# ruff: noqa: S608 - names and texts are quoted by segments/engine.py, `where` is parsed

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import duckdb
import polars as pl

from responsys_assets.config.project import Project
from responsys_assets.deliveries.receivers import ROWS
from responsys_assets.deliveries.rows import key_columns
from responsys_assets.deliveries.source import Source, delivery_config
from responsys_assets.lake.publish import Workspace
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.normalise.channel_addresses import normalise_addresses
from responsys_assets.profiles.opted_out import opted_out_without_profile
from responsys_assets.segments import engine
from responsys_assets.segments.consent import (
    CLOSED,
    EMPTY,
    Exclusions,
    among,
    channel_exclusions,
    suppression_exclusions,
)
from responsys_assets.segments.profiles import ChannelAddresses, column_types, profile_files
from responsys_assets.segments.sql import identifier
from responsys_assets.segments.suppressions import suppressed_values
from responsys_assets.system_columns import CHANNELS, PERMISSION_COLUMNS, Channel


@dataclass(frozen=True)
class Reach:
    """What consent and suppressions say now of the people that a delivery has sent.

    A person may not be reached if the profile says so, if the person opted out and has no profile
    any more, or if the address that the receiver has is closed or suppressed. Whoever only left
    the profiles, or the segment, is not among them: that may be the mistake that a guard is for.
    """

    project: Project
    name: str
    source: Source

    def lost(self, work: Workspace, plan: Snapshot) -> pl.DataFrame:
        """The keys of the rows of a plan whose people may not be reached any more.

        Raises:
            ResponsysError: if a suppression file or the closed addresses cannot be read.
        """
        sent = engine.parquet([plan.path / ROWS])
        found = [self._keys(work, plan, f"SELECT * FROM {sent} WHERE {{}}", self._by_address(plan))]
        people = engine.parquet(profile_files(self.source.profiles))
        alike = "{} = {}", "lower(trim({})) = lower(trim(CAST({} AS VARCHAR)))"
        matches = self._match(plan), self._match_of_then(plan)
        for match, equal in zip(matches, alike, strict=True):
            if not match:
                continue
            whose = " AND ".join(equal.format(f"r.{ours}", f"p.{theirs}") for ours, theirs in match)
            query = (
                f"SELECT r.* FROM {sent} r "
                f"SEMI JOIN (SELECT * FROM {people} WHERE {{}}) p ON {whose}"
            )
            found.append(self._keys(work, plan, query, self._by_profile()))
        return pl.concat([*found, self._left(plan)]).unique()

    def told(self, work: Workspace, plan: Snapshot, lost: pl.DataFrame) -> pl.DataFrame | None:
        """The rows of a plan with the permission that their people have now, if they opted out.

        Only of people whose permission is delivered, whom the receiver has as opted in, and who
        are not among those to be removed; None if there are none.
        """
        files, match, keys = (
            profile_files(self.source.profiles),
            self._match(plan),
            key_columns(plan),
        )
        delivered = self._permissions(plan).intersection(column_types(files))
        if not match or not delivered:
            return None
        columns = [identifier(column) for column in sorted(delivered)]
        is_now = {column: f"coalesce(CAST(p.{column} AS VARCHAR), '')" for column in columns}
        new = ", ".join(f"{now} AS {column}" for column, now in is_now.items())
        opted_out = " OR ".join(
            f"(r.{column} <> {now} AND (r.{column} = 'I' OR {now} = 'O'))"
            for column, now in is_now.items()
        )
        whose = " AND ".join(f"r.{ours} = p.{theirs}" for ours, theirs in match)
        removed = " AND ".join(f"o.{key} = r.{key}" for key in keys)
        found = self._fetch(
            work,
            plan,
            f"SELECT r.* REPLACE ({new}) FROM {engine.parquet([plan.path / ROWS])} r "
            f"JOIN {engine.parquet(files)} p ON {whose} WHERE ({opted_out}) "
            f"AND NOT EXISTS (SELECT 1 FROM removed o WHERE {removed})",
            {"removed": lost},
        )
        return found if found.height else None

    def _keys(
        self, work: Workspace, plan: Snapshot, query: str, exclusions: Exclusions
    ) -> pl.DataFrame:
        """The keys of the rows of a query, with the exclusions where it has `{}`."""
        forbidden = query.format(f"({exclusions.reason}) IS NOT NULL")
        keys = ", ".join(key_columns(plan))
        return self._fetch(work, plan, f"SELECT {keys} FROM ({forbidden})", exclusions.tables)

    def _fetch(
        self, work: Workspace, plan: Snapshot, query: str, tables: Mapping[str, pl.DataFrame]
    ) -> pl.DataFrame:
        with engine.locked_down(
            read=[*profile_files(self.source.profiles), plan.path / ROWS],
            spill=work.folder("reach"),
            zone="UTC",
            tables=tables,
        ) as connection:
            try:
                found = connection.sql(query).to_arrow_table()
            except duckdb.Error as error:
                raise engine.fault("cannot look for people who opted out", error) from None
        return cast(pl.DataFrame, pl.from_arrow(found))

    @property
    def _channel(self) -> str:
        if self.source.whole:
            return "none"
        segment = delivery_config(self.project, self.name).segment
        return self.project.config.segments[segment].channel

    def _match(self, plan: Snapshot) -> list[tuple[str, str]]:
        """(column of the rows, column of profiles) that tell whose row it is; empty if none do."""
        match_on = self.project.config.profiles.match_columns
        if list(match_on) == list(plan.manifest["inputs"]["match_on"]):
            keys = key_columns(plan)
            return [(key, identifier(name)) for key, name in zip(keys, match_on, strict=True)]
        has = {column for column, _ in plan.manifest["columns"]}
        if has.issuperset(match_on):
            return [(identifier(name), identifier(name)) for name in match_on]
        return []

    def _match_of_then(self, plan: Snapshot) -> list[tuple[str, str]]:
        """The same for the match columns that the plan had, if they are others than today's.

        Profiles have these as they were sent, not as keys are written, so that letters and spaces
        may differ: two keys that are alike count as one, for the opt-out.
        """
        match_on = plan.manifest["inputs"]["match_on"]
        has = column_types(profile_files(self.source.profiles))
        if list(self.project.config.profiles.match_columns) == match_on:
            return []
        if not has.keys() >= set(match_on):
            return []
        keys = key_columns(plan)
        return [(key, identifier(name)) for key, name in zip(keys, match_on, strict=True)]

    def _permissions(self, plan: Snapshot) -> set[str]:
        """The permission columns that the receiver has."""
        return {column for column, _ in plan.manifest["columns"]} & PERMISSION_COLUMNS

    def _by_profile(self) -> Exclusions:
        files = profile_files(self.source.profiles)
        types = column_types(files)
        people = suppression_exclusions(
            suppressed_values(self.project, self.source.suppressions, types, files)
        )
        if self._channel == "none":
            return people
        segment = delivery_config(self.project, self.name).segment
        channel = channel_exclusions(self.project, segment, self.source.profiles, types)
        forbidden = tuple(each for each in channel.conditions if each[0] != EMPTY)
        return Exclusions((*forbidden, *people.conditions), (), {**channel.tables, **people.tables})

    def _by_address(self, plan: Snapshot) -> Exclusions:
        """Closed and suppressed values among those that the receiver has."""
        rows = plan.path / ROWS
        has = {column: "text" for column, _ in plan.manifest["columns"]}
        known = [entry for entry in self.source.suppressions if entry.column in has]
        found = suppression_exclusions(suppressed_values(self.project, known, has, [rows]))
        if self._channel == "none" or CHANNELS[self._channel].address not in has:
            return found
        channel, country = CHANNELS[self._channel], self.project.country
        path = self.source.profiles.path / "closed" / f"{self._channel}.parquet"
        closed = pl.read_parquet(path, glob=False)["address"]
        addresses = ChannelAddresses.read([rows], channel, has, country)
        table = addresses.like(normalise_addresses(closed, channel, country, has))
        return Exclusions(
            (*found.conditions, (CLOSED, among(addresses.parts, "closed_now"))),
            (),
            {**found.tables, "closed_now": table},
        )

    def _left(self, plan: Snapshot) -> pl.DataFrame:
        """The keys of rows whose people opted out and have no profile any more."""
        rows = pl.read_parquet(plan.path / ROWS, glob=False)
        keys = rows.select(key_columns(plan)).clear()
        match = self._match(plan)
        if not match:
            return keys
        match_on = self.project.config.profiles.match_columns
        ours, theirs = ([name.strip('"') for name in names] for names in zip(*match, strict=True))
        found = [keys]
        for channel, has in self._channels(plan).items():
            left = opted_out_without_profile(self.source.profiles, channel, match_on)
            people = rows.filter(pl.col(channel.permission) != "O") if has else rows
            people = people.join(left, left_on=ours, right_on=theirs, how="semi")
            found.append(people.select(keys.columns))
        return pl.concat(found).unique()

    def _channels(self, plan: Snapshot) -> dict[Channel, bool]:
        """The channels to ask of, and whether the rows say who has opted out of them."""
        has = self._permissions(plan)
        if self._channel != "none":
            return {CHANNELS[self._channel]: False}
        return {each: True for each in CHANNELS.values() if each.permission in has}
