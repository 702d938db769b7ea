"""A receiver of deliveries: it applies the files it finds and tells whom it believes active.

What was delivered under one pattern to one folder is one receiver, whatever the configuration
calls the delivery.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from responsys_assets_tests.change.reading import KEY

CHANGE = "CHANGE_"
_KINDS = ("remove", "add", "update")  # the order in which a plan sends them
_WORDS = {"{change}": "(?P<kind>add|update|remove)", "{seq}": r"(?P<seq>\d+)"}
Person = Mapping[str, str]


@dataclass
class Receiver:
    """The reader of all files of a pattern in a folder; `full`: each file is everybody."""

    folder: Path
    pattern: str
    full: bool
    active: dict[str, Person] = field(default_factory=dict)
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)

    def look(self) -> list[Person]:
        """Apply what is new; returns those that a new file makes or keeps active."""
        named: list[Person] = []
        for path, kind in self._new():
            rows = [*csv.DictReader(io.StringIO(path.read_text()))]
            if self.full:
                self.active = {}
            for row in rows:
                change = kind or row.pop(CHANGE, "add")
                if change == "remove":
                    self.active.pop(row[KEY], None)
                else:
                    self.active[row[KEY]] = row
                    named.append(row)
        return named

    def _new(self) -> Iterator[tuple[Path, str]]:
        """Files not seen before, or changed, as they were sent; with the kind of their rows."""
        words = r"\{change\}|\{seq\}|\{[^}]+\}"
        parts = re.findall(rf"{words}|[^{{]+", self.pattern)
        regex = re.compile(
            "".join(_WORDS.get(p, r"\d+" if p[0] == "{" else re.escape(p)) for p in parts)
        )
        found = []
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            match = regex.fullmatch(path.name)
            shown = (path.stat().st_mtime_ns, path.stat().st_size)
            if match is None or path.is_dir() or self._seen.get(path.name) == shown:
                continue
            self._seen[path.name] = shown
            groups = match.groupdict()
            kind = groups.get("kind", "")
            number = int(groups.get("seq", 0))
            # names without a number have their moment in them
            rank = _KINDS.index(kind) if kind else 0
            found.append(
                ((number, path.name.replace(kind, "", 1) if kind else path.name, rank), path, kind)
            )
        for _, path, kind in sorted(found, key=lambda each: each[0]):
            yield path, kind
