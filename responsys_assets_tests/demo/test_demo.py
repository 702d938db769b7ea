"""The whole platform in one go: `responsys demo` with a real SFTP server and real gpg."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import responsys_assets
from responsys_assets.commands.main import run


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A demo of two days; its folder and what the command printed."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    printed = folder.parent / "printed"
    code = _run(printed, "demo", str(folder), "--rows", "300", "--days", "2", "--json")
    assert code == 0, printed.read_text()
    return folder, printed.read_text()


def _run(printed: Path, *arguments: str) -> int:
    with printed.open("w") as file, contextlib.redirect_stdout(file):
        return run(list(arguments))


@pytest.fixture
def document(demo: tuple[Path, str]) -> Any:
    return json.loads(demo[1])


def test_every_list_is_staged_and_one_export_is_held(document: Any) -> None:
    states = {
        name: sorted({export["state"] for export in found})
        for name, found in document["exports"].items()
    }
    assert states == {"core": ["staged"], "loyalty": ["held", "staged"], "web": ["staged"]}
    for found in document["exports"].values():
        for export in found:
            if export["state"] == "staged":
                assert export["records"] == export["staged"] + export["rejected"]


def test_the_dirt_is_in_quarantine(document: Any) -> None:
    reasons = {
        name: sorted({r for export in found for r in export["rejected_by_reason"]})
        for name, found in document["exports"].items()
    }
    assert all(reasons.values())
    assert "no_match_key" in reasons["web"]


def test_the_re_sent_increment_was_taken_again(document: Any) -> None:
    names = [export["file"] for export in document["exports"]["web"]]
    assert len(names) - len(set(names)) == 1


def test_the_partner_decrypts_what_was_delivered(document: Any) -> None:
    proof = document["proof"]
    assert proof["decrypts"]
    assert proof["rows"] == proof["promised"] > 0
    assert proof["columns"][0] == "UID"
    assert proof["rows"] == document["delivered"]["rome_gold_to_partner"]["rows"]


def test_the_profiles_hold_everybody_once(demo: tuple[Path, str], tmp_path: Path) -> None:
    config = str(demo[0] / "project" / "responsys.yaml")
    assert _run(tmp_path / "out", "path", "profiles", "--config", config) == 0
    profiles = pl.read_parquet((tmp_path / "out").read_text().splitlines())
    assert profiles["CUSTOMER_ID_"].is_unique().all()
    assert set(profiles["LISTS_"].unique()) >= {"core", "core,loyalty,web", "web"}


def test_nobody_in_a_mobile_audience_has_opted_out(demo: tuple[Path, str], tmp_path: Path) -> None:
    *_, delivered = sorted((demo[0] / "account" / "upload").glob("WEB_MOBILE_*.csv"))
    with delivered.open(newline="") as file:
        people = {row["CUSTOMER_ID_"] for row in csv.DictReader(file)}
    assert people
    config = str(demo[0] / "project" / "responsys.yaml")
    assert _run(tmp_path / "out", "path", "profiles", "--config", config) == 0
    profiles = pl.read_parquet((tmp_path / "out").read_text().splitlines())
    permission = profiles.filter(pl.col("CUSTOMER_ID_").is_in(list(people)))
    assert set(permission["MOBILE_PERMISSION_STATUS_"]) == {"I"}


def test_the_demo_can_be_run_again_and_then_has_nothing_new(
    demo: tuple[Path, str], tmp_path: Path
) -> None:
    assert _run(tmp_path / "out", "demo", str(demo[0]), "--json") == 0
    again = json.loads((tmp_path / "out").read_text())
    fresh = {
        name: [e["state"] for e in found["exports"]]
        for name, found in again["sync"]["lists"].items()
    }
    assert fresh == {"core": [], "loyalty": ["held"], "web": []}
    states = {found["state"] for found in again["sync"]["deliveries"].values()}
    assert states == {"unchanged"}
    assert (
        _run(tmp_path / "out", "verify", "--config", str(demo[0] / "project/responsys.yaml")) == 0
    )


def test_a_folder_with_something_else_in_it_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    assert _run(tmp_path.parent / "out", "demo", str(tmp_path), "--json") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_server_stays_up_until_it_is_interrupted(demo: tuple[Path, str]) -> None:
    code = "from responsys_assets.commands.main import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "demo", str(demo[0]), "--serve"],
        env={**os.environ, "PYTHONPATH": str(Path(responsys_assets.__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = ""
        while "until Ctrl-C" not in said and (line := process.stdout.readline()):
            said += line
        port = json.loads((demo[0] / "demo.json").read_text())["port"]
        with socket.create_connection(("127.0.0.1", port)) as connection:
            assert connection.recv(4) == b"SSH-"
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 0
