"""A lake whose profiles are written straight as a snapshot, without exports."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from responsys_assets.config.project import Project
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot, SnapshotStore, digest
from responsys_assets.segments.refresh import refresh
from responsys_assets.system_columns import CHANNELS

START = dt.datetime(2026, 11, 1, 10, 0, tzinfo=dt.UTC)

PERSON: dict[str, Any] = {
    "CUSTOMER_ID_": "",
    "EMAIL_ADDRESS_": "",
    "CITY_": "Rome",
    "POINTS": 1,
    "SCORE": 0.5,
    "MEMBER": True,
    "BORN": dt.date(1990, 1, 2),
    "SEEN": START,
    "EMAIL_PERMISSION_STATUS_": "I",
    "EMAIL_DELIVERABILITY_STATUS_": "D",
    "UPDATED_AT_": START,
    "LISTS_": "core",
}
_INSTANT = pl.Datetime("us", "UTC")
TYPES: dict[str, Any] = {"POINTS": pl.Int64, "SCORE": pl.Float64, "MEMBER": pl.Boolean}
TYPES |= {"BORN": pl.Date, "SEEN": _INSTANT, "UPDATED_AT_": _INSTANT}


def person(key: str, **values: Any) -> dict[str, Any]:
    """A profile that every e-mail segment may hold, but for `values`."""
    return {**PERSON, "CUSTOMER_ID_": key, "EMAIL_ADDRESS_": f"{key}@example.com", **values}


def at(project: Project, moment: dt.datetime) -> Project:
    """The project with another clock."""
    return replace(project, now=lambda: moment)


def ticking(project: Project) -> Project:
    """The project with a clock of its own: a minute later each time it is read."""
    minutes = iter(range(10_000))
    tick: Callable[[], dt.datetime] = lambda: START + dt.timedelta(minutes=next(minutes))  # noqa: E731
    return replace(project, now=tick)


def put_profiles(
    project: Project,
    people: Sequence[Mapping[str, Any]],
    closed: Mapping[str, Sequence[str]] | None = None,
    parts: int = 1,
) -> Snapshot:
    """Make these the current profiles, in `parts` files each sorted by key."""
    lake = Lake(project.lake_path)
    match_on = project.config.profiles.match_columns
    rows = sorted(people, key=lambda row: tuple(str(row[name]) for name in match_on))
    columns = list(rows[0]) if rows else list(PERSON)
    schema = {name: TYPES.get(name, pl.String) for name in columns}
    frame = pl.DataFrame([[row[name] for name in columns] for row in rows], schema, orient="row")
    with lake.writing(), lake.workspace() as work:
        folder = work.folder("profiles")
        for part in range(parts):
            frame.gather_every(parts, part).write_parquet(folder / f"part-{part}.parquet")
        for name, channel in CHANNELS.items():
            if channel.permission in columns:
                addresses = pl.Series("address", list((closed or {}).get(name, ())), pl.String)
                path = work.folder("profiles/closed") / f"{name}.parquet"
                addresses.to_frame().write_parquet(path)
        inputs = {"content": digest(repr((rows, closed))), "parts": parts}
        store = SnapshotStore(lake.profiles())
        now = project.now()
        return store.publish(work, folder, inputs=inputs, rows=frame.height, now=now)


def segment_of(project: Project, name: str = "all") -> pl.DataFrame:
    """The rows of a segment, refreshed."""
    snapshot, _ = refresh(project, Lake(project.lake_path), name)
    return pl.read_parquet(snapshot.path / "part-0.parquet")


def keys_of(project: Project, name: str = "all") -> list[str]:
    """The customers of a segment, refreshed."""
    return segment_of(project, name)["CUSTOMER_ID_"].to_list()
