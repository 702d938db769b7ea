"""From the bytes of exports to profiles and a segment, without servers."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from responsys_assets.config.models import Config
from responsys_assets.config.project import Project
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.receipts import Arrival, Outcome, RemoteFile
from responsys_assets.profiles.carried import PERMISSION
from responsys_assets.profiles.refresh import refresh as merge
from responsys_assets.progress import SILENT
from responsys_assets.segments.refresh import refresh as select
from responsys_assets.staged.stage import stage
from responsys_assets.system_columns import PERMISSION_COLUMNS

NOW = dt.datetime(2026, 6, 1, 9, 0, tzinfo=dt.UTC)
STAMP = dt.datetime(2026, 6, 1, 2, 0, tzinfo=dt.timezone(dt.timedelta(hours=-4)))


class Line:
    """One list `core`, matched on `id`, with `n` a whole number and `u` the time of update."""

    def __init__(self, folder: Path, zone: str = "America/New_York", **settings: Any) -> None:
        source: dict[str, Any] = {"server": "here", "files": "C_{YYYYMMDD}.csv"}
        source |= {"ready": "none", "settle": "1m"}
        source |= {"updated_at": "u", "columns": {"n": "integer"}, "max_rejected": "100%"}
        document = {
            "account": {"name": "acme", "timezone": zone},
            "lake": "lake",
            "servers": {"here": {"type": "local", "path": "in"}},
            "lists": {"core": {**source, **settings}},
            "profiles": {"match_on": "id"},
            "segments": {
                "everyone": {"where": "id <> ''", "channel": "email", "columns": ["id", "u"]}
            },
        }
        config = Config.model_validate_json(json.dumps(document))
        self.project = Project(config, folder / "responsys.yaml", {}, now=lambda: NOW)
        self.lake = Lake(folder / "lake")

    def send(
        self, content: bytes, *, stamp: dt.datetime = STAMP, mtime: float = 1.0
    ) -> tuple[Export, Outcome]:
        """An export that arrives and is staged."""
        arrival = Arrival(
            list="core",
            server="here",
            folder="",
            kind=self.project.list_config("core").export,
            stamp=stamp,
            data=RemoteFile(name=f"C_{stamp:%Y%m%d}.csv", size=len(content), mtime=mtime),
            ready=None,
            sha256=hashlib.sha256(content).hexdigest(),
            fetched_at=NOW,
            ready_text=None,
        )
        folder = self.lake.exported("core") / arrival.day.isoformat() / arrival.sha256[:12]
        with self.lake.writing(), self.lake.workspace() as work:
            work.publish_bytes(content, folder / arrival.data.name)
            arrival.write(work, folder / f"{arrival.identity}.arrival.json")
        (export,) = (e for e in read_exports(self.lake, "core") if e.sha256 == arrival.sha256)
        return export, stage(self.project, self.lake, export, SILENT)

    def results(self) -> dict[str, bytes]:
        """Every data file of the profiles and of the segment, by name; not what is carried on."""
        profiles, _ = merge(self.project, self.lake, SILENT)
        segment, _ = select(self.project, self.lake, "everyone")
        assert profiles is not None
        return {
            f"{kind}/{path.relative_to(snapshot.path)}": path.read_bytes()
            for kind, snapshot in (("profiles", profiles), ("segment", segment))
            for path in snapshot.files
            if PERMISSION not in path.relative_to(snapshot.path).parts
        }

    def values(self) -> list[dict[str, Any]]:
        """The profiles without what the list says of consent, merged anew."""
        snapshot, _ = merge(self.project, self.lake, SILENT)
        assert snapshot is not None
        files = [path for path in snapshot.files if path.parent == snapshot.path]
        return pl.read_parquet(files, glob=False).drop(PERMISSION_COLUMNS, strict=False).to_dicts()

    def segment(self) -> Sequence[str]:
        """The keys in the segment, merged and selected anew."""
        merge(self.project, self.lake, SILENT)
        snapshot, _ = select(self.project, self.lake, "everyone")
        keys: list[str] = pl.read_parquet(snapshot.path / "part-0.parquet")["id"].to_list()
        return keys
