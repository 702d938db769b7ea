"""What a server shows of an export that has not come; asks the server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from responsys_assets.config.models import ProfileList, ReadyFile
from responsys_assets.config.patterns import FilePattern
from responsys_assets.config.project import Project
from responsys_assets.errors import ServerError
from responsys_assets.exported.arrival import Decision, ready_names
from responsys_assets.exported.deadlines import Late
from responsys_assets.exported.poll import look, poll
from responsys_assets.exported.unmatched import Unmatched, unmatched
from responsys_assets.lake.lake import Lake

_MOST = 3
_ALIKE = 0.6  # how much of two names must be the same for one to be the other's new name


def clues(project: Project, lake: Lake, found: Late) -> list[str]:
    """Files that wait, and files that look like those of the list under another name."""
    name = found.list_name
    source = project.list_config(name)
    try:
        decisions = poll(project, lake, [name]).of(name)
    except ServerError as error:
        return [str(error)]
    waiting = [each for each in decisions if each.action == "wait" and each.day >= found.day]
    strangers = [
        file
        for view in look(project, source.server)[0]
        if name in view.lists
        for file in unmatched(view.lists, view.listing)
    ]
    orphans = [
        f"{file.name} is a ready file whose data file is not there"
        for file in strangers
        if file.kind == "ready_without_data"
    ]
    return [
        *[f"{each.data.name} waits: {each.detail}" for each in waiting][-_MOST:],
        *[*_other_ready_files(source, waiting, strangers)][-_MOST:],
        *orphans[-_MOST:],
        *[*_other_names(source, found, strangers)][-_MOST:],
    ]


def _other_ready_files(
    source: ProfileList, waiting: Sequence[Decision], strangers: Sequence[Unmatched]
) -> Iterator[str]:
    """Files named after one that waits for its ready file."""
    for decision in waiting:
        if not isinstance(source.ready, ReadyFile) or decision.reason != "no_ready_file":
            continue
        for start in ready_names(decision.data.name, ""):
            for file in strangers:
                suffix = file.name.removeprefix(start)
                if suffix not in ("", file.name):
                    yield (
                        f"{file.name} may be its ready file: "
                        f'then the list needs ready: {{suffix: "{suffix}"}}'
                    )


def _other_names(source: ProfileList, late: Late, strangers: Sequence[Unmatched]) -> Iterator[str]:
    """Files of the days that are missing whose names are much like those of the list."""
    newest = {
        file.pattern: file.name
        for file in strangers
        if file.pattern and _is_since(late, file.pattern, file.name)
    }
    own = [_wording(str(pattern)) for _, pattern in source.patterns()]
    for pattern, name in newest.items():
        if any(SequenceMatcher(None, _wording(pattern), w).ratio() >= _ALIKE for w in own):
            yield f'{name} looks like a file of this list: files: "{pattern}" would take it'


def _wording(pattern: str) -> str:
    """What a pattern says besides stamps and endings."""
    return re.sub(r"\{[^}]*\}", "", ready_names(pattern, "")[-1]).lower()


def _is_since(late: Late, pattern: str, name: str) -> bool:
    matched = FilePattern(pattern).match(name)
    return bool(matched and matched.stamp and matched.stamp.date() >= late.day)
