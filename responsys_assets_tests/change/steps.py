"""What can happen to a company's project: concrete steps, each of which may be left out.

A history is a configuration and a list of steps. Nothing in a step is random or depends on
another one, so a history can be printed, replayed and shortened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True)
class Send:
    """A feed puts an export and its ready file on the server; the same name replaces."""

    feed: str
    day: str  # YYYYMMDD
    content: str
    announced: str
    kind: str = "full"
    mtime: float = 0.0
    recipient: str = ""  # the key for which it is encrypted, if it is

    @property
    def file(self) -> str:
        name = f"{self.feed.upper()}{'_INC' * (self.kind != 'full')}_{self.day}.csv"
        return f"{name}.gpg" if self.recipient else name

    @property
    def records(self) -> int:
        return len(self.content.splitlines()) - 1

    def without(self, record: int) -> Send:
        """The same with a record less."""
        lines = self.content.splitlines(keepends=True)
        right = self.announced == str(self.records)
        announced = str(self.records - 1) if right else self.announced
        content = "".join([*lines[: record + 1], *lines[record + 2 :]])
        return replace(self, content=content, announced=announced)

    def __str__(self) -> str:
        lines = "".join(f"\n        {line!r}" for line in self.content.splitlines())
        key = f" for {self.recipient}" * bool(self.recipient)
        return f"send {self.file}{key}, ready {self.announced!r}:{lines}"


@dataclass(frozen=True)
class Edit:
    """A key of the configuration gets a value; None removes it."""

    path: tuple[str, ...]
    value: Any

    def __str__(self) -> str:
        return f"edit {'.'.join(self.path)}: {self.value!r}"


@dataclass(frozen=True)
class Move:
    """An entry of the configuration gets another name, under which it stands last."""

    section: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"rename {self.section}.{self.old} to {self.new}"


@dataclass(frozen=True)
class Reverse:
    """The lists stand in the other order."""

    def __str__(self) -> str:
        return "reverse the order of lists"


@dataclass(frozen=True)
class Decide:
    """A person decides on an export, or (without a file) on a list."""

    list: str
    action: str
    file: str = ""
    flag: str = ""

    def __str__(self) -> str:
        return f"exports {self.list} {self.action} {self.file} {self.flag}".rstrip()


@dataclass(frozen=True)
class Release:
    """A person lets a held delivery go."""

    delivery: str

    def __str__(self) -> str:
        return f"apply {self.delivery} --release"


@dataclass(frozen=True)
class CleanServer:
    """The server no longer has the files of days before this one."""

    day: str

    def __str__(self) -> str:
        return f"the server drops files before {self.day}"


@dataclass(frozen=True)
class BackUp:
    """A copy of the whole lake is made."""

    def __str__(self) -> str:
        return "back up the lake"


@dataclass(frozen=True)
class Restore:
    """A part of the lake is put back as it was at the last backup."""

    part: str

    def __str__(self) -> str:
        return f"restore lake/{self.part} from the backup"


@dataclass(frozen=True)
class Lose:
    """Something of the lake is lost: the first file or folder that a pattern finds."""

    pattern: str

    def __str__(self) -> str:
        return f"lose lake/{self.pattern}"


@dataclass(frozen=True)
class Block:
    """The receiver's server takes no new file whose name has these words, until it does again."""

    words: str
    ends: bool = False

    def __str__(self) -> str:
        return f"the outbox {'takes' if self.ends else 'refuses'} files with {self.words!r}"


@dataclass(frozen=True)
class Sync:
    """`responsys sync`, and once more."""

    def __str__(self) -> str:
        return "sync"


Damage = BackUp | Restore | Lose
Step = Send | Edit | Move | Reverse | Decide | Release | CleanServer | Block | Damage | Sync


@dataclass(frozen=True)
class History:
    """`quiet`: nothing is in doubt, so who must be reached is known, too."""

    config: Mapping[str, Any]
    steps: tuple[Step, ...]
    quiet: bool = False
    kinds: tuple[str, ...] = field(default=())

    def without(self, number: int, *instead: Step) -> History:
        """Without a step, or with another one instead."""
        steps = (*self.steps[:number], *instead, *self.steps[number + 1 :])
        return replace(self, steps=steps)

    def __str__(self) -> str:
        lists = [f"  list {name}: {source}" for name, source in self.config["lists"].items()]
        rest = [
            f"  {key}: {value}"
            for key, value in self.config.items()
            if key not in ("lists", "servers", "lake")
        ]
        steps = [f"  {number:>2}. {step}" for number, step in enumerate(self.steps)]
        return "\n".join([f"kinds: {', '.join(self.kinds) or 'none'}", *lists, *rest, *steps])
