"""A world for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from responsys_assets_tests.conftest import MakeProject
from responsys_assets_tests.orchestration.world import CONFIG, NOW, World


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as found:
        yield found


@pytest.fixture
def make_world(
    make_project: MakeProject, instance: dg.DagsterInstance, tmp_path: Path
) -> Callable[..., World]:
    """A function that makes a world; top-level keys replace those of CONFIG."""

    def make(**keys: Any) -> World:
        (tmp_path / "outbox").mkdir(exist_ok=True)
        files = {"type": "local", "path": str(tmp_path / "files")}
        outbox = {"type": "local", "path": str(tmp_path / "outbox")}
        config = {"servers": {"files": files, "outbox": outbox}, **CONFIG, **keys}
        project = replace(make_project(**config), now=lambda: NOW)
        return World(project, instance, tmp_path / "files")

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
