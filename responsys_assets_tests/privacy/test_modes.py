"""Whatever is written is for its user alone, whatever the umask."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import responsys_assets
from responsys_assets_tests.orchestration.world import ANN, BOB, CAT, CONFIG, HEADER
from responsys_assets_tests.scorecard import FULL, Cases

UMASKS = [0o000, 0o022, 0o077] if FULL else [0o000]
DAY = "2026-11-20"
RESPONSYS = [sys.executable, "-c", "from responsys_assets.commands.main import main; main()"]
MATERIALIZE = [
    *(sys.executable, "-m", "dagster", "asset", "materialize"),
    *("-m", "responsys_assets.definitions", "--partition", DAY, "--select", "*"),
]


def run(folder: Path, umask: int, *command: str, code: int = 0) -> None:
    """A program with this umask, and with Dagster's folder in `folder`."""
    variables = {
        **os.environ,
        "PYTHONPATH": str(Path(responsys_assets.__file__).parents[1]),
        "PYTHONWARNINGS": "ignore",
        "DAGSTER_HOME": str(folder / "home"),
        "RESPONSYS_CONFIG": str(folder / "responsys.yaml"),
    }
    done = subprocess.run(
        command, cwd=folder, env=variables, umask=umask, check=False, capture_output=True, text=True
    )
    assert done.returncode == code, done.stdout + done.stderr


def open_to_others(root: Path) -> list[str]:
    """What somebody else may read, write or enter."""
    return [
        f"{oct(path.stat().st_mode)} {path.relative_to(root)}"
        for path in [root, *sorted(root.rglob("*"))]
        if stat.S_IMODE(path.lstat().st_mode) & 0o077 and not path.is_symlink()
    ]


def everything(cases: Cases, *roots: Path) -> None:
    """Every file and folder below these, as a case each."""
    for root in roots:
        assert open_to_others(root) == []
        for _ in cases.each(root.rglob("*")):
            pass


def make_project(folder: Path) -> None:
    """Two lists on a local server, with a rejected record, a segment and a delivery."""
    for name in ("files", "outbox"):
        (folder / name).mkdir(mode=0o700)
    places = {n: {"type": "local", "path": str(folder / n)} for n in ("files", "outbox")}
    account = {"name": "acme", "timezone": "America/New_York"}
    config = {"account": account, "lake": "./lake", "servers": places, **CONFIG}
    config["profiles"] = {"match_on": "CUSTOMER_ID_"}
    (folder / "responsys.yaml").write_text(json.dumps(config))
    for name, last in (("CORE", BOB), ("WEB", f"{CAT},more")):
        data = folder / "files" / f"{name}_20261120.csv"
        data.write_text(f"{HEADER}\n{ANN}\n{last}\n")
        data.with_name(f"{data.name}.ready").write_text("2")


@pytest.mark.scorecard(37)
@pytest.mark.parametrize("umask", UMASKS)
def test_what_the_commands_make_is_private(umask: int, tmp_path: Path, cases: Cases) -> None:
    """Fails when `main` of commands/main.py leaves the umask as it is."""
    run(tmp_path, umask, *RESPONSYS, "init", "project")
    project = tmp_path / "project"
    run(project, umask, *RESPONSYS, "keys", "new")
    make_project(tmp_path)
    run(tmp_path, umask, *RESPONSYS, "sync", code=3)  # its deadline has passed
    everything(cases, project, *(tmp_path / name for name in ("lake", "outbox", "home")))


@pytest.mark.scorecard(37)
@pytest.mark.parametrize("umask", UMASKS)
def test_what_a_run_of_dagsters_makes_is_private(umask: int, tmp_path: Path, cases: Cases) -> None:
    """Fails when definitions.py leaves the umask as it is and `Workspace` does not set modes.

    What Dagster's own commands make before they load us lies in a private folder.
    """
    make_project(tmp_path)
    (tmp_path / "home").mkdir(mode=0o700)
    run(tmp_path, umask, *MATERIALIZE)
    logs = [path.parent for path in (tmp_path / "home").rglob("*.err")]
    assert logs
    everything(cases, tmp_path / "lake", tmp_path / "outbox", *logs)
