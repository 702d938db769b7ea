"""Bringing a plan's files to their destination, so that each content arrives once.

Per file: upload under a temporary name, verify, announce in the journal, rename, confirm; then
the same for its ready file. The journal is what makes a second attempt safe: a file that was
announced and whose temporary name has gone did get its final name, even if a receiver has
taken it away since.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from responsys_assets.deliveries.journal import FileStep, Journal
from responsys_assets.deliveries.plans import Plans
from responsys_assets.deliveries.rows import KINDS, Kind
from responsys_assets.errors import DeliveryError, TransientServerError
from responsys_assets.lake.publish import sha256_of
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.progress import Advance
from responsys_assets.servers import open_server
from responsys_assets.servers.base import Server
from responsys_assets.servers.retry import retrying

Steps = tuple[FileStep, FileStep]
_DATA: Steps = ("sending", "sent")
_READY: Steps = ("announcing", "announced")


class Transfer:
    """One plan on its way; may be begun again at any point."""

    def __init__(self, plan: Snapshot, journal: Journal) -> None:
        self._plan = plan
        self._journal = journal
        self._files: list[dict[str, Any]] = plan.manifest["delivery_files"]
        self._folder: str = plan.manifest["to"]["folder"]
        self._withdrawn: set[int] = set()

    @property
    def complete(self) -> bool:
        """Whether the journal says that the destination has everything."""
        return all(self._arrived(number) for number, _ in enumerate(self._files))

    def run(self, server: Server, advance: Advance) -> None:
        """Send what is not there yet, file by file in the order of the plan."""
        server.make_folder(self._folder)
        for number, file in enumerate(self._files):
            if not self._journal.knows_file(number, "sent"):
                if file["ready"] and not self._journal.knows_file(number, "sending"):
                    # an old ready file would announce the new data before it is whole
                    server.remove(self._folder, file["ready"])
                self._place(server, number, file["name"], _DATA, advance)
            if file["ready"] and not self._journal.knows_file(number, "announced"):
                self._place(server, number, file["ready"], _READY, advance)

    def withdraw(self, server: Server) -> None:
        """Take back what nobody was told of: temporary files, data whose ready file is missing."""
        for number, file in enumerate(self._files):
            for name, (trying, done) in ((file["name"], _DATA), (file["ready"], _READY)):
                if self._journal.knows_file(number, trying):
                    self._happened(server, number, name, done)
        for number, file in enumerate(self._files):
            for name in filter(None, (file["name"], file["ready"])):
                server.remove(self._folder, self._temporary(name))
            if not self._arrived(number) and self._take_back(server, number, file):
                self._withdrawn.add(number)

    def kinds(self) -> set[Kind]:
        """The kinds of change that the destination has, or may have.

        A file that was on its way, and that could not be withdrawn, may have been taken: what it
        adds or updates then counts as received, what it removes does not.
        """
        kinds: set[Kind] = set()
        for number, file in enumerate(self._files):
            found = KINDS if file["kind"] == "all" else (file["kind"],)
            if self._arrived(number):
                kinds.update(found)
            elif self._doubtful(number):
                kinds.update(kind for kind in found if kind != "remove")
        return kinds

    def arrived(self) -> list[dict[str, Any]]:
        """The files that the destination has, or may have."""
        return [
            file
            for number, file in enumerate(self._files)
            if self._arrived(number) or self._doubtful(number)
        ]

    def _arrived(self, number: int) -> bool:
        ready = self._files[number]["ready"]
        return self._journal.knows_file(number, "announced" if ready else "sent")

    def _doubtful(self, number: int) -> bool:
        tried = self._journal.knows_file(number, "sending")
        return tried and not self._arrived(number) and number not in self._withdrawn

    def _take_back(self, server: Server, number: int, file: dict[str, Any]) -> bool:
        """Whether the destination has nothing of this file any more, and never saw it."""
        if not self._journal.knows_file(number, "sent"):
            return True
        if server.stat(self._folder, file["ready"]) is not None:
            return False
        there = server.stat(self._folder, file["name"]) is not None
        server.remove(self._folder, file["name"])
        return there

    def _place(
        self,
        server: Server,
        number: int,
        name: str,
        steps: Steps,
        advance: Advance,
    ) -> None:
        trying, done = steps
        if self._journal.knows_file(number, trying):
            if self._happened(server, number, name, done):
                return
        else:
            if not self._journal.knows_file(number, "uploading"):
                self._journal.note_file(number, "uploading", name)
            self._upload(server, name, advance)
            self._journal.note_file(number, trying, name)
        server.rename(self._folder, self._temporary(name), name)
        self._journal.note_file(number, done, name)

    def _happened(self, server: Server, number: int, name: str, done: FileStep) -> bool:
        if self._journal.knows_file(number, done):
            return True
        if server.stat(self._folder, self._temporary(name)) is not None:
            return False
        self._journal.note_file(number, done, name)
        return True

    def _upload(self, server: Server, name: str, advance: Advance) -> None:
        source = self._plan.path / "files" / name
        entries = {entry["name"]: entry for entry in self._plan.manifest["files"]}
        entry = entries[f"files/{name}"]
        if not source.is_file() or sha256_of(source) != entry["sha256"]:
            raise DeliveryError(
                "plan_damaged",
                "this file of the plan is missing or not what was planned; "
                "delete the plan's folder and run `responsys plan` again",
                file=str(source),
            )
        temporary = self._temporary(name)
        server.put(self._folder, temporary, source, advance)
        there = server.stat(self._folder, temporary)
        if there is None or there.size != entry["bytes"]:
            raise TransientServerError(
                "size_differs", f"{name} did not arrive whole; it was not given its name"
            )

    def _temporary(self, name: str) -> str:
        return f".{name}.part-{self._plan.name}"


def clear_abandoned(plans: Plans) -> None:
    """Take back what plans that were given up left at the destination, then forget them."""
    for plan in plans.abandoned():
        at_destination(plans, plan, Transfer(plan, plans.journal(plan)).withdraw)
        plans.remove(plan)


def at_destination(plans: Plans, plan: Snapshot, action: Callable[[Server], None]) -> None:
    """Do something at a plan's destination, up to three times while its faults may pass.

    A server that the configuration no longer has is left alone.
    """
    name = plan.manifest["to"]["server"]

    def attempt() -> None:
        with open_server(plans.project, name) as server:
            action(server)

    if name in plans.project.config.servers:
        retrying(attempt)
