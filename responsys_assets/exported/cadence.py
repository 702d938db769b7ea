"""How often the exports of a list come, learnt from those that were accepted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from responsys_assets.lake.exports import Export

_FEWEST_STAMPS = 4
_PAUSES = 10
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Cadence:
    """The newest accepted export, the longest of the last pauses, and the end of patience."""

    newest: Export
    pause: dt.timedelta
    due: dt.datetime

    @property
    def pause_in_words(self) -> str:
        hours = self.pause / dt.timedelta(hours=1)
        if hours > 48:
            return f"{hours / 24:.1f} days".replace(".0 ", " ")
        return f"{hours:.0f} h" if hours >= 2 else f"{hours * 60:.0f} min"


def cadence(exports: Iterable[Export]) -> Cadence | None:
    """The cadence of the accepted ones of these exports; None: fewer than four stamps.

    The next export is due within twice the longest of the last ten pauses between stamps, so a
    feed of working days may rest over a weekend; and not within a day, so a morning of trials
    teaches nothing. An export may be here long after its stamp: the quickest of the last ones
    says how long that takes, and up to half a pause of it is added.
    """
    by_stamp: dict[dt.datetime, Export] = {}
    for export in exports:
        if export.accepted:
            by_stamp[export.stamp] = export
    stamps = sorted(by_stamp)[-_PAUSES - 1 :]
    if len(stamps) < _FEWEST_STAMPS:
        return None
    pause = max(later - earlier for earlier, later in pairwise(stamps))
    on_its_way = min(_on_its_way(by_stamp[stamp]) for stamp in stamps)
    patience = max(2 * pause + min(on_its_way, pause / 2), _DAY)
    return Cadence(by_stamp[stamps[-1]], pause, stamps[-1].astimezone(dt.UTC) + patience)


def _on_its_way(export: Export) -> dt.timedelta:
    """From its stamp to its first arrival here."""
    here = min(arrival.fetched_at for arrival in export.arrivals)
    return max(here - export.stamp, dt.timedelta())
