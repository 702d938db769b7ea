"""Who we talk to, as whom, and what happens when the line goes bad."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from paramiko import HostKeys, SSHClient

from responsys_assets.config.project import Project
from responsys_assets.demo.server import SftpServer
from responsys_assets.errors import ConfigError, ServerError, TransientServerError
from responsys_assets.servers import open_server, sftp, ssh
from responsys_assets.servers.ssh_keys import new_ssh_key
from responsys_assets_tests.conftest import (
    Account,
    FaultProxy,
    MakeProject,
    sftp_config,
    write_ssh_key,
)

PASSPHRASE = "open sesame"  # noqa: S105


def project_with(make_project: MakeProject, account: Account, **changes: Any) -> Project:
    server = {**account.config, **changes}
    return make_project(
        servers={"responsys": {k: v for k, v in server.items() if v is not None}},
        lists={"core": {"server": "responsys", "files": "CORE_{YYYYMMDD}.csv"}},
        env={"SSH_PASSPHRASE": PASSPHRASE},
    )


def refusal(project: Project) -> ServerError:
    with pytest.raises(ServerError) as caught, open_server(project, "responsys"):
        pass
    assert "responsys" in str(caught.value)
    return caught.value


def other_key(kind: Any) -> str:
    return new_ssh_key(kind=kind).public


def test_while_keys_rotate_two_of_one_type_are_pinned(
    make_project: MakeProject, sftp_account: Account, tmp_path: Path
) -> None:
    lines = [other_key("rsa"), other_key("ed25519"), sftp_account.server.host_key_line]
    with open_server(project_with(make_project, sftp_account, host_keys=lines), "responsys"):
        pass
    known = tmp_path / "known_hosts"
    name = f"[{sftp_account.server.host}]:{sftp_account.server.port}"
    known.write_text("".join(f"{name} {line}\n" for line in lines))
    project = project_with(make_project, sftp_account, host_keys=None, known_hosts_file=str(known))
    with open_server(project, "responsys") as server:
        server.list_folder("")


def test_a_hashed_known_hosts_line_is_understood(
    make_project: MakeProject, sftp_account: Account, tmp_path: Path
) -> None:
    name = f"[{sftp_account.server.host}]:{sftp_account.server.port}"
    known = tmp_path / "known_hosts"
    known.write_text(f"{HostKeys.hash_host(name)} {sftp_account.server.host_key_line}\n")
    project = project_with(make_project, sftp_account, host_keys=None, known_hosts_file=str(known))
    with open_server(project, "responsys") as server:
        server.list_folder("")


@pytest.mark.parametrize("line", ["ssh-ed25519", "ssh-ed25519 %%%", "files.example ssh-rsa AAAA"])
def test_a_host_key_line_that_is_none_is_a_configuration_error(
    make_project: MakeProject, sftp_account: Account, line: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        open_server(project_with(make_project, sftp_account, host_keys=[line]), "responsys")
    assert caught.value.code == "bad_host_key"
    assert caught.value.key == "servers.responsys.host_keys"


def test_a_refused_key_is_said(
    make_project: MakeProject, sftp_account: Account, tmp_path: Path
) -> None:
    stranger = write_ssh_key(tmp_path / "stranger", new_ssh_key())
    project = project_with(make_project, sftp_account, private_key_file=str(stranger))
    error = refusal(project)
    assert error.code == "auth_refused"
    assert "acme_scp" in str(error)


def test_only_the_configured_way_to_log_in_is_tried(
    make_project: MakeProject,
    sftp_account: Account,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    client_key: Path,
) -> None:
    """The right key lies in ~/.ssh, and must not be used."""
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_rsa").write_bytes(client_key.read_bytes())
    monkeypatch.setenv("HOME", str(tmp_path))
    stranger = write_ssh_key(tmp_path / "stranger", new_ssh_key())
    project = project_with(make_project, sftp_account, private_key_file=str(stranger))
    assert refusal(project).code == "auth_refused"


def test_a_key_with_a_passphrase_is_opened_and_a_wrong_passphrase_said(
    make_project: MakeProject, sftp_account: Account, tmp_path: Path
) -> None:
    key = new_ssh_key(passphrase=PASSPHRASE)
    locked = write_ssh_key(tmp_path / "locked", key)
    host_key = write_ssh_key(tmp_path / "host", new_ssh_key())
    server = SftpServer(
        tmp_path, host_key=host_key, authorized_key=locked.with_suffix(".pub"), username="me"
    )
    with server:
        config = {**sftp_config(server, locked), "passphrase": "${SSH_PASSPHRASE}"}
        project = make_project(servers={"files": config}, env={"SSH_PASSPHRASE": PASSPHRASE})
        with open_server(project, "files") as opened:
            assert "host" in {file.name for file in opened.list_folder("")}
        wrong = make_project(servers={"files": config}, env={"SSH_PASSPHRASE": "shut"})
        with pytest.raises(ConfigError) as caught:
            open_server(wrong, "files")
    assert caught.value.code == "bad_private_key"
    assert "shut" not in str(caught.value)


def test_a_missing_key_file_and_variable_are_configuration_errors(
    make_project: MakeProject, sftp_account: Account
) -> None:
    project = project_with(make_project, sftp_account, private_key_file="nowhere/key")
    with pytest.raises(ConfigError) as caught:
        open_server(project, "responsys")
    assert caught.value.code == "bad_private_key"
    project = project_with(make_project, sftp_account, private_key_file="${NOT_SET}")
    with pytest.raises(ConfigError) as caught:
        open_server(project, "responsys")
    assert caught.value.code == "missing_variable"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_an_unreachable_server_is_tried_three_times_and_then_said(
    make_project: MakeProject, sftp_account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def counted(account: ssh.Account) -> SSHClient:
        tries.append(account)
        return ssh.connect(account)

    monkeypatch.setattr(sftp, "connect", counted)
    port = free_port()
    error = refusal(project_with(make_project, sftp_account, port=port))
    assert error.code == "server_unreachable"
    assert f"127.0.0.1:{port}" in str(error)
    assert len(tries) == 3


def test_a_server_that_accepts_and_says_nothing_is_unreachable(
    make_project: MakeProject, sftp_account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(ssh, "LOGIN_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        error = refusal(project_with(make_project, sftp_account, port=port))
    assert error.code == "server_unreachable"


class FaultyLine:
    """A way to the SFTP server that can be cut or frozen, ending stalls after half a second."""

    def __init__(self, project: Project, folder: Path, proxy: FaultProxy) -> None:
        self.project = project
        self.folder = folder
        self.proxy = proxy


@pytest.fixture
def line(
    make_project: MakeProject,
    sftp_account: Account,
    sftp_folder: Path,
    fault_proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> FaultyLine:
    monkeypatch.setattr(sftp, "SILENCE_SECONDS", 0.5)
    project = project_with(make_project, sftp_account, port=fault_proxy.port)
    return FaultyLine(project, sftp_folder, fault_proxy)


@pytest.mark.parametrize("after", [2_000, 100_000, 1_500_000, 2_990_000])
def test_a_stall_ends_in_an_error_and_leaves_nothing(
    line: FaultyLine, tmp_path: Path, after: int
) -> None:
    (line.folder / "big").write_bytes(os.urandom(3_000_000))
    with open_server(line.project, "responsys") as server:
        remote = server.stat(line.folder.name, "big")
        assert remote is not None
        line.proxy.arm(after, "freeze")
        with pytest.raises(TransientServerError) as caught:
            server.fetch(line.folder.name, remote, tmp_path / "out", lambda _: None)
        assert caught.value.code == "stalled"
        assert not (tmp_path / "out").exists()
    assert not [each for each in threading.enumerate() if each.name == "sftp-watch"]


def test_a_stall_while_writing_ends_in_an_error(line: FaultyLine, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(30_000_000))
    with open_server(line.project, "responsys") as server:
        server.list_folder("")
        line.proxy.arm(4_000, "freeze")
        with pytest.raises(TransientServerError) as caught:
            server.put(line.folder.name, "big.part", source, lambda _: None)
    assert caught.value.code == "stalled"


@pytest.mark.parametrize("after", [2_000, 100_000, 1_500_000, 2_990_000])
def test_after_a_cut_connection_the_same_server_object_connects_anew(
    line: FaultyLine, tmp_path: Path, after: int
) -> None:
    content = os.urandom(3_000_000)
    (line.folder / "big").write_bytes(content)
    with open_server(line.project, "responsys") as server:
        remote = server.stat(line.folder.name, "big")
        assert remote is not None
        line.proxy.arm(after)
        with pytest.raises(TransientServerError) as caught:
            server.fetch(line.folder.name, remote, tmp_path / "out", lambda _: None)
        assert caught.value.code == "connection_lost"
        assert not (tmp_path / "out").exists()
        server.fetch(line.folder.name, remote, tmp_path / "out", lambda _: None)
    assert (tmp_path / "out").read_bytes() == content


def test_a_folder_closed_to_us_is_said(
    make_project: MakeProject, sftp_account: Account, sftp_folder: Path, tmp_path: Path
) -> None:
    """A folder where a file is wanted makes the server fail without a reason."""
    (sftp_folder / "sub").mkdir()
    source = tmp_path / "source"
    source.write_bytes(b"x")
    project = project_with(make_project, sftp_account)
    with open_server(project, "responsys") as server:
        with pytest.raises(ServerError) as caught:
            server.put(sftp_folder.name, "sub", source, lambda _: None)
        assert caught.value.code == "server_failed"
        assert server.list_folder(sftp_folder.name) == []


def test_what_leads_out_of_the_servers_root_is_not_there(
    make_project: MakeProject, sftp_account: Account, sftp_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").write_text("secret")
    (sftp_folder / "way").symlink_to(tmp_path)
    project = project_with(make_project, sftp_account)
    with open_server(project, "responsys") as server:
        assert server.stat(f"{sftp_folder.name}/way", "outside") is None
        assert server.stat("../../../../../../etc", "passwd") is None


def test_the_passwords_and_keys_of_an_account_are_in_no_text(
    make_project: MakeProject, sftp_account: Account
) -> None:
    project = project_with(make_project, sftp_account)
    config = project.config.servers["responsys"]
    assert config.type == "sftp"
    account = ssh.read_account(project, "responsys", config)
    assert repr(account) == f"Account({account.label})"
