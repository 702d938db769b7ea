"""`responsys ui` as a person starts it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import responsys_assets
from responsys_assets_tests.commands.conftest import Small
from responsys_assets_tests.orchestration.world import until

ASSETS = "{ assetsOrError { ... on AssetConnection { nodes { key { path } } } } }"


class Ui:
    """A running one; it has answered already."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.url = process.stdout.readline().split()[-1]
        until(lambda: self.code("/server_info") == 200)

    def code(self, path: str, **headers: str) -> int:
        request = urllib.request.Request(self.url + path, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except urllib.error.URLError:
            return 0

    def ask(self, query: str) -> Any:
        body = json.dumps({"query": query}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + "/graphql", body, headers)  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return json.load(answer)["data"]


@pytest.fixture
def ui(small: Small) -> Iterator[Ui]:
    code = "from responsys_assets.commands.main import main; main()"
    left_out = ("DAGSTER_HOME", "RESPONSYS_CONFIG")
    variables = {name: value for name, value in os.environ.items() if name not in left_out}
    with subprocess.Popen(
        [sys.executable, "-c", code, "ui", "--read-only", "--port", "0"],
        cwd=small.folder,
        env={**variables, "PYTHONPATH": str(Path(responsys_assets.__file__).parents[1])},
        umask=0,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Ui(process)
        finally:
            process.kill()


@pytest.mark.scorecard(41)
def test_it_shows_the_project_to_this_machine_alone_and_ends_with_ctrl_c(
    small: Small, ui: Ui
) -> None:
    """Fails when `serve` hands DagsterWebserver instead of our Webserver to uvicorn."""
    assert ui.url.startswith("http://127.0.0.1:")
    assert ui.code("/server_info", Host="evil.example") == 400
    assert ui.code("/server_info", Origin="http://evil.example") == 403
    until(lambda: len(ui.ask(ASSETS)["assetsOrError"]["nodes"]) == 6)
    home = small.folder / ".dagster"
    assert "WatchedRunLauncher" in (home / "dagster.yaml").read_text()
    assert {
        path for path in [home, *home.rglob("*")] if stat.S_IMODE(path.stat().st_mode) & 0o77
    } == set()
    ui.process.send_signal(signal.SIGINT)
    _, err = ui.process.communicate(timeout=60)
    assert (ui.process.returncode, err) == (0, "")
