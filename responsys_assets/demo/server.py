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
from typing import TYPE_CHECKING, Any, Self

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.message import Message
from paramiko.sftp import CMD_EXTENDED, CMD_EXTENDED_REPLY, CMD_VERSION, SFTP_OK, int64

if TYPE_CHECKING:
    from typing_extensions import Buffer

_LOOPBACK = "127.0.0.1"
_READY_SECONDS = 30.0
_LARGEST_REQUEST = 255 * 1024
_LIMITS = "limits@openssh.com"
_POSIX_RENAME = "posix-rename@openssh.com"


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


class _Open(paramiko.SFTPHandle):
    """An open file; positioned reads and writes on a descriptor."""

    def __init__(self, descriptor: int, flags: int) -> None:
        super().__init__(flags)
        self._descriptor = descriptor

    def close(self) -> None:
        os.close(self._descriptor)

    def read(self, offset: int, length: int) -> bytes | int:
        try:
            return os.pread(self._descriptor, length, offset)
        except OSError as error:
            return _code(error)

    def write(self, offset: int, data: Buffer) -> int:
        try:
            os.pwrite(self._descriptor, data, offset)
        except OSError as error:
            return _code(error)
        return int(SFTP_OK)

    def stat(self) -> paramiko.SFTPAttributes | int:
        try:
            return paramiko.SFTPAttributes.from_stat(os.fstat(self._descriptor))
        except OSError as error:
            return _code(error)

    def chattr(self, _attr: paramiko.SFTPAttributes) -> int:
        return int(SFTP_OK)


class _Tree(paramiko.SFTPServerInterface):
    """One folder tree; what leads out of it, links included, is not there."""

    def __init__(self, server: _Door, *, root: Path) -> None:
        super().__init__(server)
        self._root = os.path.realpath(root)

    def _real(self, path: str) -> str:
        inside = os.path.normpath("/" + path).lstrip("/")
        parent, name = os.path.split(os.path.join(self._root, inside))  # noqa: PTH118
        parent = os.path.realpath(parent)
        if os.path.commonpath([parent, self._root]) != self._root:
            raise FileNotFoundError(2, "outside")
        return os.path.join(parent, name) if inside else self._root  # noqa: PTH118

    def _followed(self, path: str) -> str:
        real = os.path.realpath(self._real(path))
        if os.path.commonpath([real, self._root]) != self._root:
            raise FileNotFoundError(2, "outside")
        return real

    def canonicalize(self, path: str) -> str:
        return os.path.normpath("/" + path)

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        found = []
        try:
            with os.scandir(os.fsencode(self._followed(path))) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):
                        shown = entry.stat(follow_symlinks=False)
                        attributes = paramiko.SFTPAttributes.from_stat(shown)
                        attributes.filename = entry.name  # type: ignore[assignment]
                        found.append(attributes)
        except OSError as error:
            return _code(error)
        return found

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        try:
            return paramiko.SFTPAttributes.from_stat(os.stat(self._followed(path)))  # noqa: PTH116
        except OSError as error:
            return _code(error)

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        try:
            return paramiko.SFTPAttributes.from_stat(os.lstat(self._real(path)))
        except OSError as error:
            return _code(error)

    def open(
        self, path: str, flags: int, _attr: paramiko.SFTPAttributes
    ) -> paramiko.SFTPHandle | int:
        try:
            descriptor = os.open(self._followed(path), flags | os.O_NONBLOCK, 0o600)
        except OSError as error:
            return _code(error)
        return _Open(descriptor, flags)

    def remove(self, path: str) -> int:
        return self._done(lambda: os.remove(self._real(path)))  # noqa: PTH107

    def rename(self, oldpath: str, newpath: str) -> int:
        def plain() -> None:
            if os.path.lexists(self._real(newpath)):
                raise FileExistsError(17, "exists")
            os.rename(self._real(oldpath), self._real(newpath))  # noqa: PTH104

        return self._done(plain)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        return self._done(
            lambda: os.replace(self._real(oldpath), self._real(newpath))  # noqa: PTH105
        )

    def mkdir(self, path: str, _attr: paramiko.SFTPAttributes) -> int:
        return self._done(lambda: os.mkdir(self._real(path), 0o700))  # noqa: PTH102

    def rmdir(self, path: str) -> int:
        return self._done(lambda: os.rmdir(self._real(path)))  # noqa: PTH106

    def chattr(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        def touch() -> None:
            if attr.st_mtime is not None:
                os.utime(self._followed(path), (attr.st_atime or 0, attr.st_mtime))

        return self._done(touch)

    @staticmethod
    def _done(action: Any) -> int:
        try:
            action()
        except OSError as error:
            return _code(error)
        return int(SFTP_OK)


class _Sftp(paramiko.SFTPServer):
    """Says which extensions it has, and takes large requests as OpenSSH's server does."""

    if TYPE_CHECKING:  # paramiko's internals, which its stubs leave out

        def _read_packet(self) -> tuple[int, bytes]: ...
        def _send_packet(self, t: int, message: Message) -> None: ...
        def _response(self, number: int, t: int, *parts: object) -> None: ...

    def _send_server_version(self) -> int:
        _, data = self._read_packet()
        hello = Message()
        hello.add_int(3)
        for extension in (_POSIX_RENAME, _LIMITS):
            hello.add_string(extension)
            hello.add_string("1")
        self._send_packet(CMD_VERSION, hello)
        return int(Message(data).get_int())

    def _process(self, t: int, request_number: int, msg: Message) -> None:
        if t == CMD_EXTENDED and msg.asbytes().endswith(_LIMITS.encode()):
            sizes = (_LARGEST_REQUEST + 1024, _LARGEST_REQUEST, _LARGEST_REQUEST, 0)
            self._response(request_number, CMD_EXTENDED_REPLY, *map(int64, sizes))
        else:
            super()._process(t, request_number, msg)  # type: ignore[misc]


def _code(error: OSError) -> int:
    return int(paramiko.SFTPServer.convert_errno(error.errno or 0))


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
    transport.set_subsystem_handler("sftp", _Sftp, _Tree, root=root)
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
            # by its path: it needs nothing of this package and starts the faster for it
            *(sys.executable, "-P", __file__, "--stop-with-parent"),
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
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
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
