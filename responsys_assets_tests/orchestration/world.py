"""A small account on a local server, with its lake and a Dagster instance of its own."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg

from responsys_assets.config.project import Project
from responsys_assets.lake.exports import read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.receipts import Action, Verdict
from responsys_assets.orchestration.build import build_definitions

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)
TODAY = "2026-11-20"
READY, COMPLETE, LATE = "exports_ready_files", "lists_complete", "lists_late"  # sensors
HEADER = "CUSTOMER_ID_,EMAIL_ADDRESS_,EMAIL_PERMISSION_STATUS_,CITY_"
ANN = "1,ann@example.com,I,Rome"
BOB = "2,bob@example.com,I,Paris"
CAT = "3,cat@example.com,O,Rome"

CONFIG: dict[str, Any] = {
    "lists": {
        "core": {"server": "files", "files": "CORE_{YYYYMMDD}.csv", "deadline": "05:30"},
        "web": {
            "server": "files",
            "files": "WEB_{YYYYMMDD}.csv",
            "required": False,
            "max_rejected": "60%",
        },
    },
    "segments": {
        "rome": {
            "where": "CITY_ = 'Rome'",
            "channel": "email",
            "columns": ["EMAIL_ADDRESS_", "CITY_"],
        },
        "everyone": {"where": "true", "channel": "none"},
    },
    "deliveries": {
        "partner": {
            "segment": "rome",
            "to": "outbox",
            "file": "rome_{YYYYMMDD}_{HHMISS}.csv",
            "rename": {"CITY_": "CITY"},
            "columns": ["EMAIL_ADDRESS_", "CITY_"],
            "guard": {"min_rows": 1},
        }
    },
    "schedule": {"cron": "0 6 * * *", "on_missing": "fail"},
}


@dataclass
class World:
    """`project` tells the time that `clock` holds."""

    project: Project
    instance: dg.DagsterInstance
    folder: Path
    _built: tuple[Project, dg.Definitions] | None = None

    @property
    def lake(self) -> Lake:
        return Lake(self.project.lake_path)

    @property
    def defs(self) -> dg.Definitions:
        """The definitions of the project as it is now."""
        if self._built is None or self._built[0] is not self.project:
            self._built = (self.project, build_definitions(self.project))
        return self._built[1]

    def later(self, **by: float) -> None:
        """Move the clock."""
        self.project = self.at(self.project, self.project.now() + dt.timedelta(**by))

    @staticmethod
    def at(project: Project, moment: dt.datetime) -> Project:
        """The project with a clock that stands."""
        return replace(project, now=lambda: moment)

    def send(self, name: str, *rows: str, count: int | None = None, ready: bool = True) -> Path:
        """Put an export and its ready file on the server."""
        path = self.folder / name
        path.write_text("\n".join([HEADER, *rows, ""]))
        if ready:
            path.with_name(f"{name}.ready").write_text(str(len(rows) if count is None else count))
        return path

    def run(
        self, *keys: str, day: str | None = None, tags: Mapping[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Materialise assets by hand."""
        assets = [each for each in self.defs.assets or () if isinstance(each, dg.AssetsDefinition)]
        return dg.materialize(
            assets,
            selection=[dg.AssetKey(key.split("/")) for key in keys],
            instance=self.instance,
            partition_key=day,
            tags=tags,
            raise_on_error=False,
        )

    def run_job(
        self, name: str, day: str | None = None, tags: Mapping[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        return self.defs.resolve_job_def(name).execute_in_process(
            instance=self.instance, partition_key=day, tags=tags, raise_on_error=False
        )

    def tick(self, sensor: str) -> dg.SensorResult | dg.SkipReason:
        """Evaluate a sensor."""
        definition = self.defs.resolve_sensor_def(sensor)
        with dg.build_sensor_context(instance=self.instance, definitions=self.defs) as context:
            found = definition(context)
        assert isinstance(found, dg.SensorResult | dg.SkipReason)
        return found

    def requests(self, sensor: str) -> list[dg.RunRequest]:
        found = self.tick(sensor)
        return [*(found.run_requests or ())] if isinstance(found, dg.SensorResult) else []

    def skipped(self, sensor: str) -> str:
        found = self.tick(sensor)
        assert isinstance(found, dg.SkipReason), found
        return str(found.skip_message)

    def obey(self, request: dg.RunRequest, job: str = "") -> dg.ExecuteInProcessResult:
        """Run what a sensor asked for."""
        return self.run_job(request.job_name or job, request.partition_key, request.tags)

    def decide(self, list_name: str, file: str, action: Action) -> None:
        """A person's verdict."""
        lake = self.lake
        (export,) = [each for each in read_exports(lake, list_name) if each.file == file]
        verdict = Verdict(
            export_id=export.export_id,
            action=action,
            who="ann",
            when=self.project.now(),
            why="checked",
        )
        with lake.writing(), lake.workspace() as work:
            verdict.write(work, export.folder / "0001.verdict.json")


def materialised(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetMaterialization]:
    return {
        event.materialization.asset_key.to_user_string(): event.materialization
        for event in (each.step_materialization_data for each in _materializations(result))
    }


def _materializations(result: dg.ExecuteInProcessResult) -> list[dg.DagsterEvent]:
    return [event for event in result.all_events if event.is_step_materialization]


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {
        f"{each.asset_key.to_user_string()}:{each.check_name}": each.passed
        for each in result.get_asset_check_evaluations()
    }


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What the failed step said."""
    (event,) = [each for each in result.all_events if each.is_step_failure]
    said = event.step_failure_data.user_failure_data
    assert said is not None, event
    return str(said.description)


def until(true: Callable[[], object], seconds: float = 100) -> None:
    """Ask again and again, until something is so."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        pause.wait(0.1)
