"""What sensors decide, on real lakes and run records."""

from __future__ import annotations

import datetime as dt
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from responsys_assets.orchestration.failures import TickFailure
from responsys_assets.sync import sync
from responsys_assets_tests.conftest import Account
from responsys_assets_tests.orchestration.world import (
    ANN,
    BOB,
    COMPLETE,
    READY,
    TODAY,
    World,
    materialised,
)


def _labels(requests: list[dg.RunRequest]) -> list[tuple[str | None, str | None]]:
    return [(each.job_name, each.partition_key) for each in requests]


def _fail(world: World, request: dg.RunRequest) -> None:
    """A run of this request that ended badly just now."""
    run = world.instance.create_run_for_job(
        world.defs.resolve_job_def(request.job_name or "refresh"), tags=dict(request.tags)
    )
    world.instance.report_run_failed(run)


def test_a_ready_export_asks_for_one_run(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    world.send("WEB_20261119.csv", BOB)
    (core, web) = world.requests(READY)
    assert _labels([core, web]) == [("ingest_core", TODAY), ("ingest_web", "2026-11-19")]
    assert world.obey(core).success
    assert world.obey(web).success
    assert "2 exports are known" in world.skipped(READY)


def test_an_export_without_its_ready_file_is_waited_for_by_name(world: World) -> None:
    world.send("CORE_20261120.csv", ANN, ready=False)
    assert "CORE_20261120.csv waits: its ready file is not there yet" in world.skipped(READY)


def test_ticks_see_a_file_settle_and_then_ask_for_one_run(make_world: Callable[..., World]) -> None:
    core = {"server": "files", "files": "CORE_{YYYYMMDD}.csv", "ready": "none", "settle": "2m"}
    world = make_world(lists={"core": core}, segments={}, deliveries={})
    world.send("CORE_20261120.csv", ANN, ready=False)
    assert "taken once it is unchanged for 120 s" in world.skipped(READY)
    world.later(minutes=1)
    assert "first seen at 2026-11-20 10:00:00" in world.skipped(READY)
    world.later(minutes=1)
    (request,) = world.requests(READY)
    assert world.obey(request).success
    assert "1 exports are known" in world.skipped(READY)


def test_late_and_backdated_exports_are_taken_as_well(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    world.obey(world.requests(READY)[0])
    world.send("CORE_20261103.csv", ANN)
    world.send("CORE_20261120.csv", ANN, BOB)  # sent again with other content
    assert _labels(world.requests(READY)) == [
        ("ingest_core", TODAY),
        ("ingest_core", "2026-11-03"),
    ]


def test_the_same_want_has_the_same_run_key_on_every_tick(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    assert world.requests(READY)[0].run_key == world.requests(READY)[0].run_key


def test_a_run_in_flight_holds_back(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    (request,) = world.requests(READY)
    job = world.defs.resolve_job_def("ingest_core")
    world.instance.create_run_for_job(
        job, tags=dict(request.tags), status=dg.DagsterRunStatus.STARTED
    )
    assert f"core/{TODAY} is being worked on" in world.skipped(READY)


def test_a_failed_run_is_asked_for_again_and_the_third_failure_is_loud(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    keys = []
    for _ in range(3):
        world.project = World.at(world.project, dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
        (request,) = world.requests(READY)
        keys.append(request.run_key)
        _fail(world, request)
    assert len(set(keys)) == 3
    with pytest.raises(TickFailure, match=f"core/{TODAY} failed 3 times"):
        world.tick(READY)
    world.send("WEB_20261120.csv", BOB)
    assert _labels(world.requests(READY)) == [("ingest_web", TODAY)]


def test_the_next_attempt_keeps_a_distance(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    world.project = World.at(world.project, dt.datetime.now(dt.UTC))
    (request,) = world.requests(READY)
    _fail(world, request)
    assert "it is tried again at" in world.skipped(READY)


def test_an_export_sent_again_after_three_failures_gets_new_attempts(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    (request,) = world.requests(READY)
    for _ in range(3):
        _fail(world, request)
    world.send("CORE_20261120.csv", ANN, BOB)
    assert _labels(world.requests(READY)) == [("ingest_core", TODAY)]


def test_a_held_export_is_not_asked_for_again_until_somebody_decides(world: World) -> None:
    world.send("CORE_20261120.csv", ANN, count=2)
    (request,) = world.requests(READY)
    assert not world.obey(request).success
    world.later(hours=1)
    assert "1 exports are known" in world.skipped(READY)
    world.decide("core", "CORE_20261120.csv", "accept")
    (again,) = world.requests(READY)
    assert world.obey(again).success
    assert world.skipped(READY)


def test_changed_settings_of_a_list_have_its_exports_staged_anew(
    world: World, make_world: Callable[..., World]
) -> None:
    world.send("CORE_20261120.csv", ANN)
    world.obey(world.requests(READY)[0])
    core = {"server": "files", "files": "CORE_{YYYYMMDD}.csv", "max_rejected": 3}
    changed = make_world(lists={"core": core})
    assert _labels(changed.requests(READY)) == [("ingest_core", TODAY)]


def test_a_long_history_comes_in_over_several_ticks_newest_first(world: World) -> None:
    for day in range(1, 16):
        world.send(f"CORE_202611{day:02}.csv", ANN)
    days = [request.partition_key for request in world.requests(READY)]
    assert days == [f"2026-11-{day:02}" for day in range(15, 5, -1)]


def test_a_day_that_has_not_begun_waits_and_one_too_old_is_loud(world: World) -> None:
    world.send("CORE_20261121.csv", ANN)
    assert "core/2026-11-21 waits for its day" in world.skipped(READY)
    world.send("CORE_20090101.csv", ANN)
    with pytest.raises(TickFailure, match=r"set lists\.core\.since"):
        world.tick(READY)


def test_a_folder_that_is_missing_fails_the_tick(world: World) -> None:
    shutil.rmtree(world.folder)
    with pytest.raises(TickFailure):
        world.tick(READY)


def test_a_server_that_is_down_skips_the_tick_and_loses_no_file(
    make_world: Callable[..., World], sftp_account: Account, sftp_folder: Path
) -> None:
    lists = {"core": {"server": "files", "folder": sftp_folder.name, "files": "C_{YYYYMMDD}.csv"}}
    up = {"files": sftp_account.config, "outbox": {"type": "local", "path": "outbox"}}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    world = make_world(lists=lists, servers={**up, "files": {**sftp_account.config, "port": port}})
    assert "(asked again in 60 s)" in world.skipped(READY)
    world = make_world(lists=lists, servers=up)
    world.folder = sftp_folder
    world.send("C_20261120.csv", ANN)
    (request,) = world.requests(READY)
    assert world.obey(request).success


def test_a_server_with_another_host_key_fails_the_tick(
    make_world: Callable[..., World], sftp_account: Account, sftp_folder: Path, client_key: Path
) -> None:
    lists = {"core": {"server": "files", "folder": sftp_folder.name, "files": "C_{YYYYMMDD}.csv"}}
    other = " ".join(client_key.with_suffix(".pub").read_text().split()[:2])
    server = {**sftp_account.config, "host_keys": [other]}
    outbox = {"type": "local", "path": "outbox"}
    world = make_world(lists=lists, servers={"files": server, "outbox": outbox})
    with pytest.raises(TickFailure, match="is not the server it should be"):
        world.tick(READY)


def test_losing_the_run_records_repeats_nothing(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    world.obey(world.requests(READY)[0])
    world.obey(world.requests(COMPLETE)[0], "refresh")
    with dg.DagsterInstance.ephemeral() as other:
        world.instance = other
        assert "1 exports are known" in world.skipped(READY)
        assert "everything that was accepted is merged" in world.skipped(COMPLETE)


def test_the_refresh_waits_for_all_required_lists(make_world: Callable[..., World]) -> None:
    lists = {
        name: {"server": "files", "files": f"{name.upper()}_{{YYYYMMDD}}.csv"}
        for name in ("core", "loyalty")
    }
    world = make_world(lists=lists)
    world.send("CORE_20261120.csv", ANN)
    world.send("LOYALTY_20261119.csv", BOB)
    for request in world.requests(READY):
        world.obey(request)
    assert world.skipped(COMPLETE) == "waiting for today's export of loyalty"
    world.send("LOYALTY_20261120.csv", BOB)
    world.obey(world.requests(READY)[0])
    (request,) = world.requests(COMPLETE)
    result = world.obey(request, "refresh")
    assert result.success
    assert "deliveries/partner" in materialised(result)
    assert "everything that was accepted is merged" in world.skipped(COMPLETE)


def test_a_late_list_that_is_not_required_is_merged_when_it_comes(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    world.obey(world.requests(READY)[0])
    world.obey(world.requests(COMPLETE)[0], "refresh")
    world.send("WEB_20261118.csv", BOB)
    world.obey(world.requests(READY)[0])
    assert len(world.requests(COMPLETE)) == 1


def test_nothing_is_left_for_the_sensors_after_a_sync_from_the_shell(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    sync(world.project)
    assert "1 exports are known" in world.skipped(READY)
    assert "everything that was accepted is merged" in world.skipped(COMPLETE)


def test_a_delivery_that_was_not_sent_is_asked_for_and_a_held_one_is_not(
    world: World, make_world: Callable[..., World]
) -> None:
    world.send("CORE_20261120.csv", ANN)
    sync(world.project, deliver=False)
    assert len(world.requests(COMPLETE)) == 1
    partner = {"segment": "rome", "to": "outbox", "file": "x.csv", "guard": {"min_rows": 5}}
    held = make_world(deliveries={"partner": partner})
    assert not held.obey(held.requests(COMPLETE)[0], "refresh").success
    held.later(hours=1)
    assert "everything that was accepted is merged" in held.skipped(COMPLETE)


def test_a_suppression_file_that_is_missing_fails_the_tick(
    make_world: Callable[..., World],
) -> None:
    world = make_world(suppressions=[{"file": "gone.csv", "column": "EMAIL_ADDRESS_"}])
    world.send("CORE_20261120.csv", ANN)
    world.obey(world.requests(READY)[0])
    assert not world.obey(world.requests(COMPLETE)[0], "refresh").success
    with pytest.raises(TickFailure, match=r"gone\.csv"):
        world.tick(COMPLETE)
