"""Who may be in a channel's segment. `where` selects, this forbids; nothing widens it again."""

# ruff: noqa: S608 - names and texts are quoted by segments/engine.py, `where` is parsed

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError, LakeError
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.normalise import normalise
from responsys_assets.segments.profiles import ProfileValues, profile_files
from responsys_assets.segments.sql import identifier
from responsys_assets.system_columns import CHANNELS, Channel

PERMISSION = "permission"
DELIVERABILITY = "deliverability"
EMPTY = "address_empty"
CLOSED = "address_closed"
SUPPRESSED = "suppressed"
REASONS = (PERMISSION, DELIVERABILITY, EMPTY, CLOSED, SUPPRESSED)


@dataclass(frozen=True)
class Exclusions:
    """Conditions that leave a profile out, with the tables of values they use.

    `conditions`: (reason, SQL over columns of profiles that is true for those left out), the
    reasons in the order of REASONS; `columns` are the columns they name.
    """

    conditions: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    tables: Mapping[str, pl.DataFrame]

    @property
    def reason(self) -> str:
        """SQL: the first reason that leaves a profile out, NULL if none does."""
        cases = " ".join(f"WHEN {sql} THEN '{reason}'" for reason, sql in self.conditions)
        return f"CASE {cases} END" if cases else "NULL"


def suppression_exclusions(suppressed: Mapping[str, pl.DataFrame]) -> Exclusions:
    """Leaves out who is suppressed."""
    tables = {f"suppressed_{number}": table for number, table in enumerate(suppressed.values())}
    conditions = tuple(
        (SUPPRESSED, _in(column, table)) for column, table in zip(suppressed, tables, strict=True)
    )
    return Exclusions(conditions, tuple(suppressed), tables)


def channel_exclusions(
    project: Project,
    segment: str,
    profiles: Snapshot,
    columns: Mapping[str, str],
) -> Exclusions:
    """Leaves out whom the segment's channel may not reach.

    Raises:
        ConfigError: if no list has the permission column, or profiles lack the address.
    """
    name = project.config.segments[segment].channel
    if name == "none":
        return Exclusions((), (), {})
    channel = CHANNELS[name]
    _require_columns(project, segment, channel, columns)
    files = profile_files(profiles)
    # once more: the profiles may be older than the normaliser, or than the account's country
    closed = normalise(_closed_addresses(profiles, name), channel.address, project.country)
    addresses = ProfileValues.read(files, channel.address, project.country)
    conditions = [(PERMISSION, f"{identifier(channel.permission)} IS DISTINCT FROM 'I'")]
    used = [channel.permission, channel.address]
    if channel.deliverability in columns:
        used.append(channel.deliverability)
        status = f"upper(trim({identifier(channel.deliverability)}))"
        conditions.append((DELIVERABILITY, f"{status} IS NOT DISTINCT FROM 'U'"))
    blank = f"coalesce({identifier(channel.address)}, '') = ''"
    conditions.append((EMPTY, f"({blank} OR {_in(channel.address, 'empty_addresses')})"))
    conditions.append((CLOSED, _in(channel.address, "closed_addresses")))
    tables = {
        "empty_addresses": addresses.like(pl.Series([""])),
        "closed_addresses": addresses.like(closed),
    }
    return Exclusions(tuple(conditions), tuple(used), tables)


def _require_columns(
    project: Project, segment: str, channel: Channel, columns: Mapping[str, str]
) -> None:
    for column, advice in (
        (channel.permission, "consent cannot be shown: choose another channel, or channel: none"),
        (channel.address, "nobody could be reached: add it to profiles.columns or a list"),
    ):
        if column not in columns:
            raise ConfigError(
                "channel_unknown",
                f"no list has the column {column} of channel {channel.name}, so {advice}",
                file=str(project.file),
                key=f"segments.{segment}.channel",
            )


def _closed_addresses(profiles: Snapshot, channel: str) -> pl.Series:
    path = profiles.path / "closed" / f"{channel}.parquet"
    if not path.is_file():
        raise LakeError(
            "snapshot_damaged",
            "the closed addresses of this channel are missing; restore them, or delete CURRENT "
            "in that folder's parent and run sync to merge anew",
            file=str(path),
        )
    return pl.read_parquet(path, glob=False)["address"]


def _in(column: str, table: str) -> str:
    return f"{identifier(column)} IN (SELECT value FROM {table})"
