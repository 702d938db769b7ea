"""`init` and `keys`: from nothing to a project that loads and keys that work."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from responsys_assets.config.loader import load
from responsys_assets.config.values import Limit
from responsys_assets.pgp.keys import read_keys
from responsys_assets_tests.commands.conftest import Call


def test_init_makes_a_project_that_loads_and_has_a_guard(call: Call, tmp_path: Path) -> None:
    result = call("init", tmp_path / "new")
    assert result.code == 0
    project = load(tmp_path / "new" / "responsys.yaml")
    guards = [delivery.guard for delivery in project.config.deliveries.values()]
    assert [guard != "none" and guard.max_removed for guard in guards] == [Limit(percent=10.0)]


def test_init_writes_the_schema_that_its_configuration_names(call: Call, tmp_path: Path) -> None:
    document = call("init", tmp_path / "new", "--json").json
    assert {Path(file).name for file in document["files"]} == {
        "responsys.yaml",
        ".env.example",
        ".gitignore",
        "workspace.yaml",
        "dagster.yaml",
        "responsys.schema.json",
    }
    schema = json.loads((tmp_path / "new" / "responsys.schema.json").read_text())
    assert "lists" in schema["properties"]
    first = (tmp_path / "new" / "responsys.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=./responsys.schema.json"


def test_init_replaces_nothing(call: Call, tmp_path: Path) -> None:
    (tmp_path / "responsys.yaml").write_text("mine")
    result = call("init", tmp_path, "--json")
    assert result.code == 2
    assert result.error["file"] == str(tmp_path / "responsys.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["responsys.yaml"]


def test_keys_are_private_and_their_public_parts_are_shown(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = call("keys", "new", "--json").json
    assert call("keys", "show", "--json").json == made
    folder = tmp_path / "keys"
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert made["pgp"]["public_key"].startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")
    assert made["ssh"]["public_key"].startswith("ssh-rsa ")
    private = Path(made["pgp"]["private_key_file"])
    assert [key.fingerprint for key in read_keys(private, secret=True)] == [
        made["pgp"]["fingerprint"]
    ]
    shown = call("keys", "show").out
    assert made["ssh"]["public_key"] in shown
    assert "PRIVATE" not in shown.replace("PGP_PRIVATE_KEY_FILE", "")
    again = call("keys", "new", "--json")
    assert again.code == 2
    assert again.error["code"] == "keys_exist"


def test_keys_that_are_not_there_are_not_shown(call: Call, tmp_path: Path) -> None:
    result = call("keys", "show", "--folder", tmp_path / "none", "--json")
    assert result.code == 1
    assert "keys new" in result.error["message"]
