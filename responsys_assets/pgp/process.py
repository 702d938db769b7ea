"""Programs of GnuPG: started without our environment, ended with us."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from typing import IO

from responsys_assets.errors import PgpError

_PR_SET_PDEATHSIG = 1
_PIPE_BYTES = 1 << 20


class Process:
    """A running gpg, and the files that take its status and error lines."""

    def __init__(self, child: subprocess.Popen[bytes], status: IO[bytes], log: IO[bytes]) -> None:
        self.child = child
        self._status = status
        self._log = log

    @property
    def output(self) -> int:
        """The descriptor of the pipe it writes to; enlarged, which saves switches."""
        assert self.child.stdout is not None  # noqa: S101
        descriptor = self.child.stdout.fileno()
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with contextlib.suppress(OSError):  # above the limit of this user
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        return descriptor

    def wait(self, seconds: float) -> int:
        """The exit code; kills it when it does not end in time.

        Raises:
            PgpError: `gpg_stalled`.
        """
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise PgpError("gpg_stalled", "gpg does not end; run this again") from None

    def end(self) -> None:
        """End it and everything it started, if it still runs."""
        if self.child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()

    def kill(self) -> None:
        """End it, if it still runs, and close what belongs to it."""
        self.end()
        for file in (self.child.stdin, self.child.stdout, self._status, self._log):
            if file is not None:
                file.close()

    def status(self) -> list[list[str]]:
        """The status lines as words, without their prefix."""
        lines = (line.split(" ") for line in _text(self._status).splitlines())
        return [words[1:] for words in lines if words[0] == "[GNUPG:]" and len(words) > 1]

    def log(self) -> str:
        """What gpg wrote to its error channel; for our own judgement, not for messages."""
        return _text(self._log)


def memory_file() -> IO[bytes]:
    """A nameless file: it never blocks a writer as a pipe does, and vanishes with its users.

    In memory where there is such a thing (Linux), so that a full disk cannot swallow a word.
    """
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("gpg"), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _text(file: IO[bytes]) -> str:
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0).decode("utf-8", "replace")


def program(name: str) -> str:
    """The path of a program of GnuPG.

    Raises:
        PgpError: `gpg_missing`.
    """
    found = shutil.which(name)
    if found is None:
        raise PgpError(
            "gpg_missing",
            f"{name} is not installed; install GnuPG (for example: the gnupg package)",
        )
    return found


def environment() -> dict[str, str]:
    """What gpg sees of our environment: no secrets, messages in English."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


# looked up here: after a fork another thread may hold the loader's lock for ever
_prctl = getattr(ctypes.CDLL(None), "prctl", None)


def dying_with_us() -> Callable[[], None]:
    """What a child does before it becomes gpg: an orphan must not go on with plaintext (Linux;
    elsewhere its pipe ends it). The thread that starts a child must outlive it.
    """
    parent = os.getpid()

    def prepare() -> None:
        if _prctl is not None:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it was too late to ask
                os._exit(1)

    return prepare
