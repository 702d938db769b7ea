"""Each server and each folder is decided on by itself: one that fails keeps no other."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from responsys_assets.commands.main import run
from responsys_assets.config.project import Project
from responsys_assets.errors import ExitCode, ServerError, TransientServerError
from responsys_assets.exported.poll import poll
from responsys_assets.lake.lake import Lake
from responsys_assets.servers.ssh_keys import new_ssh_key
from responsys_assets.sync import sync
from responsys_assets_tests.conftest import Account, MakeProject


@pytest.fixture
def project(make_project: MakeProject, sftp_account: Account, tmp_path: Path) -> Project:
    """`good` has an export; `gone` lacks its folder, `down` and `other` their servers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    wrong = [new_ssh_key(kind="ed25519").public]

    def source(server: str, **keys: Any) -> dict[str, Any]:
        return {"server": server, "files": "CORE_{YYYYMMDD}.csv", **keys}

    made = make_project(
        servers={
            "files": {"type": "local", "path": str(tmp_path / "files")},
            "down": {**sftp_account.config, "port": port},
            "other": {**sftp_account.config, "host_keys": wrong},
        },
        lists={
            "gone": source("files", folder="nowhere"),
            "good": source("files"),
            "down": source("down"),
            "other": source("other"),
        },
    )
    (tmp_path / "files/CORE_20260309.csv").write_text("CUSTOMER_ID_\n1\n")
    (tmp_path / "files/CORE_20260309.csv.ready").write_text("1")
    return made


def test_what_fails_is_told_and_the_rest_is_decided_on(project: Project) -> None:
    found = poll(project, Lake(project.lake_path), project.config.lists)
    assert [(each.list, each.action) for each in found.decisions] == [("good", "take")]
    assert {each.lists: each.error.code for each in found.unseen} == {
        ("gone",): "folder_missing",
        ("down",): "server_unreachable",
        ("other",): "host_key",
    }


def test_a_sync_merges_what_it_can_see_and_has_failed(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    result = sync(project)
    assert result.exit_code == ExitCode.FAILED
    document = result.as_json()
    assert [each["state"] for each in document["lists"]["good"]["exports"]] == ["staged"]
    assert document["profiles"]["rows"] == 1
    assert {
        name: each["error"]["code"] for name, each in document["lists"].items() if "error" in each
    } == {
        "gone": "folder_missing",
        "down": "server_unreachable",
        "other": "host_key",
    }
    assert run(["sync", "--config", str(project.file)]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "List gone was not looked at: server files has no folder" in said
    assert "List down was not looked at: server down (127.0.0.1:" in said


def test_when_no_list_can_be_seen_that_is_the_error(project: Project) -> None:
    lake = Lake(project.lake_path)
    with pytest.raises(TransientServerError, match=r"down: server down .* cannot be reached"):
        poll(project, lake, ["down"])
    with pytest.raises(ServerError, match="gone: server files has no folder") as caught:
        poll(project, lake, ["gone", "down"])
    assert caught.value.code == "folder_missing"
    assert "down: server down" in str(caught.value)
    assert not isinstance(caught.value, TransientServerError)
