"""A project that delivers to a local folder, and what a receiver sees there."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from responsys_assets.config.project import Project
from responsys_assets.deliveries import deliver
from responsys_assets.deliveries.plan import plan
from responsys_assets.deliveries.send import Release, send
from responsys_assets.deliveries.states import DeliveryResult
from responsys_assets.lake.lake import Lake
from responsys_assets.segments.refresh import refresh
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

    def deliver(self, people: Sequence[dict[str, Any]] | None = None) -> DeliveryResult:
        """New profiles, if given, then what a sync does with the delivery."""
        if people is not None:
            self.profiles(people)
        project = self.project()
        refresh(project, self.lake, "gold")
        return deliver.deliver(project, self.lake, "gold")

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
