"""The SFTP protocol over a paramiko channel: pipelined, listing bytes, never silent for long.

Why not paramiko's own transfers: `get` with unlimited requests hangs on some servers, with a
limit it polls every 10 ms and crawls, and it checks no remote size; `put` ignores the last
answers of the server; one name that is not UTF-8 breaks the whole listing. Here a few MiB of
requests are under way, of 32 KiB each or of what the server says that it takes, as OpenSSH's
client does (PROTOCOL of OpenSSH, limits@openssh.com), and every answer is looked at.
"""

from __future__ import annotations

import stat as modes
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.message import Message
from paramiko.sftp import (
    CMD_ATTRS,
    CMD_CLOSE,
    CMD_DATA,
    CMD_EXTENDED,
    CMD_EXTENDED_REPLY,
    CMD_FSTAT,
    CMD_HANDLE,
    CMD_INIT,
    CMD_NAME,
    CMD_OPENDIR,
    CMD_READ,
    CMD_READDIR,
    CMD_STATUS,
    CMD_VERSION,
    CMD_WRITE,
    SFTPError,
    int64,
)

_PROTOCOL = 3
_LIMITS = b"limits@openssh.com"
_SMALLEST_REQUEST = 32768  # every server takes these
_LARGEST_REQUEST = 255 * 1024
WINDOW = 8 << 20  # bytes under way: at a round trip of 80 ms, 100 MB/s
LARGEST_PACKET = 256 * 1024
_LIST_UNDER_WAY = 8


class Watch:
    """Closes a connection on which nothing has moved for `limit` seconds during an operation.

    A thread of its own: neither keep-alives nor channel time-outs of paramiko end every stall.
    """

    def __init__(self, limit: float, close: Callable[[], None]) -> None:
        self._limit = limit
        self._close = close
        self._last = time.monotonic()
        self._busy = False
        self._done = threading.Event()
        self.fired = False
        self._thread = threading.Thread(target=self._run, name="sftp-watch", daemon=True)
        self._thread.start()

    def moved(self) -> None:
        """Something came or went."""
        self._last = time.monotonic()

    @contextmanager
    def operation(self) -> Iterator[None]:
        """Silence counts only in here."""
        self.moved()
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def stop(self) -> None:
        self._done.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(min(self._limit / 4, 1.0)):
            if self._busy and time.monotonic() - self._last > self._limit:
                self.fired = True
                self._close()
                return


class Session(paramiko.SFTPClient):
    """An SFTP session; `moved` is called whenever bytes come or go."""

    if TYPE_CHECKING:  # paramiko's internals, which its stubs leave out

        def _read_packet(self) -> tuple[int, bytes]: ...
        def _read_response(self) -> object: ...
        def _convert_status(self, message: Message) -> None: ...
        def _async_request(self, asker: object, command: int, *parts: Any) -> int: ...

    def __init__(self, channel: paramiko.Channel, moved: Callable[[], None]) -> None:
        self._moved = moved
        self._unread = memoryview(b"")
        self._answers: dict[int, tuple[int, Message]] = {}
        self.extensions: frozenset[bytes] = frozenset()
        super().__init__(channel)
        self.read_size, self.write_size = self._limits()

    # paramiko's hooks: it calls these at the start and for what comes and goes

    def _send_version(self) -> int:
        hello = Message()
        hello.add_int(_PROTOCOL)
        self._send_packet(CMD_INIT, hello)
        kind, data = self._read_packet()
        if kind != CMD_VERSION:
            raise SFTPError("unexpected answer")
        message = Message(data)
        version = int(message.get_int())
        names = []
        while message.get_remainder():
            names.append(message.get_binary())
            message.get_binary()  # the extension's own version
        self.extensions = frozenset(names)
        return version

    def _read_all(self, n: int) -> bytes:
        found = []
        while n > 0:
            if not self._unread:
                # all that there is: paramiko moves what it keeps with every read
                data = self.sock.recv(WINDOW)
                if not data:
                    raise EOFError
                self._moved()
                self._unread = memoryview(data)
            found.append(self._unread[:n])
            self._unread = self._unread[n:]
            n -= len(found[-1])
        return b"".join(found)

    def _send_packet(self, t: int, packet: Message) -> None:
        super()._send_packet(t, packet)  # type: ignore[misc]
        self._moved()

    def _async_response(self, t: int, message: Message, number: int) -> None:
        self._answers[number] = (t, message)

    # requests under way, answered in any order

    def _ask(self, command: int, *parts: Any) -> int:
        return self._async_request(self, command, *parts)

    def _answer(self, number: int, expected: int) -> Message | None:
        """The answer to a request; None at the end of a file or folder.

        Raises:
            OSError: what the server says, with errno for missing and refused.
        """
        while number not in self._answers:
            self._read_response()
        kind, message = self._answers.pop(number)
        if kind == CMD_STATUS:
            try:
                self._convert_status(message)
            except EOFError:
                return None
        if kind != expected:
            raise SFTPError("unexpected answer")
        return message

    def _limits(self) -> tuple[int, int]:
        """The largest read and write that the server takes."""
        if _LIMITS not in self.extensions:
            return _SMALLEST_REQUEST, _SMALLEST_REQUEST
        message = self._answer(self._ask(CMD_EXTENDED, _LIMITS), CMD_EXTENDED_REPLY)
        if message is None:
            raise SFTPError("unexpected answer")
        message.get_int64()  # the largest packet
        read, write = message.get_int64(), message.get_int64()  # 0: it does not say
        return (
            min(read or _SMALLEST_REQUEST, _LARGEST_REQUEST),
            min(write or _SMALLEST_REQUEST, _LARGEST_REQUEST),
        )

    def entries(self, path: str) -> Iterator[tuple[bytes, paramiko.SFTPAttributes]]:
        """Names as bytes with attributes, as the server lists them."""
        opened = self._answer(self._ask(CMD_OPENDIR, path), CMD_HANDLE)
        if opened is None:
            raise SFTPError("unexpected answer")
        handle = opened.get_binary()
        asked = deque(self._ask(CMD_READDIR, handle) for _ in range(_LIST_UNDER_WAY))
        while asked:
            message = self._answer(asked.popleft(), CMD_NAME)
            if message is None:
                continue  # at the end: the others that are under way say the same
            for _ in range(message.get_int()):
                name = message.get_binary()
                message.get_binary()  # the same as `ls -l` would print it
                yield name, _attributes(message)
            asked.append(self._ask(CMD_READDIR, handle))
        self._answer(self._ask(CMD_CLOSE, handle), CMD_STATUS)

    def handle_stat(self, file: paramiko.SFTPFile) -> paramiko.SFTPAttributes:
        """Attributes of an open file."""
        message = self._answer(self._ask(CMD_FSTAT, file.handle), CMD_ATTRS)
        if message is None:
            raise SFTPError("unexpected answer")
        return _attributes(message)

    def blocks(self, file: paramiko.SFTPFile, size: int) -> Generator[bytes]:
        """The first `size` bytes of an open file, in order; fewer if it ends before."""
        asked: deque[tuple[int, int, int]] = deque()  # request, offset, length
        position = 0
        while position < size or asked:
            while position < size and len(asked) * self.read_size < WINDOW:
                length = min(self.read_size, size - position)
                asked.append((self._ask_block(file, position, length), position, length))
                position += length
            number, offset, length = asked.popleft()
            message = self._answer(number, CMD_DATA)
            if message is None:
                position = size  # the file has become shorter; drain what is under way
                for other, *_ in asked:
                    self._answer(other, CMD_DATA)
                return
            data = message.get_binary()
            yield data
            if len(data) < length:  # a server may give less than asked
                rest = (offset + len(data), length - len(data))
                asked.appendleft((self._ask_block(file, *rest), *rest))

    def _ask_block(self, file: paramiko.SFTPFile, offset: int, length: int) -> int:
        return self._ask(CMD_READ, file.handle, int64(offset), length)

    def write_blocks(self, file: paramiko.SFTPFile, blocks: Iterator[bytes]) -> int:
        """Write blocks of at most `write_size`, in order; returns the bytes written."""
        asked: deque[int] = deque()
        offset = 0
        for block in blocks:
            if len(asked) * self.write_size >= WINDOW:
                self._answer(asked.popleft(), CMD_STATUS)
            asked.append(self._ask(CMD_WRITE, file.handle, int64(offset), block))
            offset += len(block)
        while asked:
            self._answer(asked.popleft(), CMD_STATUS)
        return offset


def _attributes(message: Message) -> paramiko.SFTPAttributes:
    found: paramiko.SFTPAttributes = paramiko.SFTPAttributes._from_msg(  # type: ignore[attr-defined]
        message
    )
    return found


def is_regular(shown: paramiko.SFTPAttributes) -> bool:
    """Whether attributes are those of a regular file; some servers do not tell the type."""
    return modes.S_IFMT(shown.st_mode or 0) in (0, modes.S_IFREG)
