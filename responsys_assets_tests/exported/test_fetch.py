"""From a server into the lake: as sent, once, with a receipt."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from responsys_assets.config.project import Project
from responsys_assets.errors import ServerError, TransientServerError
from responsys_assets.exported.fetch import fetch
from responsys_assets.exported.poll import look, poll
from responsys_assets.lake.exports import read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.servers import open_server
from responsys_assets_tests.conftest import Account, MakeProject

NAME = "CORE_20260309.csv"


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    return make_project()


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def export(folder: Path, name: str = NAME, content: bytes = b"A\n1\n", ready: str = "1\n") -> None:
    (folder / name).write_bytes(content)
    (folder / f"{name}.ready").write_text(ready)


def take_all(project: Project) -> list[str]:
    lake = Lake(project.lake_path)
    taken = [d for d in poll(project, lake, project.config.lists).decisions if d.action == "take"]
    for decision in taken:
        fetch(project, lake, decision)
    return [decision.data.name for decision in taken]


def test_an_export_is_stored_as_sent_and_known_afterwards(project: Project, tmp_path: Path) -> None:
    export(tmp_path / "files")
    assert take_all(project) == [NAME]
    lake = Lake(project.lake_path)
    (found,) = read_exports(lake, "core")
    sha256 = hashlib.sha256(b"A\n1\n").hexdigest()
    assert found.ciphertext == lake.root / "exported/core/2026-03-09" / sha256[:12] / NAME
    assert found.ciphertext.read_bytes() == b"A\n1\n"
    assert found.arrival.ready_text == "1\n"
    assert found.sha256 == sha256
    for path in lake.root.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)
    before = tree(lake.root)
    assert take_all(project) == []
    assert tree(lake.root) == before


def test_the_same_content_shown_anew_adds_a_receipt_only(project: Project, tmp_path: Path) -> None:
    export(tmp_path / "files")
    take_all(project)
    os.utime(tmp_path / "files" / NAME, (1, 1))
    assert take_all(project) == [NAME]
    (found,) = read_exports(Lake(project.lake_path), "core")
    assert len(found.arrivals) == 2
    assert found.ciphertext.is_file()
    assert len(list(found.folder.glob("*.csv"))) == 1


def test_another_content_for_the_same_stamp_is_another_export(
    project: Project, tmp_path: Path
) -> None:
    export(tmp_path / "files")
    take_all(project)
    export(tmp_path / "files", content=b"A\n1\n2\n", ready="2")
    assert take_all(project) == [NAME]
    exports = read_exports(Lake(project.lake_path), "core")
    assert [e.ciphertext.read_bytes() for e in exports] == [b"A\n1\n", b"A\n1\n2\n"]
    assert [e.arrival.ready_text for e in exports] == ["1\n", "2"]


def test_equal_bytes_of_two_days_are_two_exports(project: Project, tmp_path: Path) -> None:
    for day in ("08", "09"):
        export(tmp_path / "files", f"CORE_202603{day}.csv")
    assert len(take_all(project)) == 2
    exports = read_exports(Lake(project.lake_path), "core")
    assert [e.day.day for e in exports] == [8, 9]
    assert all(e.ciphertext.is_file() for e in exports)


@pytest.mark.parametrize("ready", [b"\xff\xfe\x00", bytes(70_000)])
def test_a_ready_file_that_cannot_be_read_does_not_keep_its_export(
    project: Project, tmp_path: Path, ready: bytes
) -> None:
    export(tmp_path / "files")
    (tmp_path / "files" / f"{NAME}.ready").write_bytes(ready * 1)
    assert take_all(project) == [NAME]
    arrival = read_exports(Lake(project.lake_path), "core")[0].arrival
    assert arrival.ready is not None
    text = arrival.ready_text
    assert text is None or len(text) < 70_000
    assert take_all(project) == []


def test_a_file_that_changes_after_the_decision_is_left_to_the_next_sync(
    project: Project, tmp_path: Path
) -> None:
    export(tmp_path / "files")
    lake = Lake(project.lake_path)
    (decision,) = poll(project, lake, ["core"]).decisions
    export(tmp_path / "files", content=b"A\n1\n2\n", ready="2")
    with pytest.raises(TransientServerError) as caught:
        fetch(project, lake, decision)
    assert caught.value.code == "file_changed"
    assert read_exports(lake, "core") == []
    assert not (lake.root / "exported").exists()
    assert take_all(project) == [NAME]


def sftp_project(
    make_project: MakeProject, account: Account, folder: str, **changes: Any
) -> Project:
    return make_project(
        servers={"responsys": {**account.config, **changes}},
        lists={
            "core": {"server": "responsys", "folder": folder, "files": "CORE_{YYYYMMDD}.csv"},
            "web": {"server": "responsys", "folder": f"{folder}/", "files": "WEB_{YYYYMMDD}.csv"},
        },
    )


def test_exports_of_an_sftp_account_are_found_and_fetched(
    make_project: MakeProject, sftp_account: Account, sftp_folder: Path
) -> None:
    project = sftp_project(make_project, sftp_account, sftp_folder.name)
    content = os.urandom(2_000_000)
    export(sftp_folder, content=content)
    export(sftp_folder, "WEB_20260309.csv", b"W")
    (sftp_folder / "notes.txt").touch()
    before = sftp_account.logins()
    lake = Lake(project.lake_path)
    decisions = poll(project, lake, ["core", "web"]).decisions
    assert sftp_account.logins()[len(before) :].count("connect") == 1
    assert [d.list for d in decisions] == ["core", "web"]
    with open_server(project, "responsys") as server:
        arrivals = [fetch(project, lake, decision, server) for decision in decisions]
    assert arrivals[0].sha256 == hashlib.sha256(content).hexdigest()
    assert [d.action for d in poll(project, lake, ["core", "web"]).decisions] == ["known", "known"]
    assert [d.list for d in poll(project, lake, ["web"]).decisions] == ["web"]
    (view,), unseen = look(project, "responsys")
    assert not unseen
    assert set(view.lists) == {"core", "web"}
    assert "notes.txt" in {file.name for file in view.listing}


def test_an_unreachable_server_and_a_missing_folder_are_errors(
    make_project: MakeProject, sftp_account: Account, tmp_path: Path
) -> None:
    project = sftp_project(make_project, sftp_account, "nowhere")
    with pytest.raises(ServerError) as caught:
        poll(project, Lake(project.lake_path), ["core"])
    assert caught.value.code == "folder_missing"
