"""What wins: everything that decides the profiles, before any engine runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from responsys_assets.config.project import Project
from responsys_assets.consent.ledger import ListLedger, read_ledger
from responsys_assets.errors import ConfigError
from responsys_assets.lake.exports import Export
from responsys_assets.lake.lake import Lake
from responsys_assets.normalise import rules
from responsys_assets.profiles.columns import Column, plan_columns
from responsys_assets.profiles.live import ListExports, Source, accepted
from responsys_assets.system_columns import LISTS, UPDATED_AT, Channel


@dataclass(frozen=True)
class Accepted:
    """All that profiles are made of: the accepted exports of every configured list that has any,
    and the consent ledger."""

    lists: tuple[ListExports, ...]
    ledger: tuple[ListLedger, ...]


@dataclass(frozen=True)
class MergePlan:
    """The lists that have accepted exports, in the order of the configuration, and the columns.

    `only_in` is the number of the list that a key must be in to become a profile. `zone` is
    that of wall-clock times, `country` that of mobile numbers.
    """

    lists: tuple[ListExports, ...]
    ledger: tuple[ListLedger, ...]
    match_columns: tuple[str, ...]
    zone: str
    country: str | None
    columns: tuple[Column, ...]
    only_in: int | None

    def channels_of(self, list_name: str) -> tuple[Channel, ...]:
        """The channels of which a list says anything."""
        ledgers = (ledger for ledger in self.ledger if ledger.name == list_name)
        return next((ledger.channels for ledger in ledgers), ())

    @property
    def schema(self) -> list[tuple[str, str]]:
        """Every column of profiles with its type, in order."""
        return [
            *((name, "text") for name in self.match_columns),
            *((column.name, column.kind) for column in self.columns),
            (UPDATED_AT, "timestamp"),
            (LISTS, "text"),
        ]


def read_accepted(
    project: Project, lake: Lake, exports: Mapping[str, Sequence[Export]]
) -> Accepted:
    """What profiles would be made of; `exports` are those of every list that the lake has."""
    lists = (accepted(name, exports.get(name, ())) for name in project.config.lists)
    return Accepted(
        tuple(source for source in lists if source.sources), read_ledger(project, lake, exports)
    )


def nothing_to_merge(project: Project, lists: Sequence[ListExports]) -> bool:
    """Whether no list, or not the one that decides who is a profile, has an accepted export."""
    profiles = project.config.profiles
    if profiles.insert_new:
        return not lists
    return all(source.name != profiles.primary for source in lists)


def make_plan(project: Project, made_of: Accepted) -> MergePlan:
    """The plan for these exports.

    Raises:
        ConfigError: if the rules do not fit the columns that the exports have, or a reading in
            force cannot serve the settings.
    """
    profiles = project.config.profiles
    for source in made_of.lists:
        _require_keys(project, source)
    numbers = {source.name: number for number, source in enumerate(made_of.lists)}
    stated = [channel for ledger in made_of.ledger for channel in ledger.channels]
    return MergePlan(
        lists=made_of.lists,
        ledger=made_of.ledger,
        match_columns=profiles.match_columns,
        zone=project.config.account.timezone,
        country=project.country,
        columns=plan_columns(project, made_of.lists, stated),
        only_in=None if profiles.insert_new else numbers[profiles.primary or ""],
    )


def _require_keys(project: Project, source: ListExports) -> None:
    """Rows that are read for the merge must have been staged with today's match columns.

    Raises:
        ConfigError: for a reading that is kept since its file could not be read anew.
    """
    wanted = project.config.profiles.match_columns
    older = source.older if source.may_reach_back else ()
    for one in (*source.recent, *older):
        read_with = one.outcome.match_on
        if read_with not in (None, wanted):
            raise ConfigError(
                "match_on_does_not_fit",
                f"{one.export.file} of list {source.name} is in force as it was read with match_on "
                f"{' + '.join(read_with or ())}, and it was not read anew with "
                f"{' + '.join(wanted)} ({one.export.why_kept}); the profiles stay as they are. Put "
                "match_on back, have the list exported again, or take the export back with "
                f"`responsys exports {source.name} withdraw {one.export.file} --why ...`",
                file=str(project.file),
                key="profiles.match_on",
            )


def inputs_of(project: Project, made_of: Accepted) -> dict[str, Any]:
    """Every export, statement and rule that decides the profiles, for their manifest."""
    return {
        "lists": [
            # in their order, which is all that an mtime decides
            {"name": source.name, "exports": [_input(one) for one in source.sources]}
            for source in made_of.lists
        ],
        "ledger": [ledger.as_input() for ledger in made_of.ledger],
        "configured": list(project.config.lists),
        "normaliser": rules(project.country),
        "profiles": project.config.profiles.model_dump(mode="json"),
    }


def _input(source: Source) -> dict[str, Any]:
    export = source.export
    return {
        "file": export.file,
        "export_id": export.export_id,
        "stamp": export.stamp.isoformat(),
        "sha256": export.sha256,
        "kind": export.kind,
        "replaced": source.replaced,
        "complete": source.complete,
        "columns": [list(column) for column in source.outcome.columns],
        "rows_sha256": source.outcome.parquet_sha256,
        "holds_sha256": source.outcome.holds_sha256,
    }
