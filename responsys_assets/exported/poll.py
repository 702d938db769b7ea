"""Looking at the servers: each opened once, each folder listed once, ready files read."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from responsys_assets.config.models import ProfileList
from responsys_assets.config.project import Project
from responsys_assets.errors import ServerError, TransientServerError
from responsys_assets.exported.arrival import Decision, decide
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.receipts import Arrival, RemoteFile
from responsys_assets.servers import Server, open_server


@dataclass(frozen=True)
class FolderView:
    """One folder of one server, and every list that reads it."""

    server: str
    folder: str
    lists: Mapping[str, ProfileList]
    listing: list[RemoteFile]


def poll(project: Project, lake: Lake, list_names: Iterable[str]) -> list[Decision]:
    """Decide on every data file that the servers show for these lists.

    Raises:
        ServerError: if a server cannot be reached, refuses us, or lacks a folder.
        LakeError: if a receipt is damaged.
    """
    wanted = list(list_names)
    known = {name: read_arrivals(lake, name) for name in wanted}
    now = project.now()
    by_list: dict[str, list[Decision]] = {name: [] for name in wanted}
    for server_name, folders in _places(project, wanted).items():
        with open_server(project, server_name) as server:
            for folder, lists in folders.items():
                listing = server.list_folder(folder)
                for decision in decide(lists, listing, known, now, project.zone):
                    if decision.list in by_list:
                        by_list[decision.list].append(_with_ready_text(server, decision))
    return [decision for decisions in by_list.values() for decision in decisions]


def look(project: Project, server_name: str) -> list[FolderView]:
    """The folders of a server that lists read, with what is in them; for `doctor`.

    Raises:
        ServerError: as `poll`.
    """
    names = [n for n, source in project.config.lists.items() if source.server == server_name]
    folders = _places(project, names).get(server_name, {})
    with open_server(project, server_name) as server:
        return [
            FolderView(server_name, folder, lists, server.list_folder(folder))
            for folder, lists in folders.items()
        ]


def read_arrivals(lake: Lake, list_name: str) -> list[Arrival]:
    """Everything that ever arrived for a list; raises LakeError for a damaged receipt."""
    return [
        Arrival.read(path) for path in sorted(lake.exported(list_name).glob("*/*/*.arrival.json"))
    ]


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


def _with_ready_text(server: Server, decision: Decision) -> Decision:
    """The decision with its ready file's content, if it is taken and has one."""
    if decision.action != "take" or decision.ready is None:
        return decision
    try:
        content = server.read_small(decision.folder, decision.ready.name)
        return replace(decision, ready_text=content.decode("utf-8"))
    except TransientServerError:
        raise
    except (ServerError, UnicodeDecodeError):
        return decision  # unreadable: staging holds the file and says so
