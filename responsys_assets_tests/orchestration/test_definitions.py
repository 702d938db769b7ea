"""What a configuration becomes in Dagster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from responsys_assets.orchestration.build import build_definitions, load_definitions
from responsys_assets_tests.orchestration.world import TODAY, World

CHECKS = [
    "consent:recorded",
    "deliveries/partner:guard",
    "exported/core:arrived",
    "exported/web:arrived",
    "profiles:key_filled",
    "profiles:one_row_per_key",
    "segments/rome:no_opted_out",
    "staged/core:accepted",
    "staged/core:key_filled",
    "staged/core:records_conserved",
    "staged/web:accepted",
    "staged/web:key_filled",
    "staged/web:records_conserved",
]


def test_the_definitions_are_loadable(world: World) -> None:
    dg.Definitions.validate_loadable(world.defs)


def test_every_name_that_users_see_stays(world: World) -> None:
    repository = world.defs.get_repository_def()
    graph = world.defs.resolve_asset_graph()
    keys = sorted(key.to_user_string() for key in graph.get_all_asset_keys())
    assert keys == [
        "consent",
        "deliveries/partner",
        "exported/core",
        "exported/web",
        "profiles",
        "segments/everyone",
        "segments/rome",
        "staged/core",
        "staged/web",
    ]
    checks = {f"{key.asset_key.to_user_string()}:{key.name}" for key in graph.asset_check_keys}
    assert sorted(checks) == CHECKS
    jobs = {name for name in repository.job_names if not name.startswith("__")}
    assert jobs == {
        "ingest_core",
        "ingest_web",
        "refresh",
        "daily_sync",
        "deadline_core",
        "deadline_web",
    }
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "exports_ready_files",
        "lists_complete",
        "lists_late",
    }
    assert {schedule.name for schedule in repository.schedule_defs} == {
        "daily_sync",
        "deadline_core",
    }


def test_lineage_follows_the_data(world: World) -> None:
    graph = world.defs.resolve_asset_graph()
    parents = {
        key.to_user_string(): {each.to_user_string() for each in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }
    assert parents["staged/core"] == {"exported/core"}
    assert parents["consent"] == {"staged/core", "staged/web"}
    assert parents["profiles"] == {"staged/core", "staged/web", "consent"}
    assert parents["segments/rome"] == {"profiles"}
    assert parents["deliveries/partner"] == {"segments/rome"}


def test_a_delivery_of_all_profiles_hangs_on_profiles(make_world: Callable[..., World]) -> None:
    delivery = {"segment": "profiles", "to": "outbox", "file": "all_{YYYYMMDD}.csv"}
    graph = make_world(deliveries={"all": delivery}).defs.resolve_asset_graph()
    parents = graph.get(dg.AssetKey(["deliveries", "all"])).parent_keys
    assert parents == {dg.AssetKey("profiles")}


def test_every_asset_has_a_group_an_owner_kinds_and_a_description(world: World) -> None:
    graph = world.defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.group_name == key.path[0]
        assert node.owners
        assert node.kinds
        assert node.description


def test_days_begin_in_account_time_and_today_is_one_of_them(world: World) -> None:
    partitions = world.defs.resolve_asset_graph().get(dg.AssetKey(["staged", "core"]))
    found = partitions.partitions_def
    assert isinstance(found, dg.DailyPartitionsDefinition)
    with dg.partition_loading_context(effective_dt=world.project.now()):
        assert found.get_last_partition_key() == TODAY
    assert found.timezone == "America/New_York"


def test_sensors_and_schedules_run_by_themselves_only_where_that_was_asked(world: World) -> None:
    for automated, sensor, schedule in (
        (False, dg.DefaultSensorStatus.STOPPED, dg.DefaultScheduleStatus.STOPPED),
        (True, dg.DefaultSensorStatus.RUNNING, dg.DefaultScheduleStatus.RUNNING),
    ):
        found = build_definitions(world.project, automated=automated).get_repository_def()
        assert {each.default_status for each in found.sensor_defs} == {sensor}
        assert {each.default_status for each in found.schedule_defs} == {schedule}


def test_a_configuration_without_schedule_has_no_daily_sync(
    make_world: Callable[..., World],
) -> None:
    repository = make_world(schedule=None).defs.get_repository_def()
    assert "daily_sync" not in repository.job_names


def test_loading_needs_no_secret(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    config = json.loads(world.project.file.read_text())
    config["servers"]["files"] = {
        "type": "sftp",
        "host": "files.example.com",
        "username": "acme",
        "private_key_file": "${NOT_SET_HERE}",
        "host_keys": ["ssh-ed25519 AAAA"],
    }
    world.project.file.write_text(json.dumps(config))
    monkeypatch.setenv("RESPONSYS_CONFIG", str(world.project.file))
    dg.Definitions.validate_loadable(load_definitions())


def test_a_wrong_configuration_is_one_sentence_in_the_code_location(tmp_path: Path) -> None:
    file = tmp_path / "responsys.yaml"
    file.write_text("account: {name: acme, timezone: Mars/Olympus}\n")
    command = "dagster definitions validate -m responsys_assets.definitions"
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        env={
            **os.environ,
            "RESPONSYS_CONFIG": str(file),
            "DAGSTER_REDACT_USER_CODE_ERRORS": "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert f"{file}:1: account.timezone: expected an IANA zone" in done.stdout + done.stderr
