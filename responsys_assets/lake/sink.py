"""Large new files: private, hashed and brought to the disk while they are written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from responsys_assets.lake.publish import FILE_MODE, disk_errors
from responsys_assets.threads import Behind

_BUFFER = 1 << 20
_BATCH = 4 << 20
_SYNCED_AT_ONCE = 32 << 20


class Sink:
    """A file under construction, which must not exist.

    Hashed beside the writing, in batches: threads that take turns at every block are slow.
    Synced while more comes, or publishing it would be a wait for the disk.
    """

    def __init__(self, target: Path) -> None:
        self._what = f"cannot write {target.name}"
        self._hash = hashlib.sha256()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with disk_errors(self._what):
            self._file = os.fdopen(os.open(target, flags, FILE_MODE), "wb", buffering=_BUFFER)
        self._syncing = Behind(os.fdatasync)
        self._hashing = Behind(self._add)
        self._batch: list[bytes] = []
        self._in_batch = 0
        self._unsynced = 0
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append a block; a fault of the disk may be raised only by a later call."""
        self._batch.append(data)
        self._in_batch += len(data)
        self.size += len(data)
        if self._in_batch >= _BATCH:
            self._hand_on()

    def finish(self) -> str:
        """Write what is left and close the file; returns its sha256. Publishing makes it last."""
        self._hand_on()
        self._hashing.close()
        with disk_errors(self._what):
            self._syncing.close()
            self._file.close()
        return self._hash.hexdigest()

    def abandon(self) -> None:
        """Close the file as it is; without effect once it is finished."""
        self._hashing.close()
        with suppress(OSError):  # said already, if it was to be said
            self._syncing.close()
        with suppress(OSError):
            self._file.close()

    @property
    def closed(self) -> bool:
        return self._file.closed

    def _hand_on(self) -> None:
        self._hashing.put(self._batch)
        with disk_errors(self._what):
            self._file.writelines(self._batch)
            self._unsynced += self._in_batch
            if self._unsynced >= _SYNCED_AT_ONCE:
                self._syncing.put(self._file.fileno())
                self._unsynced = 0
        self._batch, self._in_batch = [], 0

    def _add(self, batch: list[bytes]) -> None:
        for data in batch:
            self._hash.update(data)


@contextmanager
def writing_to(target: Path) -> Iterator[Sink]:
    """A sink; whatever goes wrong, no part of a file stays."""
    sink = Sink(target)
    try:
        yield sink
    except BaseException:
        sink.abandon()
        target.unlink(missing_ok=True)
        raise
    sink.abandon()
