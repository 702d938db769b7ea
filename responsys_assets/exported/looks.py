"""What earlier looks saw: files that have still to settle, remembered from one process to the next.

`lake/looks/<list>.json` says since when each of them is as it is, by our own clock. It is written
only when that changes: a file appears, changes, goes or is taken.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from responsys_assets.errors import LakeError
from responsys_assets.exported.arrival import Decision, Looks
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import Workspace, disk_errors
from responsys_assets.lake.receipts import RemoteFile


@dataclass(frozen=True, slots=True)
class _Look:
    file: RemoteFile
    first_seen: AwareDatetime


_LOOKS = TypeAdapter(list[_Look])


def read_looks(lake: Lake, list_name: str) -> Looks:
    """The files of a list that have still to settle; a damaged memory has seen nothing."""
    path = lake.looks(list_name)
    with disk_errors(f"cannot read {path.name}"):
        if not path.exists():
            return {}
        content = path.read_bytes()
    try:
        return {each.file: each.first_seen for each in _LOOKS.validate_json(content)}
    except ValidationError:
        return {}


def looks_of(decisions: Iterable[Decision]) -> Looks:
    """What is to be remembered of a look at a list."""
    return {each.data: each.first_seen for each in decisions if each.first_seen is not None}


def remember(lake: Lake, list_name: str, before: Looks, after: Looks) -> None:
    """Keep what a look saw; `before` is what was kept when it began.

    If another process is writing, or has kept something meanwhile, this is left to the next look:
    files then settle later, never earlier.

    Raises:
        LakeError: if the disk fails.
    """
    if before == after:
        return
    try:
        with lake.writing(patience=dt.timedelta()):
            if read_looks(lake, list_name) == before:
                with lake.workspace() as workspace:
                    _write(lake, workspace, list_name, after)
    except LakeError as error:
        if error.code != "locked":
            raise


def forget(lake: Lake, workspace: Workspace, list_name: str, taken: RemoteFile) -> None:
    """A file that was taken has nothing to settle any more."""
    looks = read_looks(lake, list_name)
    if taken in looks:
        _write(lake, workspace, list_name, {f: at for f, at in looks.items() if f != taken})


def _write(lake: Lake, workspace: Workspace, list_name: str, looks: Looks) -> None:
    found = [_Look(file, looks[file]) for file in sorted(looks, key=lambda f: (f.name, f.mtime))]
    workspace.publish_bytes(_LOOKS.dump_json(found, indent=2) + b"\n", lake.looks(list_name))
