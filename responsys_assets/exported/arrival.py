"""Which files of a folder are exports to be taken now: one pure decision, and its words.

An export is a data file whose whole name matches a list's pattern. What was done before is
known from arrival receipts (name, size and mtime of data and ready file), never from a
watermark, so late, back-dated and equal times are all the same to it.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from responsys_assets.config.models import ProfileList, ReadyFile
from responsys_assets.config.patterns import FilePattern
from responsys_assets.lake.receipts import Arrival, Kind, RemoteFile

Action = Literal["take", "known", "wait", "ignore"]

_STEM_ENDINGS = (".gpg", ".pgp", ".asc", ".zip", ".gz", ".csv", ".txt")
_Judgement = tuple[Action, str | None, str | None]  # action, reason, detail

_AHEAD = dt.timedelta(days=1)
_FIRST_YEAR = 1970


@dataclass(frozen=True)
class Decision:
    """What to do with one data file of one list.

    take: fetch it (staging holds it if its ready file is ambiguous or unreadable);
    known: it was taken before; wait: not yet, `reason` says why; ignore: never.
    `ready_text` is None until the ready file was read, and if it cannot be.
    """

    list: str
    server: str
    folder: str
    data: RemoteFile
    kind: Kind
    stamp: dt.datetime  # with the account's offset
    action: Action
    reason: str | None = None
    detail: str | None = None
    ready: RemoteFile | None = None
    ready_text: str | None = None
    ambiguous_ready: bool = False

    @property
    def day(self) -> dt.date:
        """The partition: the day of the stamp in account time."""
        return self.stamp.date()


@dataclass(frozen=True)
class _Candidate:
    """A data file of a list with what its name says and the ready file it would use."""

    list_name: str
    source: ProfileList
    data: RemoteFile
    kind: Kind
    stamp: dt.datetime
    ready: RemoteFile | None


def decide(
    lists: Mapping[str, ProfileList],
    listing: Sequence[RemoteFile],
    known: Mapping[str, Collection[Arrival]],
    now: dt.datetime,
    zone: ZoneInfo,
) -> list[Decision]:
    """Decide on every data file of one folder of one server.

    Args:
        lists: all lists that read this folder, by name: a ready file that two data files would
            use is ambiguous, whichever lists they belong to.
        listing: the regular files of the folder.
        known: the arrivals of each list, from the lake.
        now: the time, aware.
        zone: the account's, for stamps in names.

    Returns:
        Decisions by list, then stamp, mtime and name. `ready_text` is not filled in.
    """
    by_name = {file.name: file for file in listing}
    candidates = [
        candidate
        for name, source in lists.items()
        for candidate in _candidates(name, source, by_name, zone)
    ]
    claims: dict[str, set[str]] = defaultdict(set)
    for candidate in candidates:
        if candidate.ready is not None:
            claims[candidate.ready.name].add(candidate.data.name)
    return [
        _decision(
            candidate,
            known.get(candidate.list_name, ()),
            now,
            ambiguous=candidate.ready is not None and len(claims[candidate.ready.name]) > 1,
        )
        for candidate in candidates
    ]


def ready_names(file: str, suffix: str) -> list[str]:
    """The names a ready file of `file` may have; the first that exists is meant.

    Connect's documentation does not say which it writes for encrypted files, and all three
    are seen in the field.
    """
    stem = file
    while ending := next((e for e in _STEM_ENDINGS if stem.lower().endswith(e)), None):
        stem = stem[: -len(ending)]
    short = file.rpartition(".")[0] or file
    names = dict.fromkeys(name for name in (file, short, stem) if name)
    return [f"{name}{suffix}" for name in names]


def match(source: ProfileList, name: str) -> tuple[Kind, dt.datetime | None] | None:
    """Kind and local stamp of a data file of this list; None if the name is not one of its."""
    for kind, pattern in source.patterns():
        found = pattern.match(name)
        if found is not None:
            return kind, found.stamp
    return None


def _candidates(
    list_name: str, source: ProfileList, by_name: Mapping[str, RemoteFile], zone: ZoneInfo
) -> Iterator[_Candidate]:
    found = []
    for data in by_name.values():
        matched = match(source, data.name)
        if matched is None:
            continue
        kind, local = matched
        ready = None
        if isinstance(source.ready, ReadyFile):
            names = ready_names(data.name, source.ready.suffix)
            ready = next((by_name[n] for n in names if n in by_name and n != data.name), None)
        stamp = _stamp(local, data, zone)
        found.append(_Candidate(list_name, source, data, kind, stamp, ready))
    # naive local times compare without overflow at the ends of the calendar
    yield from sorted(
        found, key=lambda c: (c.stamp.replace(tzinfo=None), c.data.mtime, c.data.name)
    )


def _stamp(local: dt.datetime | None, data: RemoteFile, zone: ZoneInfo) -> dt.datetime:
    """The stamp with the account's offset then; of a time that occurs twice, the first."""
    stamp = dt.datetime.fromtimestamp(data.mtime, zone) if local is None else local
    offset = (stamp if local is None else stamp.replace(tzinfo=zone, fold=0)).utcoffset()
    # offsets before standard time have seconds, which JSON cannot say
    minutes = (offset or dt.timedelta()) // dt.timedelta(minutes=1)
    return stamp.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)), fold=0)


def _decision(
    candidate: _Candidate, arrivals: Collection[Arrival], now: dt.datetime, *, ambiguous: bool
) -> Decision:
    action, reason, detail = _judge(candidate, arrivals, now, ambiguous=ambiguous)
    return Decision(
        list=candidate.list_name,
        server=candidate.source.server,
        folder=candidate.source.folder,
        data=candidate.data,
        kind=candidate.kind,
        stamp=candidate.stamp,
        action=action,
        reason=reason,
        detail=detail,
        ready=candidate.ready,
        ambiguous_ready=ambiguous,
    )


def _judge(
    candidate: _Candidate, arrivals: Collection[Arrival], now: dt.datetime, *, ambiguous: bool
) -> _Judgement:
    if _is_known(candidate, arrivals, ambiguous=ambiguous):
        return "known", None, None
    return _judge_stamp(candidate, now) or _judge_ready(candidate, now) or ("take", None, None)


def _judge_stamp(candidate: _Candidate, now: dt.datetime) -> _Judgement | None:
    """Why the stamp keeps an export from being taken."""
    since, stamp = candidate.source.since, candidate.stamp
    if since is not None and stamp.date() < since:
        return "ignore", "before_since", f"its stamp is before {since}"
    if stamp.year < _FIRST_YEAR:
        what = f"its stamp is of the year {stamp.year}; give it its right name"
        return "wait", "stamp_out_of_range", what
    # as naive times of one offset: year 9999 has no room for a conversion
    here = now.astimezone(stamp.tzinfo).replace(tzinfo=None)
    if stamp.replace(tzinfo=None) - here > _AHEAD:
        what = f"its stamp {stamp:%Y-%m-%d %H:%M} is more than a day ahead; it is taken then"
        return "wait", "stamp_in_future", what
    return None


def _judge_ready(candidate: _Candidate, now: dt.datetime) -> _Judgement | None:
    """Why an export is not ready yet."""
    source, data = candidate.source, candidate.data
    if isinstance(source.ready, ReadyFile):
        if candidate.ready is not None:
            return None
        names = " or ".join(ready_names(data.name, source.ready.suffix))
        return "wait", "no_ready_file", f"its ready file is not there yet: {names}"
    settle = (source.settle or dt.timedelta()).total_seconds()
    if now.timestamp() - data.mtime < settle:
        return "wait", "settling", f"it is taken when unchanged for {settle:g} s"
    return None


def _is_known(candidate: _Candidate, arrivals: Collection[Arrival], *, ambiguous: bool) -> bool:
    """Whether these very files were taken before.

    A ready file that is removed after its export was taken makes nothing new, and one that has
    stopped being ambiguous does.
    """
    for arrival in arrivals:
        if arrival.data != candidate.data:
            continue
        if candidate.ready is None:
            return True
        if arrival.ready == candidate.ready and (ambiguous or not arrival.ambiguous_ready):
            return True
    return False


def ready_patterns(pattern: FilePattern, suffix: str) -> list[FilePattern]:
    """The patterns of the ready files of a data file pattern."""
    found = []
    for name in ready_names(pattern.text, suffix):
        try:
            found.append(FilePattern(name))
        except ValueError:  # cut inside a stamp such as {YYYY.MM.DD}
            continue
    return found
