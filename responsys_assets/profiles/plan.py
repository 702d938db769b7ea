"""What wins: everything that decides the profiles, before any engine runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from responsys_assets.config.project import Project
from responsys_assets.lake.exports import read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.normalise import rules
from responsys_assets.profiles.columns import Column, plan_columns
from responsys_assets.profiles.live import ListExports, Source, accepted
from responsys_assets.system_columns import LISTS, UPDATED_AT


@dataclass(frozen=True)
class MergePlan:
    """The lists that have accepted exports, in the order of the configuration, and the columns.

    `only_in` is the number of the list that a key must be in to become a profile.
    """

    lists: tuple[ListExports, ...]
    match_columns: tuple[str, ...]
    columns: tuple[Column, ...]
    only_in: int | None

    @property
    def schema(self) -> list[tuple[str, str]]:
        """Every column of profiles with its type, in order."""
        return [
            *((name, "text") for name in self.match_columns),
            *((column.name, column.kind) for column in self.columns),
            (UPDATED_AT, "timestamp"),
            (LISTS, "text"),
        ]


def accepted_exports(project: Project, lake: Lake) -> tuple[ListExports, ...]:
    """The accepted exports of every configured list that has any."""
    found = (
        accepted(name, read_exports(lake, name), project.country) for name in project.config.lists
    )
    return tuple(source for source in found if source.sources)


def nothing_to_merge(project: Project, lists: Sequence[ListExports]) -> bool:
    """Whether no list, or not the one that decides who is a profile, has an accepted export."""
    profiles = project.config.profiles
    if profiles.insert_new:
        return not lists
    return all(source.name != profiles.primary for source in lists)


def make_plan(project: Project, lists: Sequence[ListExports]) -> MergePlan:
    """The plan for these exports.

    Raises:
        ConfigError: if the rules do not fit the columns that the exports have.
    """
    profiles = project.config.profiles
    numbers = {source.name: number for number, source in enumerate(lists)}
    return MergePlan(
        lists=tuple(lists),
        match_columns=profiles.match_columns,
        columns=plan_columns(project, lists),
        only_in=None if profiles.insert_new else numbers[profiles.primary or ""],
    )


def inputs_of(project: Project, lists: Sequence[ListExports]) -> dict[str, Any]:
    """Every export and rule that decides the profiles, for their manifest."""
    return {
        "lists": [
            # in their order, which is all that an mtime decides
            {"name": source.name, "exports": [_input(one) for one in source.sources]}
            for source in lists
        ],
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
