"""Atomic publishing: temporary name, fsync, rename, fsync of the folder. Nothing else writes.

Everything under construction lives in `<lake>/tmp`; whoever takes the lake's lock empties it
first, so what a crash left behind is gone before the next work starts.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from responsys_assets.errors import LakeError

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def make_private_folder(path: Path, *, lasting: bool = True) -> Path:
    """The folder, made with its parents when missing, for the owner alone.

    `lasting`: its name is durable, as is then whatever is published in it.
    """
    missing = [p for p in (path, *path.parents) if not p.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        folder.chmod(FOLDER_MODE)
        if lasting:
            sync_folder(folder.parent)
    return path


def sync_folder(path: Path) -> None:
    """Make renames in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make a file's content durable and private."""
    path.chmod(FILE_MODE)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn faults of the disk into errors that say what to do.

    Raises:
        LakeError: for a full disk, a missing right, an input/output error.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = "the disk is full: make room (see `responsys prune`) and run this again"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            advice = "this user may not write there: mend owner and mode, then run this again"
        else:
            advice = f"{os.strerror(error.errno or 0)}; check the disk, then run this again"
        raise LakeError("disk", f"{what}: {advice}") from None


class Workspace:
    """A private temporary folder inside the lake; everything in it is published or dropped."""

    def __init__(self, tmp: Path) -> None:
        self.path = make_private_folder(tmp / uuid.uuid4().hex, lasting=False)

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def file(self, name: str) -> Path:
        """A path for a file under construction."""
        return self.path / name

    def folder(self, name: str) -> Path:
        """A folder under construction, also good as an engine's spill folder."""
        return make_private_folder(self.path / name, lasting=False)

    def publish_file(self, source: Path, target: Path) -> None:
        """Move a finished file to its final name, replacing what is there."""
        with disk_errors(f"cannot publish {target.name}"):
            make_private_folder(target.parent)
            sync_file(source)
            source.replace(target)
            sync_folder(target.parent)

    def publish_bytes(self, content: bytes, target: Path) -> None:
        """Write a small file atomically."""
        with disk_errors(f"cannot write {target.name}"):
            source = self.file(f"{uuid.uuid4().hex}.part")
            descriptor = os.open(source, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        self.publish_file(source, target)

    def publish_folder(self, source: Path, target: Path) -> None:
        """Move a finished folder to its final name, which must be free."""
        with disk_errors(f"cannot publish {target.name}"):
            make_private_folder(target.parent)
            for path in sorted(source.rglob("*"), reverse=True):
                if path.is_dir():
                    path.chmod(FOLDER_MODE)
                    sync_folder(path)
                else:
                    sync_file(path)
            sync_folder(source)
            source.rename(target)
            sync_folder(target.parent)
