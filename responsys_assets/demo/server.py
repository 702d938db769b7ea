"""A real SSH/SFTP server on loopback, in its own process: the demo's account and the tests'.

    python -m responsys_assets.demo.server --root DIR --port 0 \
        --host-key FILE --authorized-key FILE --username NAME

prints one line of JSON with `port` and `host_key` once it accepts connections. It serves one
folder tree and nothing outside of it, to one user with one key.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from responsys_assets.demo.tree import SftpProtocol, Tree

_LOOPBACK = "127.0.0.1"
_READY_SECONDS = 30.0


class _Door(paramiko.ServerInterface):
    """Lets one user with one key in."""

    def __init__(self, username: str, key: paramiko.PKey, log: _Log) -> None:
        self._username = username
        self._key = key
        self._log = log

    def get_allowed_auths(self, _username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        good = username == self._username and key.asbytes() == self._key.asbytes()
        self._log.write("login" if good else "refused")
        return AUTH_SUCCESSFUL if good else AUTH_FAILED

    def check_auth_none(self, _username: str) -> int:
        self._log.write("refused")
        return AUTH_FAILED

    def check_channel_request(self, kind: str, _chanid: int) -> int:
        if kind == "session":
            return OPEN_SUCCEEDED
        return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


class _Log:
    """Appends one line of JSON for each connection and login attempt."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def write(self, event: str) -> None:
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"event": event}) + "\n")


def _serve(options: argparse.Namespace) -> None:
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    host_key = paramiko.PKey.from_path(options.host_key)
    kind, data, *_ = options.authorized_key.read_text().split()
    authorized = paramiko.PKey.from_type_string(kind, base64.b64decode(data))
    log = _Log(options.log)
    door = _Door(options.username, authorized, log)
    with socket.create_server((_LOOPBACK, options.port)) as listener:
        shown = f"{host_key.get_name()} {host_key.get_base64()}"
        said = json.dumps({"port": listener.getsockname()[1], "host_key": shown})
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            log.write("connect")
            threading.Thread(
                target=_welcome, args=(connection, host_key, door, options.root), daemon=True
            ).start()


def _welcome(connection: socket.socket, host_key: paramiko.PKey, door: _Door, root: Path) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(connection)
    transport.add_server_key(host_key)
    transport.set_subsystem_handler("sftp", SftpProtocol, Tree, root=root)
    with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
        transport.start_server(server=door)


def _stop_with_parent() -> None:
    """Ends the process when its standard input is closed, that is when its parent ends."""

    def wait() -> None:
        while sys.stdin.buffer.read(1):
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="An SFTP server on loopback")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host-key", type=Path, required=True)
    parser.add_argument("--authorized-key", type=Path, required=True)
    parser.add_argument("--username", required=True)
    parser.add_argument("--log", type=Path, help="append connections and logins to this file")
    parser.add_argument("--stop-with-parent", action="store_true")
    options = parser.parse_args()
    os.umask(0o077)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if options.stop_with_parent:
        _stop_with_parent()
    with contextlib.suppress(KeyboardInterrupt):
        _serve(options)


def _environment() -> dict[str, str]:
    """Ours, so that the child finds this package wherever it is started."""
    package = str(Path(__file__).parents[2])
    paths = filter(None, (package, os.environ.get("PYTHONPATH")))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


class SftpServer:
    """The server as a child process that ends with this one.

    `root` and the key files must exist; `port` 0 takes a free one.
    """

    host = _LOOPBACK

    def __init__(
        self,
        root: Path,
        *,
        host_key: Path,
        authorized_key: Path,
        username: str,
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        self.root = root
        self.username = username
        self.port = port
        self.host_key_line = ""
        self._command = [
            *(sys.executable, "-m", "responsys_assets.demo.server", "--stop-with-parent"),
            *("--root", str(root), "--port", str(port), "--username", username),
            *("--host-key", str(host_key), "--authorized-key", str(authorized_key)),
            *(("--log", str(log)) if log else ()),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start and wait until it accepts connections.

        Raises:
            RuntimeError: if it does not, for example because the port is taken.
        """
        self._process = subprocess.Popen(  # noqa: S603
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
        )
        watchdog = threading.Timer(_READY_SECONDS, self._process.kill)
        watchdog.start()
        assert self._process.stdout is not None  # noqa: S101
        line = self._process.stdout.readline()
        watchdog.cancel()
        if not line:
            self.stop()
            raise RuntimeError("the demo server did not start; is its port taken?")
        said = json.loads(line)
        self.port, self.host_key_line = said["port"], said["host_key"]
        return self

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End the server; safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.terminate()
        process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


if __name__ == "__main__":
    main()
