"""What a sync from the shell looks like in Dagster."""

from __future__ import annotations

import dagster as dg

from responsys_assets.orchestration.runless import report_runless
from responsys_assets.sync import sync
from responsys_assets_tests.orchestration.world import ANN, BOB, CAT, TODAY, World


def _materialisations(world: World) -> list[tuple[str, str | None]]:
    found = []
    for key in world.instance.all_asset_keys():
        records = world.instance.fetch_materializations(key, limit=100).records
        found += [(key.to_user_string(), record.partition_key) for record in records]
    return sorted(found)


def _check(world: World, asset: str, name: str) -> bool | None:
    key = dg.AssetCheckKey(dg.AssetKey(asset.split("/")), name)
    record = world.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])
    evaluation = record[key].evaluation if key in record else None
    return evaluation.passed if evaluation else None


def test_a_sync_from_the_shell_shows_as_materialised_assets_and_checks(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    world.send("CORE_20261119.csv", ANN)
    world.send("WEB_20261120.csv", CAT)
    sync(world.project)
    report_runless(world.instance, world.project)
    assert _materialisations(world) == [
        ("consent", None),
        ("deliveries/partner", None),
        ("exported/core", "2026-11-19"),
        ("exported/core", TODAY),
        ("exported/web", TODAY),
        ("profiles", None),
        ("segments/everyone", None),
        ("segments/rome", None),
        ("staged/core", "2026-11-19"),
        ("staged/core", TODAY),
        ("staged/web", TODAY),
    ]
    assert _check(world, "segments/rome", "no_opted_out") is True


def test_what_dagster_knows_is_not_told_again(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    sync(world.project)
    report_runless(world.instance, world.project)
    before = _materialisations(world)
    sync(world.project)
    report_runless(world.instance, world.project)
    assert _materialisations(world) == before


def test_what_a_run_made_is_known(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    world.run("exported/core", "staged/core", day=TODAY)
    world.run("consent", "profiles", "segments/rome", "segments/everyone", "deliveries/partner")
    before = _materialisations(world)
    report_runless(world.instance, world.project)
    assert _materialisations(world) == before


def test_a_held_export_is_a_failed_check_that_later_days_do_not_hide(world: World) -> None:
    world.send("CORE_20261119.csv", ANN, count=2)
    world.send("CORE_20261120.csv", ANN, BOB)
    sync(world.project)
    report_runless(world.instance, world.project)
    assert ("staged/core", "2026-11-19") not in _materialisations(world)
    assert ("staged/core", TODAY) in _materialisations(world)
    assert _check(world, "staged/core", "accepted") is False


def test_a_plan_that_was_not_sent_is_not_a_delivery(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    sync(world.project, deliver=False)
    report_runless(world.instance, world.project)
    assert "deliveries/partner" not in dict(_materialisations(world))
