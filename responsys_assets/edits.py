"""What an edit of the configuration will have read anew, before any sync does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from responsys_assets.config.project import Project
from responsys_assets.lake.exports import Export
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.settings import changed_settings


@dataclass(frozen=True)
class Rereading:
    """Exports of a list that are in force as they were read with other settings.

    `changed` are the settings that differ, as far as they are known; `anew` the files that the
    next sync reads again, `kept` those that it cannot read and leaves as they are.
    """

    list_name: str
    changed: tuple[str, ...]
    anew: tuple[str, ...]
    kept: tuple[str, ...]

    def __str__(self) -> str:
        why = f" ({', '.join(self.changed)} changed)" if self.changed else ""
        texts = []
        if self.anew:
            texts.append(
                f"the next sync reads {_exports(self.anew)} of {self.list_name} anew{why}; a "
                "reading that is not accepted leaves the accepted one in force"
            )
        if self.kept:
            texts.append(
                f"{_exports(self.kept)} of {self.list_name} cannot be read again{why}, since the "
                "file was pruned, and will stay in force as read before"
            )
        return ". ".join(texts)

    def as_json(self) -> dict[str, Any]:
        return {"changed": [*self.changed], "anew": [*self.anew], "kept": [*self.kept]}


def rereadings(
    project: Project, lake: Lake, exports: Mapping[str, Sequence[Export]]
) -> list[Rereading]:
    """What the configuration as it is now will have read anew of these exports, by list."""
    lists = (
        _rereading(project, lake, name, exports.get(name, ())) for name in project.config.lists
    )
    return [rereading for rereading in lists if rereading]


def _rereading(
    project: Project, lake: Lake, name: str, exports: Sequence[Export]
) -> Rereading | None:
    settings = project.staging_settings(name)
    other = [
        export
        for export in exports
        if export.accepted and export.outcome and export.outcome.settings != settings
    ]
    if not other:
        return None
    anew = [export.file for export in other if export.needs_staging(settings)]
    kept = [export.file for export in other if not export.ciphertext.exists()]
    if not anew and not kept:
        return None
    digests = {export.outcome.settings for export in other if export.outcome}
    changed = {key for digest in digests for key in changed_settings(project, lake, name, digest)}
    return Rereading(name, tuple(sorted(changed)), tuple(anew), tuple(kept))


def _exports(files: Sequence[str]) -> str:
    return "1 export" if len(files) == 1 else f"{len(files)} exports"
