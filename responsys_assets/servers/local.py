"""A folder of this machine as a server: other systems' files, outboxes, tests."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from responsys_assets.config.models import LocalServer
from responsys_assets.config.project import Project
from responsys_assets.errors import ServerError
from responsys_assets.lake.publish import (
    FILE_MODE,
    disk_errors,
    make_private_folder,
    sync_folder,
)
from responsys_assets.lake.receipts import RemoteFile
from responsys_assets.lake.sink import writing_to
from responsys_assets.progress import Advance
from responsys_assets.servers.base import (
    CHUNK,
    SMALL_FILE,
    checked_name,
    file_changed,
    file_missing,
    folder_missing,
    folder_there,
    ignored,
    safe_text,
)


class Local:
    """Symbolic links, FIFOs and devices are never read, written or listed."""

    def __init__(self, project: Project, name: str, config: LocalServer) -> None:
        self._root = project.path(config.path, f"servers.{name}.path")
        self._label = f"server {name}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held between calls."""

    def list_folder(
        self, folder: str, other: Callable[[RemoteFile], None] = ignored
    ) -> list[RemoteFile]:
        found: list[RemoteFile] = []
        try:
            with os.scandir(os.fsencode(self._root / folder)) as entries:
                for entry in entries:
                    name = safe_text(entry.name)
                    try:
                        shown = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:  # gone since it was listed
                        continue
                    if name is not None:
                        take = found.append if modes.S_ISREG(shown.st_mode) else other
                        take(_remote(name, shown))
        except (FileNotFoundError, NotADirectoryError):
            raise folder_missing(self._label, str(self._root / folder)) from None
        except OSError as error:
            raise self._refused("list", folder or ".", error) from None
        return found

    def read_small(self, folder: str, name: str, limit: int = SMALL_FILE) -> bytes:
        with self._open(folder, name) as descriptor:
            content = self._read(descriptor, name, limit + 1)
        if len(content) > limit:
            raise ServerError("too_large", f"{name} on {self._label} has more than {limit} bytes")
        return content

    def stat(self, folder: str, name: str) -> RemoteFile | None:
        try:
            shown = (self._path(folder, name)).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._refused("see", name, error) from None
        return _remote(name, shown) if modes.S_ISREG(shown.st_mode) else None

    def fetch(self, folder: str, remote: RemoteFile, target: Path, advance: Advance) -> str:
        with writing_to(target) as sink, self._open(folder, remote.name) as source:
            before = os.fstat(source)
            if _remote(remote.name, before) != remote:
                raise file_changed(self._label, remote.name, "was replaced")
            while data := self._read(source, remote.name, CHUNK):
                sink.write(data)
                advance(len(data))
            after = os.fstat(source)
            # unlike an mtime, a ctime cannot be set back
            if sink.size != remote.size or after.st_ctime_ns != before.st_ctime_ns:
                raise file_changed(self._label, remote.name, "was written to")
            if self.stat(folder, remote.name) != remote:
                raise file_changed(self._label, remote.name, "was replaced or removed")
            return sink.finish()

    def put(self, folder: str, name: str, source: Path, advance: Advance) -> None:
        path = self._path(folder, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with disk_errors(f"cannot read {source.name}"):
            reader = source.open("rb")
        with reader:
            try:
                with os.fdopen(os.open(path, flags, FILE_MODE), "wb") as writer:
                    while data := reader.read(CHUNK):
                        writer.write(data)
                        advance(len(data))
                    writer.flush()
                    os.fsync(writer.fileno())
            except FileNotFoundError:
                raise folder_missing(self._label, str(self._root / folder)) from None
            except OSError as error:
                raise self._refused("write", name, error) from None
        written = self.stat(folder, name)
        if written is None or written.size != source.stat().st_size:
            raise ServerError("size_differs", f"{name} on {self._label} has not the size sent")

    def rename(self, folder: str, old: str, new: str) -> None:
        try:
            self._path(folder, old).replace(self._path(folder, new))
            sync_folder(self._root / folder)
        except FileNotFoundError:
            raise file_missing(self._label, old) from None
        except IsADirectoryError:
            raise folder_there(new) from None
        except OSError as error:
            raise self._refused("rename", old, error) from None

    def remove(self, folder: str, name: str) -> None:
        try:
            self._path(folder, name).unlink(missing_ok=True)
        except OSError as error:
            raise self._refused("remove", name, error) from None

    def make_folder(self, folder: str) -> None:
        try:
            make_private_folder(self._root / folder)
        except OSError as error:
            raise self._refused("make", folder, error) from None

    def _path(self, folder: str, name: str) -> Path:
        return self._root / folder / checked_name(name)

    @contextmanager
    def _open(self, folder: str, name: str) -> Iterator[int]:
        # without O_NONBLOCK a FIFO would wait for a writer
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(self._path(folder, name), flags)
        except FileNotFoundError:
            raise file_changed(self._label, name, "was removed") from None
        except OSError as error:
            raise self._refused("read", name, error) from None
        try:
            if not modes.S_ISREG(os.fstat(descriptor).st_mode):
                raise ServerError("not_a_file", f"{name} on {self._label} is not a regular file")
            yield descriptor
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int, name: str, size: int) -> bytes:
        try:
            return os.read(descriptor, size)
        except OSError as error:
            raise self._refused("read", name, error) from None

    def _refused(self, verb: str, name: str, error: OSError) -> ServerError:
        reason = os.strerror(error.errno or 0)
        return ServerError(
            "access_denied" if isinstance(error, PermissionError) else "server_failed",
            f"cannot {verb} {name} in {self._root} ({self._label}): {reason}; "
            "mend the folder's owner, mode or space, then run this again",
        )


def _remote(name: str, shown: os.stat_result) -> RemoteFile:
    return RemoteFile(name=name, size=shown.st_size, mtime=shown.st_mtime)
