"""Runs whose process is killed: found dead by the monitor, started again, delivered once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import (
    consume_new_runs_for_automatic_reexecution,
)
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
from dagster._daemon.run_coordinator import QueuedRunCoordinatorDaemon
from dagster_graphql.schema import create_schema

from responsys_assets.commands.dagster_home import instance_settings
from responsys_assets_tests.orchestration.world import ANN, BOB, CONFIG, HEADER, until
from responsys_assets_tests.scorecard import FULL

PACKAGE_ROOT = Path(__file__).parents[2]
DAY = "2026-11-20"
FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)
RENAMES = 21  # of a run, from the first export fetched to the delivery recorded
SENT = 19  # the file is in the outbox, and nothing says so yet
WAIT = "code_servers: {wait_for_local_processes_on_shutdown: true}\n"  # leave none behind
LOG = logging.getLogger("test")
LAUNCH = """
mutation ($job: ExecutionParams!) {
  launchRun(executionParams: $job) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""


class Killed:
    """A project, and what the daemon does for its runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.order = folder / "die_at"
        for name in ("files", "outbox", "home"):
            (folder / name).mkdir()
        places = {n: {"type": "local", "path": str(folder / n)} for n in ("files", "outbox")}
        account = {"name": "acme", "timezone": "America/New_York"}
        config = {"account": account, "lake": "./lake", "servers": places, **CONFIG}
        config["profiles"] = {"match_on": "CUSTOMER_ID_"}
        self.config = folder / "responsys.yaml"
        self.config.write_text(json.dumps(config))
        for name in ("CORE", "WEB"):
            data = folder / "files" / f"{name}_20261120.csv"
            data.write_text(f"{HEADER}\n{ANN}\n{BOB}\n")
            data.with_name(f"{data.name}.ready").write_text("2")
        (folder / "home" / "dagster.yaml").write_text(instance_settings() + WAIT)
        self.instance = dg.DagsterInstance.from_config(str(folder / "home"))

    @contextmanager
    def context(self) -> Iterator[WorkspaceProcessContext]:
        """With a code server of its own, as after a restart."""
        target = ModuleTarget(
            module_name="responsys_assets_tests.orchestration.dying",
            attribute=None,
            working_directory=str(PACKAGE_ROOT),
            location_name="responsys",
        )
        with WorkspaceProcessContext(self.instance, target) as found:
            yield found

    def launch(self, context: WorkspaceProcessContext, job: str) -> str:
        """A person presses the button; the queue starts the run. Its id."""
        selector = {
            "repositoryLocationName": "responsys",
            "repositoryName": "__repository__",
            "jobName": job,
        }
        tags = [{"key": "dagster/partition", "value": DAY}]
        params = {"selector": selector, "executionMetadata": {"tags": tags}, "runConfigData": {}}
        request = context.create_request_context()
        answer = asyncio.run(
            create_schema().execute_async(LAUNCH, variables={"job": params}, context=request)
        )
        assert answer.data is not None, answer.errors
        launched = answer.data["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        self.dequeue(context)
        return str(launched["run"]["runId"])

    def dequeue(self, context: WorkspaceProcessContext) -> None:
        daemon = QueuedRunCoordinatorDaemon(interval_seconds=1)
        with daemon:
            for error in daemon.run_iteration(context):
                assert error is None, error

    def monitor(self, context: WorkspaceProcessContext, run_id: str) -> dg.DagsterRunStatus:
        """What the monitor does every minute; the status of a run after it."""
        for error in execute_run_monitoring_iteration(context, LOG):
            assert error is None, error
        return self.status(run_id)

    def retry(self, context: WorkspaceProcessContext, run_id: str) -> str:
        """What the daemon does about a run that failed; the id of the new run."""
        record = self.instance.get_run_record_by_id(run_id)
        assert record is not None
        for error in consume_new_runs_for_automatic_reexecution(context, [record], LOG):
            assert error is None, error
        (again,) = self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
        self.dequeue(context)
        return again.run_id

    def status(self, run_id: str) -> dg.DagsterRunStatus:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status


@pytest.fixture
def killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Killed:
    monkeypatch.setenv("RESPONSYS_CONFIG", str(tmp_path / "responsys.yaml"))
    monkeypatch.setenv("DIE_AT", str(tmp_path / "die_at"))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    return Killed(tmp_path)


@pytest.mark.scorecard(39)
@pytest.mark.timeout(240)
@pytest.mark.parametrize("rename", range(1, RENAMES + 1) if FULL else [SENT])
def test_a_run_whose_process_dies_with_its_server_is_started_again_and_delivers_once(
    killed: Killed, rename: int
) -> None:
    """Fails when `WatchedRunLauncher` is not in templates/dagster.yaml: the run stays STARTED."""
    killed.order.write_text(str(rename))
    with killed.context() as context:
        first = killed.launch(context, "daily_sync")
        killed.order.with_suffix(".now").touch()
        until(lambda: not killed.order.exists())
        assert killed.status(first) == dg.DagsterRunStatus.STARTED
    with killed.context() as context:
        until(lambda: killed.monitor(context, first) == dg.DagsterRunStatus.FAILURE)
        second = killed.retry(context, first)
        until(lambda: killed.status(second) in FINISHED)
    assert killed.status(second) == dg.DagsterRunStatus.SUCCESS
    names = sorted(path.name for path in (killed.folder / "outbox").rglob("*") if path.is_file())
    assert len(names) == 1, names
