"""The consent asset: the ledger brought up to date with the accepted exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from responsys_assets.config.project import Project
from responsys_assets.consent.record import record_all
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.retention import list_names
from responsys_assets.progress import SILENT, Progress


def known_exports(lake: Lake) -> dict[str, list[Export]]:
    """The exports of every list that the lake has any of, configured or not."""
    return {name: read_exports(lake, name) for name in list_names(lake)}


def refresh(
    project: Project,
    lake: Lake,
    exports: Mapping[str, Sequence[Export]],
    progress: Progress = SILENT,
) -> int:
    """Record every accepted reading that the ledger does not have; returns how many it had not.

    Raises:
        LakeError: if a staged file is missing or the lake cannot be written.
    """
    with lake.writing(progress.say):
        return sum(record_all(lake, known, project.now) for known in exports.values())
