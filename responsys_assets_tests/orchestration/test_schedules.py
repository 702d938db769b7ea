"""What the daily sync and the deadlines of lists do, on real lakes and run records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import dagster as dg

from responsys_assets.sync import sync
from responsys_assets_tests.orchestration.world import (
    ANN,
    BOB,
    CAT,
    LATE,
    READY,
    TODAY,
    World,
    checks,
    failure,
    materialised,
)


def _scheduled(world: World, name: str, moment: dt.datetime) -> dg.RunRequest:
    definition = world.defs.resolve_schedule_def(name)
    with dg.build_schedule_context(
        instance=world.instance, scheduled_execution_time=moment
    ) as context:
        request = definition(context)
    assert isinstance(request, dg.RunRequest)
    return request


def test_the_daily_sync_is_for_the_day_in_account_time(world: World) -> None:
    evening = dt.datetime(2026, 11, 21, 3, 0, tzinfo=dt.UTC)  # still the 20th in New York
    request = _scheduled(world, "daily_sync", evening)
    assert request.partition_key == TODAY
    schedule = world.defs.resolve_schedule_def("daily_sync")
    assert schedule.cron_schedule == "0 6 * * *"
    assert schedule.execution_timezone == "America/New_York"


def test_the_daily_sync_does_everything(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    world.send("WEB_20261120.csv", CAT)
    result = world.run_job("daily_sync", TODAY)
    assert result.success
    assert len(materialised(result)) == 9


def test_the_daily_sync_goes_on_without_lists_that_are_not_required(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    result = world.run_job("daily_sync", TODAY)
    assert result.success
    assert checks(result)["exported/web:arrived"] is False
    assert "deliveries/partner" in materialised(result)


def test_the_daily_sync_stops_before_the_merge_if_a_required_list_is_missing(
    world: World,
) -> None:
    world.send("WEB_20261120.csv", ANN)
    result = world.run_job("daily_sync", TODAY)
    assert not result.success
    assert "no export of core for 2026-11-20 has arrived" in failure(result)
    assert set(materialised(result)) == {"exported/web", "staged/web"}


def test_on_missing_proceed_warns_and_goes_on(make_world: Callable[..., World]) -> None:
    world = make_world(schedule={"cron": "0 6 * * *", "on_missing": "proceed"})
    world.send("CORE_20261119.csv", ANN)
    sync(world.project)
    world.send("CORE_20261120.csv", BOB, count=9)
    result = world.run_job("daily_sync", TODAY)
    assert result.success
    (held,) = [
        each
        for each in result.get_asset_check_evaluations()
        if each.check_name == "accepted" and each.asset_key == dg.AssetKey(["staged", "core"])
    ]
    assert not held.passed
    assert held.severity is dg.AssetCheckSeverity.WARN
    assert "profiles" in materialised(result)


def test_a_deadline_that_passed_without_the_export_is_a_failed_run_and_a_failed_check(
    world: World,
) -> None:
    request = _scheduled(world, "deadline_core", dt.datetime(2026, 11, 20, 10, 30, tzinfo=dt.UTC))
    late = world.run_job("deadline_core", tags=request.tags)
    assert "core is late since 2026-11-20 05:30" in failure(late)
    assert "no export of core for 2026-11-20 has arrived" in failure(late)
    key = dg.AssetCheckKey(dg.AssetKey(["exported", "core"]), "arrived")
    latest = world.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])
    evaluation = latest[key].evaluation
    assert evaluation is not None
    assert not evaluation.passed


def test_a_deadline_is_red_until_the_export_comes_and_content_then(world: World) -> None:
    request = _scheduled(world, "deadline_core", dt.datetime(2026, 11, 20, 10, 30, tzinfo=dt.UTC))
    assert not world.run_job("deadline_core", tags=request.tags).success
    assert _red(world) == {"arrived", "accepted"}
    world.send("CORE_20261120.csv", ANN)
    assert world.obey(world.requests(READY)[0]).success
    assert _red(world) == set()
    assert world.run_job("deadline_core", tags=request.tags).success


def test_a_held_export_is_late_and_says_why(world: World) -> None:
    world.send("CORE_20261120.csv", ANN, count=2)
    sync(world.project)
    late = world.run_job("deadline_core")
    assert "CORE_20261120.csv is held" in failure(late)
    assert _red(world) == {"accepted"}


def test_an_export_that_is_fetched_and_not_staged_is_red_at_its_deadline(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    assert world.run("exported/core", day=TODAY).success
    assert "fetched and not staged" in failure(world.run_job("deadline_core"))
    assert _red(world) == {"accepted"}


def test_a_list_without_deadline_that_stops_is_one_failed_run_and_red(world: World) -> None:
    for day in range(9, 14):
        world.send(f"WEB_202611{day:02}.csv", ANN)
    world.later(days=-6)
    sync(world.project)
    assert "no list has stopped coming" in world.skipped(LATE)
    world.later(days=6)
    (request,) = world.requests(LATE)
    assert world.requests(LATE)[0].run_key == request.run_key  # so Dagster starts it once
    assert request.job_name == "deadline_web"
    late = world.obey(request)
    assert "no full export of web was accepted after WEB_20261113.csv" in failure(late)
    assert not _passed(world, "web", "arrived")


def test_a_list_that_has_a_deadline_or_none_has_no_sensor_for_it(
    make_world: Callable[..., World],
) -> None:
    core = {"server": "files", "files": "CORE_{YYYYMMDD}.csv"}
    for deadline, jobs in (("05:30", {"deadline_core"}), ("none", set())):
        repository = make_world(
            lists={"core": core | {"deadline": deadline}}, segments={}, deliveries={}
        ).defs.get_repository_def()
        assert LATE not in {sensor.name for sensor in repository.sensor_defs}
        assert {name for name in repository.job_names if name.startswith("deadline")} == jobs


def _passed(world: World, list_name: str, check: str) -> bool:
    key = dg.AssetCheckKey(dg.AssetKey(["exported", list_name]), check)
    found = world.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])
    evaluation = found[key].evaluation
    assert evaluation is not None
    return evaluation.passed


def _red(world: World) -> set[str]:
    """The checks of the list `core` that failed when they were last made."""
    assets = [dg.AssetKey(["exported", "core"]), dg.AssetKey(["staged", "core"])]
    keys = [dg.AssetCheckKey(asset, name) for asset in assets for name in ("arrived", "accepted")]
    found = world.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    evaluations = [each.evaluation for each in found.values()]
    return {each.check_name for each in evaluations if each is not None and not each.passed}
