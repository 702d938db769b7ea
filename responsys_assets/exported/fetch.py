"""Fetching an export into the lake as it was sent, with a receipt of its arrival."""

from __future__ import annotations

import contextlib
import re

from responsys_assets.config.project import Project
from responsys_assets.errors import ServerError, TransientServerError
from responsys_assets.exported.arrival import Decision
from responsys_assets.exported.looks import forget
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import Workspace
from responsys_assets.lake.receipts import Arrival, RemoteFile
from responsys_assets.progress import SILENT, Progress
from responsys_assets.servers import Server, open_server
from responsys_assets.servers.base import file_changed
from responsys_assets.servers.retry import retrying

# an unreachable server was tried again already, a file that changes is for the next sync
_WORTH_ANOTHER = frozenset({"connection_lost", "stalled"})


def fetch(
    project: Project,
    lake: Lake,
    decision: Decision,
    server: Server | None = None,
    progress: Progress = SILENT,
) -> Arrival:
    """Copy the file of a decision into the lake; then, and only then, write its receipt.

    `server`: one that is open already, else a connection is made for this file.

    Raises:
        ServerError: if the server fails; TransientServerError if the file changed meanwhile.
        LakeError: if the lake cannot be written.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(lake.writing(progress.say))
        workspace = stack.enter_context(lake.workspace())
        if server is None:
            server = stack.enter_context(open_server(project, decision.server))
        source = server
        part = workspace.file(decision.data.name)  # as errors of the disk will call it

        def attempt() -> tuple[str | None, str]:
            ready = decision.ready
            said = None if ready is None else ready_text(source, decision.folder, ready)
            label = f"fetching {decision.data.name}"
            with progress.step(label, decision.data.size) as advance:
                return said, source.fetch(decision.folder, decision.data, part, advance)

        said, sha256 = retrying(attempt, _WORTH_ANOTHER)
        arrival = Arrival(
            list=decision.list,
            server=decision.server,
            folder=decision.folder,
            kind=decision.kind,
            stamp=decision.stamp,
            data=decision.data,
            ready=decision.ready,
            ready_text=said,
            ambiguous_ready=decision.ambiguous_ready,
            sha256=sha256,
            fetched_at=project.now(),
        )
        _publish(lake, workspace, arrival, part.name)
        forget(lake, workspace, decision.list, decision.data)
        return arrival


def ready_text(server: Server, folder: str, ready: RemoteFile) -> str | None:
    """What a ready file says; None if that is not text, for which staging holds the export.

    Receipts keep it, so of anything but a number only the number is kept, if it has just one:
    it could be a list of people under a wrong name.

    Raises:
        TransientServerError: if the server fails; `file_changed` if it is not the one listed.
    """
    said = None
    try:
        said = _kept(server.read_small(folder, ready.name).decode("utf-8"))
    except TransientServerError:
        raise
    except (ServerError, UnicodeDecodeError):
        pass
    if server.stat(folder, ready.name) != ready:
        raise file_changed("the server", ready.name, "was replaced or removed")
    return said


def _kept(text: str) -> str:
    numbers = re.findall(r"-?[0-9]+", text)
    if text.strip() in numbers:
        return text
    return numbers[0] if len(numbers) == 1 else ""


def _publish(lake: Lake, workspace: Workspace, arrival: Arrival, part: str) -> None:
    folder = lake.exported(arrival.list) / arrival.day.isoformat() / arrival.sha256[:12]
    target = folder / arrival.data.name
    if not target.exists() or target.stat().st_size != arrival.data.size:
        workspace.publish_file(workspace.file(part), target)
    arrival.write(workspace, folder / f"{arrival.identity}.arrival.json")
