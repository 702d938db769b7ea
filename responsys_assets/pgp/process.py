"""A running gpg: started without our environment, ended with us."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
from pathlib import Path

from responsys_assets.errors import PgpError

_PR_SET_PDEATHSIG = 1
_PIPE_BYTES = 1 << 20


class Process:
    """A running gpg."""

    def __init__(self, child: subprocess.Popen[bytes], status: Path, log: Path) -> None:
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

    def kill(self) -> None:
        """End it and everything it started, if it still runs, and close its pipes."""
        if self.child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe is not None:
                pipe.close()

    def status(self) -> list[list[str]]:
        """The status lines as words, without their prefix."""
        text = self._status.read_text(encoding="utf-8", errors="replace")
        lines = (line.split(" ") for line in text.splitlines())
        return [words[1:] for words in lines if words[0] == "[GNUPG:]" and len(words) > 1]

    def log(self) -> str:
        """What gpg wrote to its error channel; for our own judgement, not for messages."""
        return self._log.read_text(encoding="utf-8", errors="replace")


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


_libc = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Runs in the child: an orphan must not go on with plaintext (Linux; elsewhere its pipe
    ends it)."""
    if hasattr(_libc, "prctl"):
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
