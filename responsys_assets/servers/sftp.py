"""An SFTP account as a server."""

from __future__ import annotations

import errno
import stat as modes
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

import paramiko

from responsys_assets.config.models import SftpServer
from responsys_assets.config.project import Project
from responsys_assets.errors import ServerError, TransientServerError
from responsys_assets.lake.publish import disk_errors
from responsys_assets.lake.receipts import RemoteFile
from responsys_assets.lake.sink import writing_to
from responsys_assets.progress import Advance
from responsys_assets.servers.base import (
    SMALL_FILE,
    checked_name,
    file_changed,
    file_missing,
    folder_missing,
    folder_there,
    ignored,
    safe_text,
)
from responsys_assets.servers.retry import retrying
from responsys_assets.servers.sftp_session import LARGEST_PACKET, WINDOW, Session, Watch, is_regular
from responsys_assets.servers.ssh import Account, connect, read_account

SILENCE_SECONDS = 30.0
_POSIX_RENAME = b"posix-rename@openssh.com"
_FAULTS = (
    paramiko.SSHException,
    paramiko.SFTPError,
    EOFError,
    OSError,
    UnicodeDecodeError,  # an error text of the server
)


class _Connection:
    """A client, its session and the watch over both."""

    def __init__(self, account: Account) -> None:
        self._client = retrying(lambda: connect(account))
        self.watch = Watch(SILENCE_SECONDS, self._client.close)
        try:
            with self.watch.operation():
                self.session = Session(self._channel(), self.watch.moved)
        except BaseException:
            self.close()
            raise

    def _channel(self) -> paramiko.Channel:
        transport = self._client.get_transport()
        if transport is None:  # lost already
            raise EOFError
        channel = transport.open_session(WINDOW, LARGEST_PACKET)
        channel.invoke_subsystem("sftp")
        return channel

    @property
    def alive(self) -> bool:
        transport = self._client.get_transport()
        return transport is not None and transport.is_active()

    def close(self) -> None:
        self.watch.stop()
        self._client.close()


class Sftp:
    """Connects when first used, and again after a connection was lost."""

    def __init__(self, project: Project, name: str, config: SftpServer) -> None:
        self._account = read_account(project, name, config)
        self._label = self._account.label
        self._connection: _Connection | None = None

    def __enter__(self) -> Self:
        with self._session():
            return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def list_folder(
        self, folder: str, other: Callable[[RemoteFile], None] = ignored
    ) -> list[RemoteFile]:
        found: list[RemoteFile] = []
        try:
            with self._session() as session:
                for raw, shown in session.entries(folder or "."):
                    name = safe_text(raw)
                    if name is not None:
                        take = found.append if is_regular(shown) else other
                        take(_remote(name, shown))
        except FileNotFoundError:
            raise folder_missing(self._label, folder) from None
        return found

    def read_small(self, folder: str, name: str, limit: int = SMALL_FILE) -> bytes:
        with self._open(folder, name) as (session, file):
            content = b"".join(session.blocks(file, limit + 1))
        if len(content) > limit:
            raise ServerError("too_large", f"{name} on {self._label} has more than {limit} bytes")
        return content

    def stat(self, folder: str, name: str) -> RemoteFile | None:
        with self._session() as session:
            return _stat(session, _path(folder, name), name)

    def fetch(self, folder: str, remote: RemoteFile, target: Path, advance: Advance) -> str:
        name = remote.name
        # the target outside: closing the remote file may fail too, and then it must go
        with writing_to(target) as sink, self._open(folder, name) as (session, file):
            if _remote(name, session.handle_stat(file)) != remote:
                raise file_changed(self._label, name, "was replaced")
            with closing(session.blocks(file, remote.size)) as blocks:
                for data in blocks:
                    sink.write(data)
                    advance(len(data))
            after = _remote(name, session.handle_stat(file))
            if sink.size != remote.size or after != remote:
                raise file_changed(self._label, name, "was written to")
            if _stat(session, _path(folder, name), name) != remote:
                raise file_changed(self._label, name, "was replaced or removed")
            return sink.finish()

    def put(self, folder: str, name: str, source: Path, advance: Advance) -> None:
        def blocks(size: int) -> Iterator[bytes]:
            while data := reader.read(size):
                yield data
                advance(len(data))

        with disk_errors(f"cannot read {source.name}"):
            reader = source.open("rb")
        path = _path(folder, name)
        with reader:
            try:
                with self._session() as session:
                    with session.open(path, "wb") as file:
                        sent = session.write_blocks(file, blocks(session.write_size))
                    written = _stat(session, path, name)
            except FileNotFoundError:
                raise folder_missing(self._label, folder) from None
        if written is None or written.size != sent:
            raise TransientServerError(
                "size_differs",
                f"{name} on {self._label} has not the size sent; "
                "the disk there may be full, or the receiver took the file too early",
            )

    def rename(self, folder: str, old: str, new: str) -> None:
        source, target = _path(folder, old), _path(folder, new)
        try:
            with self._session() as session:
                try:
                    _rename(session, source, target)
                except OSError:
                    if _is_folder(session, target):
                        raise folder_there(new) from None
                    raise
        except FileNotFoundError:
            raise file_missing(self._label, old) from None

    def remove(self, folder: str, name: str) -> None:
        with self._session() as session:
            _remove(session, _path(folder, name))

    def make_folder(self, folder: str) -> None:
        with self._session() as session:
            path = PurePosixPath(folder or ".")
            for each in (*reversed(path.parents), path):
                try:
                    session.stat(str(each))
                except FileNotFoundError:
                    session.mkdir(str(each))

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """The session for one operation; whatever ends it badly is said in our own words.

        FileNotFoundError passes: only the operation knows what is missing.
        """
        connection = None
        try:
            if self._connection is None:
                self._connection = _Connection(self._account)
            connection = self._connection
            with connection.watch.operation():
                yield connection.session
        except (FileNotFoundError, ServerError):
            raise
        except _FAULTS as error:
            alive = connection is not None and connection.alive
            if alive and isinstance(error, OSError) and error.errno in (None, errno.EACCES):
                raise self._refused(error) from None
            stalled = connection is not None and connection.watch.fired
            self._close()
            raise self._lost(stalled) from None
        except BaseException:
            # answers may still be under way: this connection cannot be used again
            self._close()
            raise

    @contextmanager
    def _open(self, folder: str, name: str) -> Iterator[tuple[Session, paramiko.SFTPFile]]:
        """A regular file for reading; by its name first, so that no FIFO is opened."""
        path = _path(folder, name)
        try:
            with self._session() as session:
                _must_be_regular(session, path, name)
                with session.open(path, "rb") as file:
                    yield session, file
        except FileNotFoundError:
            raise file_changed(self._label, name, "was removed") from None

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _refused(self, error: OSError) -> ServerError:
        if error.errno == errno.EACCES:
            return ServerError(
                "access_denied",
                f"{self._label} does not let user {self._account.username} do this; "
                "check the folder and its rights with the server's owner",
            )
        return ServerError(
            "server_failed",
            f"{self._label} failed without saying why; its disk may be full or the folder "
            "closed to writing: ask its owner, then run this again",
        )

    def _lost(self, stalled: bool) -> TransientServerError:
        if stalled:
            return TransientServerError(
                "stalled",
                f"{self._label} sent and took nothing for {SILENCE_SECONDS:g} s, so the "
                "connection was closed; the next sync tries again",
            )
        return TransientServerError(
            "connection_lost",
            f"the connection to {self._label} was lost; the next sync tries again",
        )


def _path(folder: str, name: str) -> str:
    return f"{folder}/{checked_name(name)}" if folder else checked_name(name)


def _remote(name: str, shown: paramiko.SFTPAttributes) -> RemoteFile:
    return RemoteFile(name=name, size=shown.st_size or 0, mtime=float(shown.st_mtime or 0))


def _stat(session: Session, path: str, name: str) -> RemoteFile | None:
    try:
        shown = session.lstat(path)
    except FileNotFoundError:
        return None
    return _remote(name, shown) if is_regular(shown) else None


def _must_be_regular(session: Session, path: str, name: str) -> None:
    if _stat(session, path, name) is None:
        raise FileNotFoundError


def _rename(session: Session, source: str, target: str) -> None:
    if _POSIX_RENAME in session.extensions:
        session.posix_rename(source, target)
        return
    session.lstat(source)  # or the old file would go for nothing
    _remove(session, target)  # plain rename refuses an existing name
    session.rename(source, target)


def _is_folder(session: Session, path: str) -> bool:
    try:
        return modes.S_ISDIR(session.lstat(path).st_mode or 0)
    except FileNotFoundError:
        return False


def _remove(session: Session, path: str) -> None:
    with suppress(FileNotFoundError):
        session.remove(path)
