"""Files that no list takes, with a pattern that would; for `doctor`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from responsys_assets.config.models import ProfileList, ReadyFile
from responsys_assets.config.patterns import FilePattern
from responsys_assets.exported.arrival import match, ready_names, ready_patterns
from responsys_assets.lake.receipts import RemoteFile

_DATES = (  # the order of trust: a year first cannot be taken for anything else
    ("YYYY{s}MM{t}DD", r"(?<!\d)(\d{4})([-_.]?)(\d\d)([-_.]?)(\d\d)", (0, 2, 4)),
    ("MM{s}DD{t}YYYY", r"(?<!\d)(\d\d)([-_.]?)(\d\d)([-_.]?)(\d{4})", (4, 0, 2)),
    ("DD{s}MM{t}YYYY", r"(?<!\d)(\d\d)([-_.]?)(\d\d)([-_.]?)(\d{4})", (4, 2, 0)),
)
_TIME = re.compile(r"([-_.T]?)(\d\d)(?:([-_.]?)(\d\d)(?:([-_.]?)(\d\d))?)?(?!\d)")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_YEARS = range(1970, 2101)


@dataclass(frozen=True)
class Unmatched:
    """A file that no list takes.

    `name` is safe to print; `pattern` would match it (None for names no pattern can match).
    """

    name: str
    kind: Literal["unknown", "ready_without_data"]
    pattern: str | None = None


def unmatched(lists: Mapping[str, ProfileList], listing: Sequence[RemoteFile]) -> list[Unmatched]:
    """The files of a folder that are neither data nor ready files of the lists reading it."""
    names = {file.name for file in listing}
    data = {name for name in names if any(match(source, name) for source in lists.values())}
    ready = [s.ready.suffix for s in lists.values() if isinstance(s.ready, ReadyFile)]
    orphans = [
        pattern
        for source in lists.values()
        if isinstance(source.ready, ReadyFile)
        for _, data_pattern in source.patterns()
        for pattern in ready_patterns(data_pattern, source.ready.suffix)
    ]
    # a ready file is told with its data file, also one of a data file that no list takes
    suffixes = {*ready, ReadyFile().suffix}
    told = {
        each
        for name in names
        for suffix in suffixes
        for each in ready_names(name, suffix)
        if each != name
    }
    found = []
    for name in sorted(names - data - told):
        if any(pattern.match(name) for pattern in orphans):
            found.append(Unmatched(printable(name), "ready_without_data"))
        else:
            found.append(Unmatched(printable(name), "unknown", suggest_pattern(name)))
    return found


def printable(name: str) -> str:
    """A name without control characters and mail addresses, safe on a terminal and in a log."""
    name = _ADDRESS.sub("(address)", name)
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in name)


def suggest_pattern(name: str) -> str | None:
    """A `files` pattern that matches this name and those of other days; none that would have to
    show what `printable` hides."""
    if printable(name) != name:
        return None
    for text in (_with_stamp(name), name):
        try:
            if text is not None and FilePattern(text).match(name) is not None:
                return text
        except ValueError:
            continue
    return None


def _with_stamp(name: str) -> str | None:
    for form, regex, order in _DATES:
        for found in re.finditer(regex, name):
            year, month, day = (int(found.groups()[place]) for place in order)
            if year not in _YEARS or not _is_date(year, month, day):
                continue
            stamp = form.format(s=found[2], t=found[4])
            before, after = name[: found.start()], name[found.end() :]
            time = _TIME.match(after)
            if time is None:
                return None if after[:1].isdigit() else f"{before}{{{stamp}}}{after}"
            return f"{before}{{{stamp}}}{_time(time)}{after[time.end() :]}"
    return None


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        dt.date(year, month, day)
    except ValueError:
        return False
    return True


def _time(found: re.Match[str]) -> str:
    lead, hour, gap, minute, other, second = found.groups()
    if int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 59:
        return found[0]
    parts = "HH" + (f"{gap}MI" if minute else "") + (f"{other}SS" if second else "")
    return f"{lead}{{{parts}}}"
