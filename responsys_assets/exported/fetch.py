"""Fetching an export into the lake as it was sent, with a receipt of its arrival."""

from __future__ import annotations

import contextlib

from responsys_assets.config.project import Project
from responsys_assets.exported.arrival import Decision
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import Workspace
from responsys_assets.lake.receipts import Arrival
from responsys_assets.progress import SILENT, Progress
from responsys_assets.servers import Server, open_server
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

        def attempt() -> str:
            label = f"fetching {decision.data.name}"
            with progress.step(label, decision.data.size) as advance:
                return source.fetch(decision.folder, decision.data, part, advance)

        sha256 = retrying(attempt, _WORTH_ANOTHER)
        arrival = Arrival(
            list=decision.list,
            server=decision.server,
            folder=decision.folder,
            kind=decision.kind,
            stamp=decision.stamp,
            data=decision.data,
            ready=decision.ready,
            ready_text=decision.ready_text,
            ambiguous_ready=decision.ambiguous_ready,
            sha256=sha256,
            fetched_at=project.now(),
        )
        _publish(lake, workspace, arrival, part.name)
        return arrival


def _publish(lake: Lake, workspace: Workspace, arrival: Arrival, part: str) -> None:
    folder = lake.exported(arrival.list) / arrival.day.isoformat() / arrival.sha256[:12]
    target = folder / arrival.data.name
    if not target.exists() or target.stat().st_size != arrival.data.size:
        workspace.publish_file(workspace.file(part), target)
    arrival.write(workspace, folder / f"{arrival.identity}.arrival.json")
