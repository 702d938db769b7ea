"""Which exports of a list are live: the newest full export, increments, and what rejects keep.

Whether a single row of an older export is live depends on its key; this module says which exports
have to be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from responsys_assets.errors import LakeError
from responsys_assets.lake.exports import Export
from responsys_assets.lake.receipts import Outcome


@dataclass(frozen=True)
class Source:
    """An accepted export.

    `seq` is its place in the order of its list. A `replaced` one is a full export that was sent
    again with the same stamp: nothing of it is live.
    """

    export: Export
    seq: int
    replaced: bool

    @property
    def outcome(self) -> Outcome:
        if self.export.outcome is None:
            raise ValueError("an accepted export has an outcome")
        return self.export.outcome

    @property
    def full(self) -> bool:
        return self.export.kind == "full"

    @property
    def complete(self) -> bool:
        """Whether a key that it does not mention has left the list."""
        return self.full and self.outcome.unidentified == 0

    @cached_property
    def rows(self) -> Path | None:
        """The staged rows; None if there are none."""
        return _existing(self.export, self.export.parquet, self.outcome.parquet_sha256)

    @cached_property
    def holds(self) -> Path | None:
        """What its rejected records still say; None if it has none."""
        return _existing(self.export, self.export.holds, self.outcome.holds_sha256)

    @property
    def columns(self) -> dict[str, str]:
        """Staged data columns and their types, in the order of the file."""
        return dict(self.outcome.columns)


@dataclass(frozen=True)
class ListExports:
    """The accepted exports of one list, in their order."""

    name: str
    sources: tuple[Source, ...]

    @cached_property
    def in_force(self) -> tuple[Source, ...]:
        return tuple(source for source in self.sources if not source.replaced)

    @cached_property
    def complete(self) -> tuple[Source, ...]:
        """Complete full exports, the newest first."""
        return tuple(source for source in reversed(self.in_force) if source.complete)

    @property
    def _base(self) -> int:
        return self.complete[0].seq if self.complete else -1

    @property
    def recent(self) -> tuple[Source, ...]:
        """The newest complete full export and all that came later; all if there is none."""
        return tuple(source for source in self.in_force if source.seq >= self._base)

    @property
    def rivals(self) -> tuple[Source, ...]:
        """Recent full exports that are incomplete: they end older rows of the keys they have."""
        return tuple(source for source in self.recent if source.full and not source.complete)

    @property
    def older(self) -> tuple[Source, ...]:
        """Exports before the newest complete one: live only for keys that its holds keep."""
        return tuple(source for source in self.in_force if source.seq < self._base)

    @property
    def may_reach_back(self) -> bool:
        """Whether a key may have live rows in `older`."""
        return bool(self.older) and self.complete[0].holds is not None

    def columns(self) -> dict[str, set[str]]:
        """The columns of recent exports, the newest export's first, with every type they have."""
        found: dict[str, set[str]] = {}
        for source in reversed(self.recent):
            for name, kind in source.columns.items():
                found.setdefault(name, set()).add(kind)
        return found

    def file_with(self, column: str, kind: str) -> str:
        """The newest export in which `column` has this type."""
        return next(
            source.export.file
            for source in reversed(self.sources)
            if source.columns.get(column) == kind
        )


def accepted(name: str, exports: Sequence[Export]) -> ListExports:
    """The accepted ones of a list's exports."""
    ordered = sorted((e for e in exports if e.accepted), key=lambda e: e.order)
    last_of_stamp = {e.order[0]: e.export_id for e in ordered if e.kind == "full"}
    return ListExports(
        name,
        tuple(
            Source(e, seq, e.kind == "full" and last_of_stamp[e.order[0]] != e.export_id)
            for seq, e in enumerate(ordered)
        ),
    )


def _existing(export: Export, path: Path, sha256: str | None) -> Path | None:
    if sha256 is None:
        return None
    if not path.is_file():
        raise LakeError(
            "staged_missing",
            f"this staged file is gone though its receipt is there; {export.remedy}",
            file=str(path),
        )
    return path.resolve()
