"""A project that delivers to a local folder, and what a receiver sees there."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from responsys_assets.config.project import Project
from responsys_assets.deliveries import deliver
from responsys_assets.deliveries.plan import plan
from responsys_assets.deliveries.send import Release, send
from responsys_assets.deliveries.states import DeliveryResult
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.receipts import RemoteFile
from responsys_assets.progress import Advance
from responsys_assets.segments.refresh import refresh
from responsys_assets.servers import open_server
from responsys_assets_tests.conftest import MakeProject
from responsys_assets_tests.segments.small_lake import START, at, put_profiles

SEGMENT = {
    "where": "CITY_ <> 'nowhere'",
    "channel": "email",
    "columns": ["CUSTOMER_ID_", "CITY_", "POINTS"],
}
DELIVERY = {
    "segment": "gold",
    "to": "outbox",
    "file": "gold_{YYYYMMDD}_{HHMISS}.csv",
    "guard": "none",  # for a handful of people every change is a large one
}


@dataclass
class Line:
    """From profiles to the outbox, with a clock that moves a minute at every step."""

    make_project: MakeProject
    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    minutes: int = 0

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    def configure(self, *, segment: dict[str, Any] | None = None, **delivery: Any) -> None:
        """Set the delivery `gold`: DELIVERY changed by keys, a None removes one."""
        found = {**DELIVERY, **delivery}
        # profiles are written straight into the lake, so the list never has an export
        lists = {"columns": {"POINTS": "integer", "SCORE": "number"}, "required": False}
        self.keys |= {
            "servers": {
                "files": {"type": "local", "path": "./files"},
                "outbox": {"type": "local", "path": "./outbox"},
            },
            "lists": {"core": {"server": "files", "files": "C.csv", **lists}},
            "segments": {"gold": segment or SEGMENT},
            "deliveries": {"gold": {k: v for k, v in found.items() if v is not None}},
        }
        self.outbox.mkdir(exist_ok=True)

    def project(self) -> Project:
        """The project as configured, a minute later than the last time."""
        self.minutes += 1
        made = self.make_project(self.env, **self.keys)
        return at(made, START + dt.timedelta(minutes=self.minutes))

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / self.keys.get("lake", "lake"))

    def profiles(self, people: Sequence[dict[str, Any]]) -> None:
        put_profiles(self.project(), people)

    def plan(self) -> DeliveryResult:
        """Refresh the segment and plan the delivery."""
        project = self.project()
        refresh(project, self.lake, "gold")
        return plan(project, self.lake, "gold")

    def send(self, *, release: bool = False) -> DeliveryResult:
        word = Release("ann") if release else None
        return send(self.project(), self.lake, "gold", release=word)

    def deliver(
        self, people: Sequence[dict[str, Any]] | None = None, name: str = "gold"
    ) -> DeliveryResult:
        """New profiles, if given, then what a sync does with the delivery."""
        if people is not None:
            self.profiles(people)
        project = self.project()
        refresh(project, self.lake, "gold")
        return deliver.deliver(project, self.lake, name)

    def files(self, folder: str = "") -> dict[str, str]:
        """What is in the outbox, hidden names included."""
        return {
            path.name: path.read_text()
            for path in sorted((self.outbox / folder).iterdir())
            if path.is_file()
        }


def records(text: str) -> list[dict[str, str]]:
    """A delivered file as a receiver reads it."""
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


@dataclass
class Believer:
    """A receiver that applies what it gets and takes it away, and whom it believes active.

    `ready`: the suffix that announces a file; without it every file is taken, but for names
    that end in `unread`.
    """

    folder: Path
    key: str = "CUSTOMER_ID_"
    ready: str = ""
    unread: str | None = None
    active: dict[str, dict[str, str]] = field(default_factory=dict)

    def look(self) -> set[str]:
        """Take what is there; whom it believes active then."""
        files = [f for f in self.folder.iterdir() if f.is_file() and f.name.endswith(self.ready)]
        for found in sorted(files, key=lambda path: path.stat().st_mtime_ns):
            if found.name.startswith(".") or (self.unread and found.name.endswith(self.unread)):
                continue
            path = found.with_name(found.name.removesuffix(self.ready))
            for row in records(path.read_text()):
                change = row.pop("CHANGE_", path.name.split("_")[0])
                if change == "remove":
                    self.active.pop(row[self.key], None)
                else:
                    self.active[row[self.key]] = row
            for taken in {found, path}:
                taken.unlink()
        return set(self.active)


class WatchedServer:
    """The real server; before and after each operation `hook` may look or fail."""

    def __init__(self, project: Project, name: str, hook: Callable[..., None]) -> None:
        self._server = open_server(project, name)
        self._hook = hook

    def __enter__(self) -> WatchedServer:
        self._hook("open", "before")
        self._server.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._server.__exit__(*error)

    def _do(self, name: str, *arguments: Any) -> Any:
        self._hook(name, "before", *arguments)
        result = getattr(self._server, name)(*arguments)
        self._hook(name, "after", *arguments)
        return result

    def stat(self, folder: str, name: str) -> RemoteFile | None:
        found: RemoteFile | None = self._do("stat", folder, name)
        return found

    def put(self, folder: str, name: str, source: Path, advance: Advance) -> None:
        self._do("put", folder, name, source, advance)

    def rename(self, folder: str, old: str, new: str) -> None:
        self._do("rename", folder, old, new)

    def remove(self, folder: str, name: str) -> None:
        self._do("remove", folder, name)

    def make_folder(self, folder: str) -> None:
        self._do("make_folder", folder)
