"""A lake into which a test drops the bytes of one export and looks at what staging made of it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from responsys_assets.config.models import Config
from responsys_assets.config.project import Project
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.receipts import Action, Arrival, Kind, Outcome, RemoteFile, Verdict
from responsys_assets.progress import SILENT
from responsys_assets.staged.stage import stage

STAMP = dt.datetime(2026, 6, 1, 2, 0, tzinfo=dt.timezone(dt.timedelta(hours=-4)))
NOW = dt.datetime(2026, 6, 1, 9, 0, tzinfo=dt.UTC)
Row = dict[str, Any]
# seven records and a blank line; five are rejected
DIRTY = (
    b'id,name,n\r\n1,"a\nb",1\r\n\r\n2,x\r\n3,"y"z,3\r\n4,ok,four\r\n\xff5,w,5\r\n,none,6\r\n7,ok,7'
)


def lines(*rows: str, end: str = "\n") -> bytes:
    return "".join(row + end for row in rows).encode()


@dataclass(frozen=True)
class Staged:
    """What became of one export."""

    export: Export
    outcome: Outcome

    @property
    def rows(self) -> list[Row]:
        return self._read(self.export.parquet)

    @property
    def data(self) -> list[tuple[Any, ...]]:
        """The data columns of the staged rows."""
        names = [name for name, _ in self.outcome.columns]
        return [tuple(row[name] for name in names) for row in self.rows]

    @property
    def rejects(self) -> list[Row]:
        return self._read(self.export.rejects)

    @property
    def holds(self) -> list[Row]:
        return self._read(self.export.holds)

    @staticmethod
    def _read(path: Path) -> list[Row]:
        rows: list[Row] = pq.read_table(path).to_pylist() if path.exists() else []
        return rows


class Bench:
    """One list called `core`, matched on `id` unless said otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake = Lake(folder / "lake")
        self.keys: dict[str, Any] = {}
        self.env: dict[str, str] = {}

    def project(self, match_on: str | list[str] = "id", **settings: Any) -> Project:
        source = {"server": "here", "files": "C_{YYYYMMDD}.csv", "ready": "none", "settle": "1m"}
        document = {
            "account": {"name": "acme", "timezone": "America/New_York"},
            "lake": "lake",
            "servers": {"here": {"type": "local", "path": "in"}},
            "keys": self.keys,
            "lists": {"core": {**source, "max_rejected": "100%", **settings}},
            "profiles": {"match_on": match_on},
        }
        config = Config.model_validate_json(json.dumps(document))
        return Project(config, self.folder / "responsys.yaml", self.env, now=lambda: NOW)

    def arrive(
        self,
        content: bytes,
        *,
        stamp: dt.datetime = STAMP,
        mtime: float = 1.0,
        kind: Kind = "full",
        ready: Mapping[str, Any] | None = None,
    ) -> Export:
        """Put an export into the lake as fetching does; `ready` are fields of its receipt."""
        arrival = Arrival(
            list="core",
            server="here",
            folder="",
            kind=kind,
            stamp=stamp,
            data=RemoteFile(name=f"C_{stamp:%Y%m%d}.csv", size=len(content), mtime=mtime),
            ready=None,
            sha256=hashlib.sha256(content).hexdigest(),
            **{"ready_text": None, "fetched_at": NOW, **(ready or {})},
        )
        folder = self.lake.exported("core") / arrival.day.isoformat() / arrival.sha256[:12]
        with self.lake.writing(), self.lake.workspace() as work:
            work.publish_bytes(content, folder / arrival.data.name)
            arrival.write(work, folder / f"{arrival.identity}.arrival.json")
        return self.export(arrival.export_id)

    def forget(self, export: Export) -> None:
        """Remove all that the lake has of an export: a loop of many would look at them all."""
        for path in (*export.folder.iterdir(), export.receipt, export.parquet):
            path.unlink(missing_ok=True)
        for path in (export.holds, export.rejects):
            path.unlink(missing_ok=True)
        export.folder.rmdir()

    def decide(self, export: Export, action: Action) -> Export:
        number = len(export.verdicts) + 1
        verdict = Verdict(
            export_id=export.export_id,
            action=action,
            who="ann",
            when=NOW + dt.timedelta(seconds=number),
            why="because",
        )
        with self.lake.writing(), self.lake.workspace() as work:
            verdict.write(work, export.folder / f"{number:04}.verdict.json")
        return self.export(export.export_id)

    def export(self, export_id: str) -> Export:
        (found,) = [e for e in read_exports(self.lake, "core") if e.export_id == export_id]
        return found

    def judge(self, export: Export, project: Project) -> Staged:
        outcome = stage(project, self.lake, export, SILENT)
        return Staged(self.export(export.export_id), outcome)

    def stage(
        self,
        content: bytes,
        *,
        stamp: dt.datetime = STAMP,
        mtime: float = 1.0,
        ready_text: str | None = None,
        **settings: Any,
    ) -> Staged:
        """Stage one export under a list's settings."""
        export = self.arrive(
            content,
            stamp=stamp,
            mtime=mtime,
            kind=settings.get("export", "full"),
            ready={"ready_text": ready_text},
        )
        return self.judge(export, self.project(**settings))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
