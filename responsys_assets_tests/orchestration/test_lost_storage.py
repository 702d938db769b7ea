"""Dagster's storage deleted or garbled: the lake goes on where it was."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from responsys_assets.commands.dagster_home import instance_settings, tell_dagster
from responsys_assets.progress import SILENT
from responsys_assets.sync import sync
from responsys_assets_tests.conftest import MakeProject
from responsys_assets_tests.orchestration.world import (
    ANN,
    COMPLETE,
    CONFIG,
    NOW,
    READY,
    TODAY,
    World,
)
from responsys_assets_tests.scorecard import FULL

DAN = "4,dan@example.com,I,Rome"


def delete(path: Path) -> None:
    shutil.rmtree(path)


def garble(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))  # noqa: S311


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 3)


WAYS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "everything is deleted": (".", delete),
    "the history is deleted": ("history", delete),
    "the events are deleted": ("history/runs", delete),
    "the ticks are deleted": ("schedules", delete),
    "the runs are garbled": ("history/runs.db", garble),
    "the events are garbled": ("history/runs/index.db", garble),
    "the ticks are garbled": ("schedules/schedules.db", garble),
    "the runs are cut": ("history/runs.db", cut),
    "the events are cut": ("history/runs/index.db", cut),
}


def opened(home: Path) -> dg.DagsterInstance:
    """As an operator would: what cannot be opened is moved away, as the how-to says."""
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text(instance_settings())
    try:
        instance = dg.DagsterInstance.from_config(str(home))
        instance.get_runs()
        instance.all_instigator_state()
        instance.fetch_materializations(dg.AssetKey("profiles"), limit=1)
    except Exception:  # noqa: BLE001 - whatever SQLite says of garbage
        (home / "damaged").mkdir()
        for name in ("history", "schedules"):
            (home / name).rename(home / "damaged" / name)
        return dg.DagsterInstance.from_config(str(home))
    return instance


def receipts(world: World) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in world.lake.root.rglob("*.json")}


def delivered(world: World) -> list[str]:
    return sorted(path.read_text() for path in world.folder.with_name("outbox").iterdir())


@pytest.mark.scorecard(40)
@pytest.mark.parametrize("way", WAYS if FULL else ["the runs are garbled"])
def test_the_next_tick_neither_loses_nor_repeats(
    way: str, make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when `_is_known` of exported/arrival.py, or `was_delivered` of deliveries/source.py,
    answers no: then a tick asks for what was done already."""
    (tmp_path / "outbox").mkdir()
    places = {n: {"type": "local", "path": str(tmp_path / n)} for n in ("files", "outbox")}
    project = replace(make_project(servers=places, **CONFIG), now=lambda: NOW)
    home = tmp_path / "home"
    world = World(project, opened(home), tmp_path / "files")
    with world.instance:
        world.send("CORE_20261120.csv", ANN)
        assert world.obey(world.requests(READY)[0]).success
        sync(project)
        world.send("WEB_20261120.csv", DAN)  # it has come, and nobody has asked for it yet
    known, sent = receipts(world), delivered(world)
    place, damage = WAYS[way]
    damage(home / place)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    tell_dagster(project, SILENT)  # a shell is not stopped by it
    world.later(minutes=1)
    with opened(home) as world.instance:
        assert receipts(world) == known
        (request,) = world.requests(READY)
        assert (request.job_name, request.partition_key) == ("ingest_web", TODAY)
        assert world.obey(request).success
        (request,) = world.requests(COMPLETE)
        assert world.obey(request, "refresh").success
        for sensor in (READY, COMPLETE):
            assert world.skipped(sensor)
    assert known.items() <= receipts(world).items()
    assert len(delivered(world)) == len(sent) + 1
    assert [text for text in delivered(world) if "dan@example.com" not in text] == sent
