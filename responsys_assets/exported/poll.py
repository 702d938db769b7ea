"""Looking at the servers: each opened once, each folder listed once and decided on by itself."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from responsys_assets.config.models import ProfileList
from responsys_assets.config.project import Project
from responsys_assets.errors import ServerError, TransientServerError
from responsys_assets.exported.arrival import Decision, Looks, Shown, decide
from responsys_assets.exported.fetch import ready_text
from responsys_assets.exported.looks import looks_of, read_looks, remember
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.receipts import RemoteFile
from responsys_assets.servers import Server, open_server

T = TypeVar("T")

Lists = Mapping[str, ProfileList]

# why an export is held that a mended ready file would let go
_ABOUT_READY = frozenset({"ready_unreadable", "count_mismatch"})


@dataclass(frozen=True)
class FolderView:
    """One folder of one server, and every list that reads it."""

    server: str
    folder: str
    lists: Lists
    listing: list[RemoteFile]


@dataclass(frozen=True)
class Unseen:
    """A folder that could not be looked at: nothing is known of its lists now."""

    lists: tuple[str, ...]
    error: ServerError

    def __str__(self) -> str:
        return f"{', '.join(self.lists)}: {self.error}"


@dataclass(frozen=True)
class Poll:
    """What the servers showed: decisions by list, and what could not be seen.

    `looks`: what was kept of earlier looks at the lists that were seen.
    """

    decisions: list[Decision]
    unseen: list[Unseen]
    looks: Mapping[str, Looks]

    def of(self, list_name: str) -> list[Decision]:
        return [each for each in self.decisions if each.list == list_name]


def poll(project: Project, lake: Lake, list_names: Iterable[str]) -> Poll:
    """Decide on every data file that the servers show for these lists; writes nothing.

    A server or folder that fails keeps no other from being decided on.

    Raises:
        ServerError: if none of the lists could be looked at; TransientServerError if that may
            pass by itself.
        LakeError: if a receipt is damaged.
    """
    wanted = list(list_names)
    known = {name: read_exports(lake, name) for name in wanted}
    arrivals = {name: [a for each in known[name] for a in each.arrivals] for name in wanted}
    again = {ready for exports in known.values() for ready in doubted(exports)}
    looks = {name: read_looks(lake, name) for name in wanted}
    now = project.now()
    by_list: dict[str, list[Decision]] = {name: [] for name in wanted}

    def see(server: Server, folder: str, lists: Lists) -> list[Decision]:
        others: list[RemoteFile] = []
        listing = server.list_folder(folder, others.append)
        said = _read_again(server, folder, again.intersection(listing))
        return decide(lists, Shown(listing, others, said), arrivals, now, project.zone, looks)

    folders, unseen = _visit(project, wanted, see)
    if unseen and not folders:
        raise _nothing_seen(unseen)
    for decisions in folders:
        for decision in decisions:
            if decision.list in by_list:
                by_list[decision.list].append(decision)
    missed = {name for each in unseen for name in each.lists}
    kept = {name: found for name, found in looks.items() if name not in missed}
    return Poll([decision for found in by_list.values() for decision in found], unseen, kept)


def take_note(lake: Lake, found: Poll) -> None:
    """Remember since when files that have still to settle are as they are; see `remember`."""
    for name, before in found.looks.items():
        remember(lake, name, before, looks_of(found.of(name)))


def look(project: Project, server_name: str) -> tuple[list[FolderView], list[Unseen]]:
    """The folders of a server that lists read, with what is in them; for `doctor`."""

    def see(server: Server, folder: str, lists: Lists) -> FolderView:
        return FolderView(server_name, folder, lists, server.list_folder(folder))

    lists = project.config.lists
    return _visit(project, [n for n in lists if lists[n].server == server_name], see)


def _visit(
    project: Project, wanted: Collection[str], see: Callable[[Server, str, Lists], T]
) -> tuple[list[T], list[Unseen]]:
    """What `see` makes of each folder that the wanted lists read; a fault ends that folder only."""
    seen: list[T] = []
    unseen: list[Unseen] = []

    def missed(lists: Iterable[str], error: ServerError) -> None:
        unseen.append(Unseen(tuple(name for name in lists if name in wanted), error))

    for server_name, folders in _places(project, wanted).items():
        try:
            with open_server(project, server_name) as server:
                for folder, lists in folders.items():
                    try:
                        seen.append(see(server, folder, lists))
                    except ServerError as error:
                        missed(lists, error)
        except ServerError as error:  # it could not be opened at all
            missed((name for lists in folders.values() for name in lists), error)
    return seen, unseen


def _nothing_seen(unseen: list[Unseen]) -> ServerError:
    """One error for all; it may pass by itself only if each of them may."""
    errors = [each.error for each in unseen]
    lasting = [error for error in errors if not isinstance(error, TransientServerError)]
    worst = [*lasting, *errors][0]
    return type(worst)(worst.code, "; ".join(map(str, unseen)))


def doubted(exports: Iterable[Export]) -> list[RemoteFile]:
    """The ready files for which exports are held: one may be mended and look as before."""
    return [
        arrival.ready
        for export in exports
        if export.waits_for_person and export.latest and export.latest.reason in _ABOUT_READY
        for arrival in export.arrivals
        if arrival.ready is not None
    ]


def _read_again(
    server: Server, folder: str, files: Iterable[RemoteFile]
) -> dict[RemoteFile, str | None]:
    said = {}
    for ready in files:
        try:
            said[ready] = ready_text(server, folder, ready)
        except TransientServerError as error:
            if error.code != "file_changed":  # the next poll sees it as it is then
                raise
    return said


def _places(
    project: Project, wanted: Iterable[str]
) -> dict[str, dict[str, dict[str, ProfileList]]]:
    """Server, folder, lists: all lists of the folders that the wanted lists read."""
    lists = project.config.lists
    read = {(lists[name].server, _folder(lists[name])) for name in wanted}
    places: dict[str, dict[str, dict[str, ProfileList]]] = {}
    for name, source in lists.items():
        if (source.server, _folder(source)) in read:
            folders = places.setdefault(source.server, {})
            folders.setdefault(_folder(source), {})[name] = source
    return places


def _folder(source: ProfileList) -> str:
    """The folder spelled in one way."""
    folder = posixpath.normpath(source.folder) if source.folder else ""
    return "" if folder == "." else folder
