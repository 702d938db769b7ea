"""Where everything is in the lake, and the lock that lets one writer in at a time."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from responsys_assets.errors import LakeError
from responsys_assets.lake.publish import (
    FILE_MODE,
    Workspace,
    disk_errors,
    make_private_folder,
)

_PATIENCE = dt.timedelta(minutes=30)
_POLL_SECONDS = 0.2


class Lake:
    """Paths of the lake; reading needs no lock, writing happens inside `writing()`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._locked = False

    # exported/<list>/<date>/<sha12>/<file>
    def exported(self, list_name: str) -> Path:
        return self.root / "exported" / list_name

    # looks/<list>.json: files that have still to settle, and since when we see them as they are
    def looks(self, list_name: str) -> Path:
        return self.root / "looks" / f"{list_name}.json"

    # staged/<list>/<date>/<sha>.parquet
    def staged(self, list_name: str) -> Path:
        return self.root / "staged" / list_name

    # rejects/<list>/<date>/<sha>.parquet: the quarantine, the only place with raw records
    def rejects(self, list_name: str) -> Path:
        return self.root / "rejects" / list_name

    # settings/<digest>.json: the settings that readings were made with
    def settings(self, digest: str) -> Path:
        return self.root / "settings" / f"{digest}.json"

    # consent/<list>/<date>/<sha>.parquet: the consent ledger
    def consent(self, list_name: str) -> Path:
        return self.root / "consent" / list_name

    def profiles(self) -> Path:
        return self.root / "profiles"

    def segment(self, name: str) -> Path:
        return self.root / "segments" / name

    def delivery(self, name: str) -> Path:
        return self.root / "deliveries" / name

    def workspace(self) -> Workspace:
        """A temporary folder; only inside `writing()`, which cleans up after crashes."""
        if not self._locked:
            raise RuntimeError("the lake is written only under its lock")
        with disk_errors("cannot make a temporary folder in the lake"):
            return Workspace(self.root / "tmp")

    @contextmanager
    def writing(
        self,
        on_wait: Callable[[str], None] = lambda _: None,
        patience: dt.timedelta = _PATIENCE,
    ) -> Iterator[None]:
        """Hold the lake's lock; waits for another writer, and may be nested.

        The lock belongs to the process and ends with it, so a dead writer holds nothing. Inside
        the outermost one other threads may write too, if they end before it does.

        Raises:
            LakeError: `locked`, if the other writer does not finish within `patience`; for a
                fault of the disk in the work that is done under the lock.
        """
        if self._locked:
            yield
            return
        with disk_errors("cannot open the lake"):
            make_private_folder(self.root)
            descriptor = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT, FILE_MODE)
        try:
            self._acquire(descriptor, on_wait, patience)
            shutil.rmtree(self.root / "tmp", ignore_errors=True)
            self._locked = True
            try:
                with disk_errors("cannot work in the lake"):  # where nobody could say it better
                    yield
            finally:
                self._locked = False
                shutil.rmtree(self.root / "tmp", ignore_errors=True)
        finally:
            os.close(descriptor)

    def _acquire(
        self, descriptor: int, on_wait: Callable[[str], None], patience: dt.timedelta
    ) -> None:
        deadline = time.monotonic() + patience.total_seconds()
        told = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _holder(os.fstat(descriptor).st_ino)
            else:
                return
            if time.monotonic() >= deadline:
                raise LakeError("locked", f"the lake is in use by {holder}; end it or wait for it")
            if not told:
                on_wait(f"waiting for another writer of the lake ({holder})")
                told = True
            time.sleep(_POLL_SECONDS)


def _holder(inode: int) -> str:
    """Who holds the lock on a file, as far as the system tells (Linux: /proc/locks)."""
    try:
        rows = Path("/proc/locks").read_text().splitlines()
    except OSError:
        rows = []
    for row in map(str.split, rows):
        if "->" not in row and row[1] == "FLOCK" and row[5].endswith(f":{inode}"):
            return f"process {row[4]}"
    return "another process"
