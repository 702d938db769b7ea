"""Segments from the current profiles: `where` selects, consent and suppressions leave out.

segments/<name>/<snapshot>/part-0.parquet   the chosen columns, sorted by match key
segments/<name>/<snapshot>/keys/part-0.parquet
    the match key of each row, in the same order, if the chosen columns do not hold it
"""

# ruff: noqa: S608 - names and texts are quoted by segments/engine.py, `where` is parsed

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from responsys_assets.config.criteria import TODAY, Criteria
from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import Workspace
from responsys_assets.lake.snapshots import Snapshot, SnapshotStore, digest
from responsys_assets.normalise import rules
from responsys_assets.progress import SILENT, Progress
from responsys_assets.segments import engine
from responsys_assets.segments.bound import bind, failed, unknown_column
from responsys_assets.segments.consent import (
    REASONS,
    Exclusions,
    channel_exclusions,
    suppression_exclusions,
)
from responsys_assets.segments.profiles import column_types, current_profiles, profile_files
from responsys_assets.segments.sql import identifier
from responsys_assets.segments.suppressions import (
    SuppressionFile,
    read_suppressions,
    suppressed_values,
)
from responsys_assets.system_columns import DELIVERABILITY_COLUMNS, PERMISSION_COLUMNS

CODE = "segments/2"
PART = "part-0.parquet"
KEYS = "keys"
_MATCHED = "__matched__"


def refresh(
    project: Project, lake: Lake, name: str, progress: Progress = SILENT
) -> tuple[Snapshot, bool]:
    """Make a segment from the current profiles, unless nothing that decides it has changed.

    Returns its current snapshot, and whether that is new. The manifest also holds `columns`
    (name, type), `matched` (profiles that `where` selects) and `left_out` (by reason, the first
    that applies); matched = rows + all left out.

    Raises:
        ConfigError: if there is no such segment, or it does not fit the columns of profiles.
        ResponsysError: if a suppression file is missing or damaged, or `where` fails on data.
    """
    _require(project, name)
    with lake.writing(progress.say):
        profiles = current_profiles(lake)
        suppressions = read_suppressions(project)
        inputs = segment_inputs(project, name, profiles, suppressions)
        store = SnapshotStore(lake.segment(name))
        current = store.current()
        if current is not None and current.inputs_digest == digest(inputs):
            return current, False
        with (
            progress.step(f"segment {name}", profiles.rows, "rows") as advance,
            lake.workspace() as work,
        ):
            selection = _selection(project, name, profiles, suppressions)
            extra = _write(project, selection, work)
            advance(profiles.rows)
            rows = int(extra["matched"]) - sum(extra["left_out"].values())
            folder = work.folder("segment")
            snapshot = store.publish(
                work, folder, inputs=inputs, rows=rows, now=project.now(), extra=extra
            )
        return snapshot, True


def segment_inputs(
    project: Project, name: str, profiles: Snapshot, suppressions: Sequence[SuppressionFile]
) -> dict[str, Any]:
    """Everything that decides a segment's content; `today` only if its criteria use it."""
    segment = project.config.segments[name]
    types = {
        column: kind
        for source in project.config.lists.values()
        for column, kind in source.declared_types.items()
    }
    uses_today = Criteria.parse(segment.where, types).uses_today
    return {
        "code": CODE,
        "engine": engine.VERSION,
        "profiles": {"snapshot": profiles.name, "digest": profiles.inputs_digest},
        "suppressions": [entry.as_input() for entry in suppressions],
        "segment": segment.model_dump(mode="json"),
        "match_on": list(project.config.profiles.match_columns),
        "normaliser": rules(project.country),
        "timezone": project.config.account.timezone,
        "today": project.today().isoformat() if uses_today else None,
    }


def chosen_columns(types: Mapping[str, str]) -> list[str]:
    """What `columns: all` means: permission and deliverability leave only when named."""
    return [name for name in types if name not in PERMISSION_COLUMNS | DELIVERABILITY_COLUMNS]


@dataclass(frozen=True)
class _Selection:
    name: str
    profiles: Snapshot
    types: Mapping[str, str]
    criteria: Criteria
    columns: Sequence[str]
    keys: Sequence[str]
    exclusions: Exclusions


def _require(project: Project, name: str) -> None:
    known = project.config.segments
    if name not in known:
        raise ConfigError(
            "unknown_segment", f"there is no segment {name}; the segments are {', '.join(known)}"
        )


def _selection(
    project: Project, name: str, profiles: Snapshot, suppressions: Sequence[SuppressionFile]
) -> _Selection:
    files = profile_files(profiles)
    types = column_types(files)
    wanted = project.config.segments[name].columns
    columns = chosen_columns(types) if wanted == "all" else list(wanted)
    for column in columns:
        if column not in types:
            raise unknown_column(project, f"segments.{name}.columns", column, types)
    criteria = bind(project, name, types)
    channel = channel_exclusions(project, name, profiles, types)
    people = suppression_exclusions(suppressed_values(project, suppressions, types, files))
    exclusions = Exclusions(
        (*channel.conditions, *people.conditions),
        (*channel.columns, *people.columns),
        {**channel.tables, **people.tables},
    )
    keys = project.config.profiles.match_columns
    return _Selection(name, profiles, types, criteria, columns, keys, exclusions)


def _write(project: Project, selection: _Selection, work: Workspace) -> dict[str, Any]:
    """Write the segment into the workspace; returns what the manifest says beyond the rest."""
    folder = work.folder("segment")
    matched = _matched(project, selection)
    reason = selection.exclusions.reason
    lacks_key = not set(selection.keys) <= set(selection.columns)
    targets = [(folder / PART, selection.columns)]
    if lacks_key:
        targets.append((work.folder(f"segment/{KEYS}") / PART, selection.keys))
    with engine.locked_down(
        read=profile_files(selection.profiles),
        spill=work.folder("spill"),
        zone=project.config.account.timezone,
        tables=selection.exclusions.tables,
    ) as connection:
        try:
            counted = connection.execute(
                f"SELECT {reason} AS reason, count(*) FROM ({matched}) GROUP BY ALL"
            ).fetchall()
            for target, columns in targets:
                query = (
                    f"SELECT {_list(columns)} FROM ({matched}) WHERE ({reason}) IS NULL "
                    f"ORDER BY {_list(selection.keys)}"
                )
                engine.write_parquet(connection, query, target)
        except duckdb.Error as error:
            raise failed(project, selection.name, error) from None
    counts: dict[str | None, int] = dict(counted)
    return {
        "columns": [[column, selection.types[column]] for column in selection.columns],
        "matched": sum(counts.values()),
        "left_out": {each: counts.get(each, 0) for each in REASONS},
    }


def _matched(project: Project, selection: _Selection) -> str:
    """A query for the profiles that `where` selects, with every column that is needed later."""
    needed = _list(
        dict.fromkeys((*selection.columns, *selection.keys, *selection.exclusions.columns))
    )
    today = f", DATE '{project.today().isoformat()}' AS {TODAY}"
    source = (
        f"SELECT *{today if selection.criteria.uses_today else ''} "
        f"FROM {engine.parquet(profile_files(selection.profiles))}"
    )
    return (
        f"SELECT {needed} FROM (SELECT {needed}, (\n{selection.criteria.text}\n) AS {_MATCHED} "
        f"FROM ({source})) WHERE {_MATCHED}"
    )


def _list(columns: Sequence[str] | Mapping[str, None]) -> str:
    return ", ".join(map(identifier, columns))
