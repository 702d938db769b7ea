"""Which files of a folder are exports to be taken now: one pure decision, and its words.

An export is a data file whose whole name matches a list's pattern. What was done before is
known from arrival receipts (name, size and mtime of data and ready file), never from a
watermark, so late, back-dated and equal times are all the same to it. Ready files for which an
export is held are read again, so that one that is mended unseen, with its size and mtime of
before, is not lost. Without ready files, a file is whole once our own clock has seen it unchanged
for `settle`: the clock of a server may be hours wrong, so its mtime says nothing about age.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

from responsys_assets.config.models import ProfileList, ReadyFile
from responsys_assets.config.patterns import FilePattern
from responsys_assets.lake.receipts import Arrival, Kind, RemoteFile

Action = Literal["take", "known", "wait", "ignore"]

_STEM_ENDINGS = (".gpg", ".pgp", ".asc", ".zip", ".gz", ".csv", ".txt")
Said = Mapping[RemoteFile, str | None]
Looks = Mapping[RemoteFile, dt.datetime]  # when a look first saw a file as it is, by our clock
_Judgement = tuple[Action, str, str]  # action, reason, detail

_AHEAD = dt.timedelta(days=1)  # a stamp may be of another zone, or of the day to come
_FIRST_YEAR = 1970


@dataclass(frozen=True)
class Decision:
    """What to do with one data file of one list.

    take: fetch it (staging holds it if its ready file is ambiguous or unreadable);
    known: it was taken before; wait: not yet, `reason` says why; ignore: never.
    `said` is what the ready file says now, if it was read again. `first_seen` is the look from
    which a file without ready file has to settle; None: there is nothing to remember.
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
    said: str | None = None
    ambiguous_ready: bool = False
    first_seen: dt.datetime | None = None

    @property
    def day(self) -> dt.date:
        """The partition: the day of the stamp in account time."""
        return self.stamp.date()


@dataclass(frozen=True)
class Shown:
    """What a server shows of one folder.

    `files` are regular; `others` are not, and are never taken; `said` is what those ready files
    say that were read again (None: nothing that is text).
    """

    files: Sequence[RemoteFile]
    others: Sequence[RemoteFile] = ()
    said: Said = field(default_factory=dict)


@dataclass(frozen=True)
class _Candidate:
    """A data file of a list with what its name says and the ready file it would use."""

    list_name: str
    source: ProfileList
    data: RemoteFile
    kind: Kind
    stamp: dt.datetime
    ready: RemoteFile | None
    regular: bool


def decide(
    lists: Mapping[str, ProfileList],
    shown: Shown,
    known: Mapping[str, Collection[Arrival]],
    now: dt.datetime,
    zone: ZoneInfo,
    looks: Mapping[str, Looks] = MappingProxyType({}),
) -> list[Decision]:
    """Decide on every data file of one folder of one server.

    Args:
        lists: all lists that read this folder, by name: a ready file that two data files would
            use is ambiguous, whichever lists they belong to.
        shown: the folder as it is.
        known: the arrivals of each list, from the lake.
        now: the time, aware.
        zone: the account's, for stamps in names.
        looks: what earlier looks saw of each list's files that still have to settle.

    Returns:
        Decisions by list, then stamp, mtime and name.
    """
    by_name = {file.name: file for file in shown.files}
    strange = {file.name: file for file in shown.others}
    candidates = [
        candidate
        for name, source in lists.items()
        for candidate in (
            *_candidates(name, source, by_name, zone),
            *_candidates(name, source, strange, zone, regular=False),
        )
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
            shown.said,
            looks.get(candidate.list_name, {}),
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


def in_order(
    source: ProfileList, listing: Iterable[RemoteFile], zone: ZoneInfo
) -> list[tuple[dt.datetime, RemoteFile]]:
    """The data files of a list with their stamps, the newest last."""
    files = {file.name: file for file in listing}
    return [(each.stamp, each.data) for each in _candidates("", source, files, zone)]


def _candidates(
    list_name: str,
    source: ProfileList,
    by_name: Mapping[str, RemoteFile],
    zone: ZoneInfo,
    *,
    regular: bool = True,
) -> Iterator[_Candidate]:
    found = []
    for data in by_name.values():
        matched = match(source, data.name)
        if matched is None:
            continue
        kind, local = matched
        ready = None
        if regular and isinstance(source.ready, ReadyFile):
            names = ready_names(data.name, source.ready.suffix)
            ready = next((by_name[n] for n in names if n in by_name and n != data.name), None)
        stamp = _stamp(local, data, zone)
        found.append(_Candidate(list_name, source, data, kind, stamp, ready, regular))
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
    candidate: _Candidate,
    arrivals: Collection[Arrival],
    now: dt.datetime,
    said: Said,
    looks: Looks,
    *,
    ambiguous: bool,
) -> Decision:
    decision = Decision(
        list=candidate.list_name,
        server=candidate.source.server,
        folder=candidate.source.folder,
        data=candidate.data,
        kind=candidate.kind,
        stamp=candidate.stamp,
        action="take",
        ready=candidate.ready,
        said=said.get(candidate.ready) if candidate.ready else None,
        ambiguous_ready=ambiguous,
    )
    if candidate.regular and any(_is_known(decision, arrival, said) for arrival in arrivals):
        return replace(decision, action="known")
    seen = _first_seen(candidate, looks, now)
    reasons = _judge_stamp(candidate, now) or _judge_ready(candidate, seen, now)
    if reasons is None:
        return replace(decision, first_seen=looks.get(candidate.data))
    action, reason, detail = reasons
    settles = candidate.regular and candidate.source.ready == "none" and action == "wait"
    since = seen if settles else None
    return replace(decision, action=action, reason=reason, detail=detail, first_seen=since)


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


def _judge_ready(
    candidate: _Candidate, first_seen: dt.datetime, now: dt.datetime
) -> _Judgement | None:
    """Why an export is not ready yet."""
    source, data = candidate.source, candidate.data
    if not candidate.regular:
        return "wait", "not_a_file", "it is a link, a pipe or a folder; only files are read"
    if isinstance(source.ready, ReadyFile):
        if candidate.ready is not None:
            return None
        names = " or ".join(ready_names(data.name, source.ready.suffix))
        return "wait", "no_ready_file", f"its ready file is not there yet: {names}"
    settle = source.settle or dt.timedelta()
    if now - first_seen >= settle:
        return None
    since = f"{first_seen.astimezone(candidate.stamp.tzinfo):%Y-%m-%d %H:%M:%S}"
    what = (
        f"it is as it was first seen at {since}; "
        f"it is taken once it is unchanged for {settle.total_seconds():g} s"
    )
    return "wait", "settling", what


def _first_seen(candidate: _Candidate, looks: Looks, now: dt.datetime) -> dt.datetime:
    """When our own clock first saw this very file; now, if that clock was set back since."""
    return min(looks.get(candidate.data, now), now)


def _is_known(decision: Decision, arrival: Arrival, said: Said) -> bool:
    """Whether these very files arrived before.

    A ready file that is removed after its export was taken makes nothing new. One that has
    stopped being ambiguous, or says something else by now, does. A receipt of an earlier version
    may say that the file was taken before it had settled.
    """
    if arrival.data != decision.data or arrival.unsettled:
        return False
    ready = decision.ready
    return ready is None or (
        arrival.ready == ready
        and arrival.ready_text == said.get(ready, arrival.ready_text)
        and (decision.ambiguous_ready or not arrival.ambiguous_ready)
    )


def ready_patterns(pattern: FilePattern, suffix: str) -> list[FilePattern]:
    """The patterns of the ready files of a data file pattern."""
    found = []
    for name in ready_names(pattern.text, suffix):
        try:
            found.append(FilePattern(name))
        except ValueError:  # cut inside a stamp such as {YYYY.MM.DD}
            continue
    return found
