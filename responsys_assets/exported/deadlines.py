"""Lists that are late: known from the configuration, the receipts and the clock alone.

A deadline is a moment in account time; by then an export of that moment's day must be accepted.
One that is held, failed or fetched and not staged has not come. Without a deadline, a list is
late when it stops coming as often as it did (see `cadence`); `deadline: none` is never late.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from responsys_assets.config.project import Project
from responsys_assets.exported.cadence import cadence
from responsys_assets.lake.days import Day
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.receipts import Kind


@dataclass(frozen=True)
class Late:
    """A list of which nothing for `day` was accepted by `deadline` (account time)."""

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
    found = (late(project, name, read_exports(lake, name)) for name in project.config.lists)
    return [each for each in found if each]


def late(
    project: Project, list_name: str, exports: Sequence[Export], now: dt.datetime | None = None
) -> Late | None:
    """How a list stands by the exports there are; None: on time.

    After a restart or a quiet weekend the last deadline counts, not those before it.
    """
    source = project.list_config(list_name)
    now = now or project.now()
    if source.deadline == "none":
        return None
    if source.deadline is None:
        kinds = [kind for kind, _ in source.patterns()]
        silent = (_silent(project, list_name, kind, exports, now) for kind in kinds)
        return min((each for each in silent if each), key=lambda e: e.deadline, default=None)
    deadline = last_deadline(source.deadline, now, project.zone)
    if deadline is None or (source.since and deadline.date() < source.since):
        return None
    day = Day.of(list_name, deadline.date(), exports)
    newer = any(e.accepted and e.kind == "full" and e.day > day.day for e in exports)
    if day.accepted or newer:
        return None
    unstaged = f"{day.exports[-1].file} is fetched and not staged" if day.exports else ""
    why = day.refusal or day.absence or unstaged
    return Late(list_name, day.day, deadline, why)


def _silent(
    project: Project, list_name: str, kind: Kind, exports: Sequence[Export], now: dt.datetime
) -> Late | None:
    """A list whose exports of a kind have stopped coming as often as they did."""
    known = cadence(each for each in exports if each.kind == kind)
    if known is None or now < known.due:
        return None
    last = known.newest
    newer = [each for each in exports if each.stamp > last.stamp and not each.withdrawn]
    refusal = Day.of(list_name, newer[-1].day, newer).refusal if newer else None
    why = (
        f"no {kind} export of {list_name} was accepted after {last.file}, and until then they "
        f"came at most {known.pause_in_words} apart"
    )
    first_missing = last.day + dt.timedelta(days=1)
    sentences = [why, refusal] if refusal else [why]
    return Late(list_name, first_missing, known.due.astimezone(project.zone), "; ".join(sentences))


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
