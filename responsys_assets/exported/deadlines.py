"""Lists that are late: known from the configuration, the receipts and the clock alone.

A deadline is a moment in account time; by then an export of that moment's day must be accepted.
One that is held, failed or fetched and not staged has not come.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from responsys_assets.config.project import Project
from responsys_assets.errors import ServerError
from responsys_assets.exported.poll import look, poll
from responsys_assets.exported.unmatched import unmatched
from responsys_assets.lake.days import Day
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake

_MOST_CLUES = 3


@dataclass(frozen=True)
class Late:
    """A list whose export of `day` was not accepted by `deadline` (account time)."""

    list_name: str
    day: dt.date
    deadline: dt.datetime
    why: str

    def __str__(self) -> str:
        return (
            f"{self.list_name} is late since {self.deadline:%Y-%m-%d %H:%M} "
            f"({self.deadline.tzinfo}): {self.why}"
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "day": self.day.isoformat(),
            "deadline": self.deadline.isoformat(),
            "why": self.why,
        }


def late_lists(project: Project, lake: Lake) -> list[Late]:
    """All lists that are late now; raises LakeError for a damaged receipt."""
    found = (
        late(project, name, read_exports(lake, name))
        for name, source in project.config.lists.items()
        if source.deadline
    )
    return [each for each in found if each]


def late(
    project: Project, list_name: str, exports: Sequence[Export], now: dt.datetime | None = None
) -> Late | None:
    """How a list stood at its last deadline, by the exports there are; None: on time.

    After a restart or a quiet weekend the last deadline counts, not those before it.
    """
    source = project.list_config(list_name)
    if source.deadline is None:
        return None
    deadline = last_deadline(source.deadline, now or project.now(), project.zone)
    if deadline is None or (source.since and deadline.date() < source.since):
        return None
    day = Day.of(list_name, deadline.date(), exports)
    newer = any(e.accepted and e.kind == "full" and e.day > day.day for e in exports)
    if day.accepted or newer:
        return None
    unstaged = f"{day.exports[-1].file} is fetched and not staged" if day.exports else ""
    why = day.refusal or day.absence or unstaged
    return Late(list_name, day.day, deadline, why)


def last_deadline(cron: str, now: dt.datetime, zone: ZoneInfo) -> dt.datetime | None:
    """The latest moment not after `now` at which a cron expression of the zone strikes.

    A time of day that daylight saving skips strikes when the clock has jumped over it, one that
    it repeats strikes once. None: never within the last years.
    """
    # a step back never stays where it is
    just_after = (now.replace(microsecond=0) + dt.timedelta(seconds=1)).astimezone(zone)
    try:
        return next(CronSim(cron, just_after, reverse=True))
    except (StopIteration, CronSimError):
        return None


def clues(project: Project, lake: Lake, found: Late) -> list[str]:
    """What the server shows of the export that has not come; asks the server."""
    name = found.list_name
    server = project.list_config(name).server
    try:
        decisions = poll(project, lake, [name]).decisions
    except ServerError as error:
        return [str(error)]
    waiting = [
        f"{each.data.name} waits: {each.detail}"
        for each in decisions
        if each.action == "wait" and each.day >= found.day
    ]
    orphans = [
        f"{file.name} is a ready file whose data file is not there"
        for view in look(project, server)[0]
        if name in view.lists
        for file in unmatched({name: view.lists[name]}, view.listing)
        if file.kind == "ready_without_data"
    ]
    return [*waiting[-_MOST_CLUES:], *orphans[-_MOST_CLUES:]]
