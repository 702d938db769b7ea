"""The program that is told of failed runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from responsys_assets_tests.orchestration.world import ANN, TODAY, World

TOLD = "told"


@pytest.fixture
def alarmed(make_world: Callable[..., World]) -> World:
    return make_world(alert={"command": ["sh", "-c", f"cat >> {TOLD}"]})


def fire(world: World, result: dg.ExecuteInProcessResult) -> None:
    """What Dagster's daemon does when it sees that a run has failed."""
    (event,) = world.instance.all_logs(result.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    run = world.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert event.dagster_event is not None
    context = dg.build_run_status_sensor_context(
        "alert", event.dagster_event, world.instance, run
    ).for_run_failure()
    sensor = world.defs.resolve_sensor_def("alert")
    with context:
        sensor(context)


def told(world: World) -> str:
    path: Path = world.project.file.parent / TOLD
    return path.read_text() if path.exists() else ""


def test_a_late_list_and_a_held_export_are_told_in_a_line_each(alarmed: World) -> None:
    fire(alarmed, alarmed.run_job("deadline_core"))
    alarmed.send("CORE_20261120.csv", ANN, count=2)
    fire(alarmed, alarmed.run_job("ingest_core", TODAY))
    late, held = told(alarmed).splitlines()
    assert late.startswith("acme: deadline_core failed: core is late since 2026-11-20 05:30")
    assert held.startswith(f"acme: ingest_core of {TODAY} failed: ")
    assert "CORE_20261120.csv is held" in held


def test_a_run_that_is_tried_again_by_itself_is_not_told(alarmed: World) -> None:
    late = alarmed.run_job("deadline_core", tags={"dagster/will_retry": "true"})
    fire(alarmed, late)
    assert told(alarmed) == ""


@pytest.mark.parametrize(
    ("command", "said"),
    [(["./nothing"], "cannot be started"), (["false"], "ended with code 1")],
)
def test_a_program_that_fails_fails_the_tick(
    make_world: Callable[..., World], command: list[str], said: str
) -> None:
    world = make_world(alert={"command": command})
    with pytest.raises(dg.DagsterError, match=rf"alert\.command.*{said}"):
        fire(world, world.run_job("deadline_core"))
