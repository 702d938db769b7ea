"""How often something was tried: asked of the run records, never of a cursor."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import dagster as dg

from responsys_assets.orchestration.tags import WANT

MOST = 3
# how long after its first and second failure something is tried again
_PATIENCE = (dt.timedelta(minutes=2), dt.timedelta(minutes=15))

IN_PROGRESS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
    dg.DagsterRunStatus.MANAGED,
]


@dataclass(frozen=True)
class Attempt:
    """Whether to try now (`number` from 1), and if not, why; `stuck`: not without a person."""

    number: int | None
    said: str = ""
    stuck: bool = False


def next_attempt(instance: dg.DagsterInstance, want: str, what: str, now: dt.datetime) -> Attempt:
    """The next attempt at a want, by the runs that carry its digest as a tag."""
    records = instance.get_run_records(dg.RunsFilter(tags={WANT: want}))
    if any(record.dagster_run.status in IN_PROGRESS for record in records):
        return Attempt(None, f"{what} is being worked on")
    number = len(records) + 1
    if number > MOST:
        return Attempt(
            None,
            f"{what} failed {MOST} times and is not tried again by itself: see the last run, mend "
            "the cause, then materialise it by hand",
            stuck=True,
        )
    if records:
        ended = max(record.end_time or record.update_timestamp.timestamp() for record in records)
        again = dt.datetime.fromtimestamp(ended, dt.UTC) + _PATIENCE[len(records) - 1]
        if now < again:
            return Attempt(None, f"{what} failed; it is tried again at {again:%H:%M:%S} UTC")
    return Attempt(number)


def in_progress(instance: dg.DagsterInstance, tag: str, value: str) -> bool:
    """Whether a run with this tag is queued or running."""
    return bool(
        instance.get_run_records(dg.RunsFilter(tags={tag: value}, statuses=IN_PROGRESS), limit=1)
    )
