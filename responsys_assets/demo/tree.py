"""One folder tree as SFTP shows it: the file side of the demo's server."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.message import Message
from paramiko.sftp import CMD_EXTENDED, CMD_EXTENDED_REPLY, CMD_VERSION, SFTP_OK, int64

if TYPE_CHECKING:
    from typing_extensions import Buffer

_LARGEST_REQUEST = 255 * 1024
_LIMITS = "limits@openssh.com"
_POSIX_RENAME = "posix-rename@openssh.com"


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


class Tree(paramiko.SFTPServerInterface):
    """One folder tree; what leads out of it, links included, is not there."""

    def __init__(self, server: paramiko.ServerInterface, *, root: Path) -> None:
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


class SftpProtocol(paramiko.SFTPServer):
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
