"""A server that is not the one it should be is refused before it learns who we are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from paramiko import ECDSAKey

from responsys_assets.config.project import Project
from responsys_assets.demo.server import SftpServer
from responsys_assets.errors import ConfigError, ServerError, TransientServerError
from responsys_assets.exported.poll import poll
from responsys_assets.lake.lake import Lake
from responsys_assets.servers import open_server
from responsys_assets.servers.ssh_keys import new_ssh_key
from responsys_assets_tests.conftest import Account, MakeProject, sftp_config, write_ssh_key

Configure = Callable[..., Project]


@pytest.fixture
def configure(make_project: MakeProject, sftp_account: Account, tmp_path: Path) -> Configure:
    """A function that makes a project which pins these keys, in its file or in known_hosts."""

    def make(keys: list[str], host: str | None = None) -> Project:
        server = {**sftp_account.config, "host_keys": keys}
        if host is not None:
            (tmp_path / "known_hosts").write_text("".join(f"{host} {key}\n" for key in keys))
            del server["host_keys"]
            server["known_hosts_file"] = str(tmp_path / "known_hosts")
        return make_project(
            servers={"responsys": server},
            lists={"core": {"server": "responsys", "files": "CORE_{YYYYMMDD}.csv"}},
        )

    return make


def ecdsa() -> str:
    """A public key line of a type that our own key maker does not know."""
    key = ECDSAKey.generate()
    return f"{key.get_name()} {key.get_base64()}"


def ours(account: Account) -> str:
    """The host as known_hosts files write it."""
    return f"[{account.server.host}]:{account.server.port}"


@pytest.mark.scorecard(1)
@pytest.mark.parametrize(
    ("pinned", "in_known_hosts"),
    [
        (lambda: new_ssh_key(kind="ed25519").public, False),  # changed
        (lambda: new_ssh_key(kind="rsa").public, False),  # of another type
        (ecdsa, False),
        (lambda: new_ssh_key(kind="ed25519").public, True),
    ],
)
def test_a_server_with_another_key_is_refused_before_any_login(
    configure: Configure, sftp_account: Account, pinned: Callable[[], str], in_known_hosts: bool
) -> None:
    """Fails when `_PinnedPolicy` takes any key."""
    before = sftp_account.logins()
    project = configure([pinned()], ours(sftp_account) if in_known_hosts else None)
    with pytest.raises(ServerError) as caught, open_server(project, "responsys"):
        pass
    assert caught.value.code == "host_key"
    assert not isinstance(caught.value, TransientServerError)
    assert "responsys" in str(caught.value)
    assert sftp_account.logins()[len(before) :] == ["connect"]


@pytest.mark.scorecard(1)
def test_a_server_unknown_to_the_known_hosts_file_is_refused_without_a_connection(
    configure: Configure, sftp_account: Account
) -> None:
    """Fails when `_known_hosts` takes the lines of any host."""
    before = sftp_account.logins()
    project = configure([sftp_account.server.host_key_line], "elsewhere.example")
    with pytest.raises(ConfigError) as caught:
        poll(project, Lake(project.lake_path), ["core"])
    assert caught.value.code == "bad_known_hosts"
    assert sftp_account.logins() == before


@pytest.mark.scorecard(1)
def test_a_server_that_is_exchanged_while_we_work_is_refused_on_the_next_connection(
    make_project: MakeProject, client_key: Path, tmp_path: Path
) -> None:
    """Fails when `_PinnedPolicy` takes any key."""
    (tmp_path / "root").mkdir()
    log = tmp_path / "log"

    def server(key: str, port: int = 0) -> SftpServer:
        host_key = write_ssh_key(tmp_path / key, new_ssh_key(kind="ed25519"))
        public = client_key.with_suffix(".pub")
        options: dict[str, Any] = {"host_key": host_key, "authorized_key": public, "log": log}
        return SftpServer(tmp_path / "root", username="acme_scp", port=port, **options)

    with server("first") as first:
        project = make_project(servers={"files": sftp_config(first, client_key)})
        opened = open_server(project, "files").__enter__()
        assert opened.list_folder("") == []
        port = first.port
    log.unlink()
    with server("second", port):
        with pytest.raises(TransientServerError):
            opened.list_folder("")  # the connection that was there is gone
        with pytest.raises(ServerError) as caught:
            opened.list_folder("")
    assert caught.value.code == "host_key"
    assert log.read_text().count("\n") == log.read_text().count("connect")
