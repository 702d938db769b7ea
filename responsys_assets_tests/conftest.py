"""What tests share: a real SFTP server, real keys, and projects made from a few lines."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from responsys_assets.config.loader import load
from responsys_assets.config.project import Project
from responsys_assets.demo.server import SftpServer
from responsys_assets.pgp.keys import PgpKeyPair, new_pgp_key
from responsys_assets.servers import retry
from responsys_assets.servers.ssh_keys import SshKeyPair, new_ssh_key

pytest_plugins = ["responsys_assets_tests.scorecard"]

MakeProject = Callable[..., Project]


@pytest.fixture(scope="session", autouse=True)
def _impatient() -> None:
    """Attempts follow each other at once."""
    retry.DELAY_SECONDS = 0.0


@dataclass(frozen=True)
class Account:
    """An account on a running SFTP server; `config` is its entry under `servers`."""

    server: SftpServer
    folder: Path  # the login folder
    config: dict[str, Any]
    log: Path

    def logins(self) -> list[str]:
        """What the server has seen, in order: connect, login, refused."""
        if not self.log.exists():
            return []
        return [json.loads(line)["event"] for line in self.log.read_text().splitlines()]


@pytest.fixture(scope="session")
def client_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private SSH key file with its public part beside it (.pub)."""
    return write_ssh_key(tmp_path_factory.mktemp("ssh") / "client", new_ssh_key())


def write_ssh_key(path: Path, key: SshKeyPair) -> Path:
    """The key pair as two files."""
    path.write_text(key.private)
    path.chmod(0o600)
    path.with_suffix(".pub").write_text(key.public)
    return path


@pytest.fixture(scope="session")
def sftp_account(tmp_path_factory: pytest.TempPathFactory, client_key: Path) -> Iterator[Account]:
    """One SFTP server for the whole run; use `sftp_folder` for a folder of your own on it."""
    folder = tmp_path_factory.mktemp("sftp")
    (folder / "root").mkdir()
    host_key = write_ssh_key(folder / "host", new_ssh_key(kind="ed25519"))
    server = SftpServer(
        folder / "root",
        host_key=host_key,
        authorized_key=client_key.with_suffix(".pub"),
        username="acme_scp",
        log=folder / "log",
    )
    with server:
        yield Account(server, folder / "root", sftp_config(server, client_key), folder / "log")


def sftp_config(server: SftpServer, client_key: Path) -> dict[str, Any]:
    """The entry under `servers` for a running server."""
    return {
        "type": "sftp",
        "host": server.host,
        "port": server.port,
        "username": server.username,
        "private_key_file": str(client_key),
        "host_keys": [server.host_key_line],
    }


@pytest.fixture
def sftp_folder(sftp_account: Account, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A fresh folder on the SFTP server; its name is the folder relative to the login folder."""
    folder = sftp_account.folder / f"{tmp_path.parent.name}-{tmp_path.name}"
    folder.mkdir()
    return folder


@dataclass(frozen=True)
class PgpKeys:
    """Key pairs, each with the files `<name>.key` and `<name>.asc` in `folder`."""

    folder: Path
    pairs: Mapping[str, PgpKeyPair] = field(default_factory=dict)

    def private(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def public(self, name: str) -> Path:
        return self.folder / f"{name}.asc"

    def fingerprint(self, name: str) -> str:
        return self.pairs[name].fingerprint


LOCKED_PASSPHRASE = "correct horse ünd battery"  # noqa: S105


@pytest.fixture(scope="session")
def pgp_keys(tmp_path_factory: pytest.TempPathFactory) -> PgpKeys:
    """`own`, `partner` and `sender` without passphrase; `locked` has LOCKED_PASSPHRASE."""
    folder = tmp_path_factory.mktemp("pgp")
    pairs = {
        name: new_pgp_key(
            name,
            f"{name}@example.com",
            passphrase=LOCKED_PASSPHRASE if name == "locked" else None,
        )
        for name in ("own", "partner", "sender", "locked")
    }
    for name, pair in pairs.items():
        (folder / f"{name}.key").write_text(pair.private)
        (folder / f"{name}.asc").write_text(pair.public)
    return PgpKeys(folder, pairs)


@pytest.fixture
def make_project(tmp_path: Path) -> MakeProject:
    """A function that makes a project in `tmp_path`: top-level keys of the configuration
    replace the defaults (a local server `files`, one list `core` on it)."""

    def make(env: Mapping[str, str] | None = None, **keys: Any) -> Project:
        config: dict[str, Any] = {
            "account": {"name": "acme", "timezone": "America/New_York"},
            "lake": "./lake",
            "servers": {"files": {"type": "local", "path": str(tmp_path / "files")}},
            "lists": {"core": {"server": "files", "files": "CORE_{YYYYMMDD}.csv"}},
            "profiles": {"match_on": "CUSTOMER_ID_"},
            **keys,
        }
        (tmp_path / "files").mkdir(exist_ok=True)
        file = tmp_path / "responsys.yaml"
        file.write_text(json.dumps(config))  # JSON is YAML
        return load(file, env or {})

    return make


Fault = Literal["cut", "reset", "flip", "freeze"]


class FaultProxy:
    """A TCP relay to a server that goes wrong once, at a chosen byte on its way down.

    What is left of older connections, of which nobody waits for anything, does not count.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._lock = threading.Lock()
        self._left: int | None = None
        self._fault: Fault = "cut"
        self._newest = self._since = 0  # numbers of connections
        proxy = self

        class Relay(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                proxy._relay(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def arm(self, after: int, fault: Fault = "cut") -> None:
        """From now on `after` bytes pass; the next one is flipped, or ends the connection (by a
        reset, or without), or it and all that follow are swallowed."""
        with self._lock:
            self._left, self._fault = after, fault
            self._since = self._newest

    @property
    def left(self) -> int | None:
        """How many bytes are still to pass before the fault; None: it has happened."""
        with self._lock:
            return self._left

    def _relay(self, client: socket.socket) -> None:
        with self._lock:
            self._newest += 1
            number = self._newest
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            up = threading.Thread(target=self._up, args=(client, server), daemon=True)
            up.start()
            fault = self._down(server, client, number)
            if fault == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            _shut(client, socket.SHUT_RD if fault == "reset" else socket.SHUT_RDWR)
            _shut(server, socket.SHUT_RDWR)
            up.join()

    @staticmethod
    def _up(client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        _shut(server, socket.SHUT_RDWR)

    def _down(self, server: socket.socket, client: socket.socket, number: int) -> Fault | None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                passed, fault = self._spoilt(data, number)
                client.sendall(passed)
                if fault == "freeze":
                    while server.recv(65536):  # until the client has had enough
                        pass
                if fault:
                    return fault
        return None

    def _spoilt(self, data: bytes, number: int) -> tuple[bytes, Fault | None]:
        """What passes of some bytes, and the fault that follows."""
        with self._lock:
            if number < self._since:
                return data, None
            if self._left is None or len(data) <= self._left:
                self._left = None if self._left is None else self._left - len(data)
                return data, None
            place, self._left = self._left, None
        if self._fault == "flip":
            return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :], None
        return data[:place], self._fault

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _shut(connection: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(how)


@pytest.fixture
def fault_proxy(sftp_account: Account) -> Iterator[FaultProxy]:
    """A way to the SFTP server that goes wrong when told to."""
    proxy = FaultProxy(sftp_account.server.port)
    yield proxy
    proxy.stop()
