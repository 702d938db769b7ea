"""What every server can do, and the parts that the kinds of server share.

Folders are relative to the server's root (the login folder, the local path) or absolute.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from responsys_assets.errors import ServerError, TransientServerError
from responsys_assets.lake.receipts import RemoteFile
from responsys_assets.progress import Advance

CHUNK = 1 << 20
SMALL_FILE = 65536


def ignored(_: RemoteFile) -> None:
    """What nobody asks for."""


class Server(Protocol):
    """A place with folders of files. Every method raises ServerError, TransientServerError
    (a ServerError worth another attempt), or LakeError for faults of our own disk."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def list_folder(
        self, folder: str, other: Callable[[RemoteFile], None] = ignored
    ) -> list[RemoteFile]:
        """The regular files of a folder, in no order; what is none (a link, a pipe, a folder)
        goes to `other`.

        A name that is not UTF-8 is listed with U+FFFD in it, so that no pattern takes it.
        """
        ...

    def read_small(self, folder: str, name: str, limit: int = SMALL_FILE) -> bytes:
        """The whole content of a file of at most `limit` bytes; code `too_large` above that."""
        ...

    def stat(self, folder: str, name: str) -> RemoteFile | None:
        """The regular file of that name, if there is one."""
        ...

    def fetch(self, folder: str, remote: RemoteFile, target: Path, advance: Advance) -> str:
        """Copy a file to `target`, which must not exist; returns its sha256 as hex.

        The file must be the one that was listed (name, size, mtime) before and after;
        code `file_changed` if not. `target` is gone after a failure.
        """
        ...

    def put(self, folder: str, name: str, source: Path, advance: Advance) -> None:
        """Write a file under exactly that name (give a temporary one) and verify its size."""
        ...

    def rename(self, folder: str, old: str, new: str) -> None:
        """Give a file its final name, replacing a file of that name.

        Codes: `file_missing`, `name_taken` if a folder has it.
        """
        ...

    def remove(self, folder: str, name: str) -> None:
        """Remove a file; one that is missing is fine."""
        ...

    def make_folder(self, folder: str) -> None:
        """Make a folder with its parents where they are missing."""
        ...


def checked_name(name: str) -> str:
    """A name that stays in its folder.

    Raises:
        ServerError: if it holds a folder or is none.
    """
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise ServerError("bad_name", f"{name!r} is not a file name")
    return name


def safe_text(name: bytes) -> str | None:
    """A listed name as text; None for one that would lead out of its folder."""
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
        return None
    return name.decode("utf-8", "replace")


def folder_missing(label: str, folder: str) -> ServerError:
    """The error for a folder that is not there."""
    return ServerError(
        "folder_missing",
        f"{label} has no folder {folder or '.'}; mend `folder` in the configuration or make it",
    )


def file_missing(label: str, name: str) -> ServerError:
    """The error for a file that is to be renamed and is not there."""
    return ServerError(
        "file_missing", f"{name} is not on {label} any more; something else has moved it"
    )


def folder_there(name: str) -> ServerError:
    """The error for a file that cannot have its name, for a folder has it."""
    return ServerError("name_taken", f"{name} is a folder there; move it away")


def file_changed(label: str, name: str, how: str) -> TransientServerError:
    """The error for a file that is not the one that was listed, or not any more."""
    return TransientServerError(
        "file_changed",
        f"{name} on {label} {how} while it was read; "
        "nothing of it was kept, the next sync reads it again",
    )
