"""Ticks of the sensor in bad times: no file is lost, and none is worked on twice."""

from __future__ import annotations

import datetime as dt
import socket
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from responsys_assets.ingest import ingest
from responsys_assets.lake.exports import read_exports
from responsys_assets.orchestration.failures import TickFailure
from responsys_assets.orchestration.tags import WANT
from responsys_assets_tests.conftest import Account
from responsys_assets_tests.orchestration.world import ANN, BOB, READY, World
from responsys_assets_tests.scorecard import Cases, size

RUN_KEY = "dagster/run_key"


class Daemon:
    """Does with a sensor's requests what Dagster's does, and may be killed while it does it.

    A run is created, then launched; a run that was created is launched after a restart, and no
    run is created for a run key that has one.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.created: list[dg.DagsterRun] = []
        self.launched: list[dg.DagsterRun] = []
        self.fetched: list[str] = []

    def tick(self, *, killed_after: int | None = None) -> None:
        """A tick; every request takes two steps, and so many are done before it is killed."""
        steps = 10**6 if killed_after is None else killed_after
        self.launched += self.created
        self.created = []
        try:
            outcome = self.world.tick(READY)
        except TickFailure:
            return
        requests = outcome.run_requests or [] if isinstance(outcome, dg.SensorResult) else []
        for request in requests:
            assert request.run_key is not None
            if steps < 1 or self.has_run(request.run_key):
                continue
            job = self.world.defs.resolve_job_def(request.job_name or "")
            tags = {**request.tags, RUN_KEY: request.run_key}
            run = self.world.instance.create_run_for_job(job, tags=tags)
            (self.launched if steps > 1 else self.created).append(run)
            steps -= 2

    def has_run(self, key: str) -> bool:
        return bool(self.world.instance.get_runs(dg.RunsFilter(tags={RUN_KEY: key})))

    def work(self) -> None:
        """What the launched runs do, without the cost of a run."""
        for run in self.launched:
            before = self.receipts()
            ingest(self.world.project, self.world.lake, ["core"])
            self.fetched += self.receipts() - before
            event = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, run.job_name)
            self.world.instance.report_dagster_event(event, run.run_id)
        self.launched = []

    def receipts(self) -> set[str]:
        return {path.name for path in self.world.lake.root.rglob("*.arrival.json")}


@pytest.mark.scorecard(38)
@pytest.mark.parametrize("_share", range(4))
def test_whenever_the_server_or_the_daemon_dies_every_export_is_ingested_by_one_run(
    make_world: Callable[..., World], cases: Cases, tmp_path: Path, _share: int
) -> None:
    """Fails when neither `in_progress` nor `next_attempt` sees runs in progress, and when
    `decide` knows no arrivals."""
    for number, case in enumerate(cases.draw(5, 50)):
        with dg.DagsterInstance.ephemeral() as instance:
            world = make_world(lake=f"./lake{number}", servers=_servers(tmp_path, number))
            world.instance, world.folder = instance, tmp_path / f"files{number}"
            world.folder.mkdir()
            # later than any run of today, so that no distance between attempts hides a second one
            world.project = World.at(world.project, dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
            daemon, sent = Daemon(world), set[tuple[str, int]]()
            for _ in range(12):
                match case.choice(["send", "send", "down", "up", "tick", "tick", "kill", "work"]):
                    case "send" if world.folder.exists():
                        name = f"CORE_202611{case.randint(1, 5):02}.csv"
                        if not (world.folder / name).exists():
                            sent.add((name, world.send(name, ANN).stat().st_size))
                    case "down" if world.folder.exists():
                        world.folder.rename(tmp_path / "away")
                    case "up" if not world.folder.exists():
                        (tmp_path / "away").rename(world.folder)
                    case "tick":
                        daemon.tick()
                    case "kill":
                        daemon.tick(killed_after=case.randint(0, 5))
                    case "work" if world.folder.exists():
                        daemon.work()
            if not world.folder.exists():
                (tmp_path / "away").rename(world.folder)
            daemon.tick()
            daemon.work()
            daemon.tick()
            assert not daemon.launched, "a tick asks for nothing that is done"
            exports = read_exports(world.lake, "core")
            assert {
                (each.file, each.arrival.data.size) for each in exports if each.accepted
            } == sent
            assert len(daemon.fetched) == len(set(daemon.fetched)) == len(sent)
            wants = [run.tags[WANT] for run in instance.get_runs()]
            assert len(wants) == len(set(wants))


def _servers(folder: Path, number: int) -> dict[str, object]:
    files = {"type": "local", "path": str(folder / f"files{number}")}
    return {"files": files, "outbox": {"type": "local", "path": str(folder / "outbox")}}


@pytest.mark.scorecard(38)
def test_after_any_number_of_ticks_without_the_server_the_next_one_sees_everything(
    make_world: Callable[..., World], sftp_account: Account, sftp_folder: Path
) -> None:
    """Fails when the sensor lets a `TransientServerError` through."""
    core = {"server": "files", "folder": sftp_folder.name, "files": "CORE_{YYYYMMDD}.csv"}
    outbox = {"type": "local", "path": "outbox"}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    down = {"files": {**sftp_account.config, "port": port}, "outbox": outbox}
    up = {"files": sftp_account.config, "outbox": outbox}
    world = make_world(lists={"core": core}, servers=down)
    world.folder = sftp_folder
    for number in range(size(10, 100)):
        if number < 10:
            world.send(f"CORE_202611{1 + number:02}.csv", ANN, BOB)
        assert "(asked again in 60 s)" in world.skipped(READY)
    back = make_world(lists={"core": core}, servers=up)
    assert len(back.requests(READY)) == 10


@pytest.mark.scorecard(38)
def test_a_folder_that_is_missing_keeps_no_other_folder_of_the_server_waiting(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    """Fails when `_visit` catches no fault of a single folder."""
    lists = {
        "web": {"server": "files", "folder": "gone", "files": "WEB_{YYYYMMDD}.csv"},
        "core": {"server": "files", "files": "CORE_{YYYYMMDD}.csv"},
    }
    world = make_world(lists=lists, segments={}, deliveries={})
    world.send("CORE_20261120.csv", ANN)
    (request,) = world.requests(READY)
    assert request.partition_key == "2026-11-20"
    ingest(world.project, world.lake, ["core"])
    with pytest.raises(TickFailure, match=r"web: .* has no folder"):
        world.tick(READY)
