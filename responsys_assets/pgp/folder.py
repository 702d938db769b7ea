"""The folder of a gpg home: it holds private keys, so it is gone when its process is gone.

A guard, a shell of a few lines, waits on a pipe that only this process holds. When the pipe says
a line or closes, by our leave or because we were killed, it ends the agent and removes the
folder: one way for both. It starts the agent, too, so that there is none that it could miss. If
the guard is killed as well (power, a container stopped as a whole), the folder's lock is free and
the next use on this machine removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from responsys_assets.errors import PgpError
from responsys_assets.lake.publish import FILE_MODE, FOLDER_MODE, disk_errors
from responsys_assets.pgp.process import environment, program

_PREFIX = "responsys-gpg-"
_NEW = "responsys-new-"
_LONGEST_PATH = 90  # the agent's socket must fit into 108 characters
_STALE_SECONDS = 3600.0
_END_SECONDS = 30.0
_AGENT_SECONDS = 300.0
# A service's stop signal reaches the guard too, before we are gone, and then nobody reads what it
# says. A gpg that dies with us may still write into the folder while that is removed.
_GUARD = """
trap '' HUP INT PIPE TERM
read said
if [ "$said" = agent ]; then
    gpg-agent --homedir "$2" --daemon < /dev/null > /dev/null
    echo $?
    read said
    gpgconf --homedir "$2" --kill gpg-agent
fi
tries=0
until rm -rf "$@" || [ $tries -ge 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
"""


class HomeFolder:
    """A private, locked, guarded folder; `remove` it at the end."""

    def __init__(self, path: Path, lock: int, guard: subprocess.Popen[bytes]) -> None:
        self.path = path
        self._lock = lock
        self._guard = guard

    @classmethod
    def make(cls) -> Self:
        """A new folder; those that killed processes left behind go.

        Raises:
            LakeError: if there is no temporary folder to write to.
        """
        with disk_errors("cannot make a private folder for gpg"), contextlib.ExitStack() as undo:
            _sweep()
            name = secrets.token_hex(6)
            new, path = (_parent() / f"{prefix}{name}" for prefix in (_NEW, _PREFIX))
            # before there is anything to guard: we may be killed at any moment
            guard = _guard(new, path)
            undo.callback(guard.communicate, b"\n")
            new.mkdir(mode=FOLDER_MODE)
            new.chmod(FOLDER_MODE)
            lock = os.open(new / ".lock", os.O_RDWR | os.O_CREAT, FILE_MODE)
            undo.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
            # locked before it has the name that others sweep
            new.rename(path)
            undo.pop_all()
        return cls(path, lock, guard)

    def start_agent(self) -> None:
        """Have the guard start the agent; returns when it listens.

        gpg by itself gives it five seconds, which a busy machine may not have, and what then
        fails looks like a message for somebody else.

        Raises:
            PgpError: `gpg_missing`, `gpg_failed`.
        """
        program("gpg-agent")
        assert self._guard.stdin is not None and self._guard.stdout is not None  # noqa: S101, PT018
        with contextlib.suppress(OSError):
            self._guard.stdin.write(b"agent\n")
            self._guard.stdin.flush()
            readable, _, _ = select.select([self._guard.stdout], [], [], _AGENT_SECONDS)
            if readable and self._guard.stdout.readline() == b"0\n":
                return
        raise PgpError(
            "gpg_failed", "gpg-agent, which holds the private key, does not start; run this again"
        )

    def remove(self) -> None:
        """Have the guard end the agent and remove the folder."""
        try:
            # a line: a fork of ours may hold the pipe open
            self._guard.communicate(b"\n", timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.communicate()
        if self.path.exists():  # the guard was killed
            _discard(self.path)
        os.close(self._lock)


def _guard(*paths: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        ["/bin/sh", "-c", _GUARD, "guard of responsys", *map(str, paths)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
        cwd="/",
        start_new_session=True,
    )


def _parents() -> list[str]:
    """Where homes may be; a temporary folder with a long path is of no use."""
    return list(dict.fromkeys((tempfile.gettempdir(), "/tmp")))  # noqa: S108


def _parent() -> Path:
    return next(
        Path(parent) for parent in _parents() if len(parent) + len(_PREFIX) + 12 < _LONGEST_PATH
    )


def _discard(folder: Path) -> None:
    """End the agent and remove the folder of a guard that was killed."""
    with contextlib.suppress(OSError, subprocess.SubprocessError, PgpError):
        subprocess.run(  # noqa: S603
            [program("gpgconf"), "--homedir", str(folder), "--kill", "gpg-agent"],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_END_SECONDS,
            check=False,
        )
    shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    """Remove folders whose process and guard were killed: their lock is free."""
    for parent in map(Path, _parents()):
        for folder in parent.glob(f"{_NEW}*"):
            with contextlib.suppress(OSError):
                if _ours(folder) and time.time() - folder.lstat().st_mtime > _STALE_SECONDS:
                    _discard(folder)
        for folder in parent.glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                if _ours(folder) and _abandoned(folder):
                    _discard(folder)


def _ours(folder: Path) -> bool:
    return folder.lstat().st_uid == os.getuid() and not folder.is_symlink()


def _abandoned(folder: Path) -> bool:
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
