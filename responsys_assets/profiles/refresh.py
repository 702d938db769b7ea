"""The profiles asset: merged anew when an accepted export or a rule has changed.

profiles/<snapshot>/part-<n>.parquet           one row a key, sorted by key through all parts
profiles/<snapshot>/closed/<channel>.parquet   addresses that a standing opt-out closes
profiles/<snapshot>/opted_out/part-<n>.parquet people who opted out and have no profile
profiles/<snapshot>/permission/...             see carried.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from responsys_assets.config.project import Project
from responsys_assets.consent.refresh import known_exports
from responsys_assets.consent.refresh import refresh as refresh_ledger
from responsys_assets.errors import LakeError
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot, SnapshotStore, digest
from responsys_assets.profiles.carried import COVERED, covered
from responsys_assets.profiles.merge import NAME, VERSION, Merged, merge
from responsys_assets.profiles.plan import (
    Accepted,
    MergePlan,
    inputs_of,
    make_plan,
    nothing_to_merge,
    read_accepted,
)
from responsys_assets.progress import Progress

CODE = 4
"""Rises when the same exports and rules would make other profiles than before."""


@dataclass(frozen=True)
class Refreshed:
    """The current snapshot (None if no list has an accepted export yet), and whether it is `new`.

    `waits`: why it is not made of what is accepted now, which is nothing that could be merged.
    """

    snapshot: Snapshot | None
    new: bool = False
    waits: str | None = None


def refresh(project: Project, lake: Lake, progress: Progress) -> tuple[Snapshot | None, bool]:
    """The same as `refreshed`, for those who ask nothing but whether the snapshot is new."""
    result = refreshed(project, lake, progress)
    return result.snapshot, result.new


def refreshed(project: Project, lake: Lake, progress: Progress) -> Refreshed:
    """Merge the accepted exports of all lists, unless nothing that decides it has changed.

    The manifest also holds `columns` (name, type), `sources` (for each column the lists
    that contribute), `lists` (live keys of each), `unknown_permissions` (by list), `ledger` (see
    carried.py) and `engine`.

    Raises:
        ConfigError: if the rules do not fit the columns that the exports have.
        LakeError: if memory, disk or a staged file fails.
    """
    store = SnapshotStore(lake.profiles())
    with lake.writing(progress.say):
        current = store.current()
        exports = known_exports(lake)
        refresh_ledger(project, lake, exports, progress)
        made_of = read_accepted(project, lake, exports)
        if nothing_to_merge(project, made_of.lists):
            return Refreshed(current, waits=_why_nothing(project) if current else None)
        inputs = _inputs(project, made_of)
        if current is not None and current.inputs_digest == digest(inputs):
            return Refreshed(current)
        plan = make_plan(project, made_of)
        with lake.workspace() as workspace, progress.step("profiles", None, "rows") as advance:
            folder = workspace.folder("profiles")
            merged = merge(plan, folder, current, advance=advance)
            snapshot = store.publish(
                workspace,
                folder,
                inputs=inputs,
                rows=merged.rows,
                now=project.now(),
                extra=_description(plan, merged),
            )
        for name, count in _odd_permissions(plan).items():
            if count:
                progress.say(
                    f"list {name}: {count} permission values are neither I nor O; "
                    "they count as opt-outs"
                )
        return Refreshed(snapshot, new=True)


def profile_inputs(project: Project, lake: Lake) -> dict[str, Any] | None:
    """Everything that would decide the content of profiles now; None with nothing to merge."""
    made_of = read_accepted(project, lake, known_exports(lake))
    return None if nothing_to_merge(project, made_of.lists) else _inputs(project, made_of)


def up_to_date(project: Project, lake: Lake, progress: Progress) -> Snapshot:
    """The profiles made of everything that counts now: whatever is sent starts here.

    Raises:
        LakeError: `no_profiles` if no export was accepted yet, `profiles_wait` if no profiles can
            be made of what is accepted now.
        ConfigError: if the rules do not fit the columns that the exports have.
    """
    result = refreshed(project, lake, progress)
    if result.snapshot is None:
        raise LakeError(
            "no_profiles", "there are no profiles yet: no export was staged; see `responsys status`"
        )
    if result.waits:
        raise LakeError("profiles_wait", result.waits)
    return result.snapshot


def _why_nothing(project: Project) -> str:
    primary = project.config.profiles.primary
    which = f"the primary list {primary} has" if primary else "the lists have"
    return (
        f"{which} no accepted export, so the profiles stay as they are and nothing is selected or "
        "sent from them; accept an export or have one sent"
    )


def _inputs(project: Project, made_of: Accepted) -> dict[str, Any]:
    return inputs_of(project, made_of) | {
        "engine": {"name": NAME, "version": VERSION},
        "code": CODE,
    }


def _description(plan: MergePlan, merged: Merged) -> dict[str, Any]:
    names = [source.name for source in plan.lists]
    return {
        "columns": [list(column) for column in plan.schema],
        "sources": {
            **dict.fromkeys(plan.match_columns, names),
            **{column.name: [names[n] for n in column.lists] for column in plan.columns},
        },
        "lists": {name: {"rows": rows} for name, rows in merged.live.items()},
        "unknown_permissions": _odd_permissions(plan),
        COVERED: covered(
            plan.ledger, {s.name: s for s in plan.lists}, plan.match_columns, plan.country
        ),
        "engine": {"name": NAME, "version": VERSION},
    }


def _odd_permissions(plan: MergePlan) -> dict[str, int]:
    """By list, the permission values that are not understood and so count as opt-outs."""
    return {
        source.name: sum(one.outcome.odd_permissions for one in source.sources)
        for source in plan.lists
        if plan.channels_of(source.name)
    }
