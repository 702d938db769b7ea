"""A gpg home of one's own for each use: private, short-lived, with an agent that keeps nothing.

A warm agent would open messages with a wrong passphrase, or none; gpg's sockets need a short
path; and a shared home fails under parallel use. So every use makes its home and removes it,
together with its agent.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import gnupg

from responsys_assets.errors import PgpError
from responsys_assets.lake.publish import FILE_MODE, FOLDER_MODE
from responsys_assets.pgp.process import Process, die_with_parent, environment, program

_PREFIX = "responsys-gpg-"
_NEW = "responsys-new-"
_LONGEST_PATH = 90  # the agent's socket must fit into 108 characters
_STALE_SECONDS = 3600.0
_AGENT = "allow-loopback-pinentry\nauto-expand-secmem\n"
# A key of a home that only reads lives for seconds: without a count the agent takes more than a
# second to find out how slow its passphrase should be. A home that makes keys takes that time.
_FORGET = "default-cache-ttl 0\nmax-cache-ttl 0\ns2k-count 1048576\n"

# at debug level python-gnupg logs the beginning of the keys it imports
logging.getLogger("gnupg").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Key:
    """A primary key, and every key id (16 hex digits) a message to it may name."""

    fingerprint: str
    key_ids: frozenset[str]
    secret: bool


class GpgHome:
    """Use in a `with` statement; `path` is the home folder.

    `remember`: keep passphrases while it lasts; making a key asks for its passphrase twice.
    """

    def __init__(self, *, remember: bool = False) -> None:
        self.path = Path()
        self._agent = _AGENT if remember else _AGENT + _FORGET
        self._lock = -1

    def __enter__(self) -> Self:
        program("gpg")
        _sweep()
        folder = _new_folder()
        self._lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, FILE_MODE)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # locked before it has the name that others sweep
        self.path = folder.rename(folder.with_name(folder.name.replace(_NEW, _PREFIX, 1)))
        (self.path / "gpg-agent.conf").write_text(self._agent)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _discard(self.path)
        os.close(self._lock)

    @cached_property
    def tool(self) -> gnupg.GPG:
        """python-gnupg on this home; for keys only, see pgp/decrypt.py."""
        return gnupg.GPG(gnupghome=str(self.path), env=environment(), encoding="utf-8")

    def import_file(self, path: Path, *, secret: bool = False) -> list[Key]:
        """Import the keys of a file; returns its primary keys.

        Raises:
            PgpError: `key_missing` if the file is not there, `key_damaged` if it holds no key
                of the kind wanted.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise PgpError(
                "key_missing",
                f"the key file {path} cannot be read ({os.strerror(error.errno or 0)}); "
                "`responsys keys new` makes keys, `keys` in the configuration names their files",
            ) from None
        return self.import_bytes(content, str(path), secret=secret)

    def import_bytes(self, content: bytes, what: str, *, secret: bool = False) -> list[Key]:
        """As `import_file`, for keys in memory."""
        result = self.tool.import_keys(content, extra_args=["--no-auto-check-trustdb"])
        imported = dict.fromkeys(f for f in result.fingerprints if f)
        own = {key.fingerprint: key for key in self.list_keys(secret=True)}
        every = {key.fingerprint: key for key in self.list_keys()}
        found = [own.get(f, every[f]) for f in imported if f in every]
        if not found or (secret and not any(key.secret for key in found)):
            wanted = "an OpenPGP private key" if secret else "an OpenPGP public key"
            raise PgpError(
                "key_damaged", f"{what} does not hold {wanted}; export it again (armoured or not)"
            )
        return found

    def list_keys(self, *, secret: bool = False) -> list[Key]:
        """The keys of this home."""
        return [
            Key(
                fingerprint=found["fingerprint"],
                key_ids=frozenset([found["keyid"], *(sub[0] for sub in found["subkeys"])]),
                secret=secret,
            )
            for found in self.tool.list_keys(secret)
        ]

    def public_armour(self, fingerprint: str) -> str:
        """A public key as ASCII armour."""
        return str(self.tool.export_keys(fingerprint))

    def start(
        self,
        arguments: Sequence[str],
        *,
        stdin: int | IO[bytes],
        stdout: int | IO[bytes],
        passphrase: str | None = None,
        errors: str = "errors",
    ) -> Process:
        """Start gpg; its status and error lines go to files in the home, which never block.

        The passphrase goes through a pipe of its own, never through arguments or environment.
        """
        status = self._open(f"{errors}.status")
        log = self._open(f"{errors}.log")
        reader, writer = os.pipe()
        try:
            command = [
                program("gpg"),
                *("--homedir", str(self.path), "--no-options", "--batch", "--no-tty"),
                *("--status-fd", str(status), "--disable-dirmngr", "--no-auto-key-retrieve"),
                *("--no-auto-check-trustdb", "--trust-model", "always"),
                *("--pinentry-mode", "loopback", "--passphrase-fd", str(reader)),
                *arguments,
            ]
            child = subprocess.Popen(  # noqa: S603
                command,
                stdin=stdin,
                stdout=stdout,
                stderr=log,
                env=environment(),
                pass_fds=(status, reader),
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509
                bufsize=0,
            )
            os.write(writer, (passphrase or "").encode() + b"\n")
        finally:
            for descriptor in (status, log, reader, writer):
                os.close(descriptor)
        return Process(child, self.path / f"{errors}.status", self.path / f"{errors}.log")

    def _open(self, name: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        return os.open(self.path / name, flags, FILE_MODE)


def _parents() -> list[str]:
    """Where homes may be; a temporary folder with a long path is of no use."""
    return list(dict.fromkeys((tempfile.gettempdir(), "/tmp")))  # noqa: S108


def _new_folder() -> Path:
    for parent in _parents():
        if len(parent) + len(_PREFIX) + 10 < _LONGEST_PATH:
            folder = Path(tempfile.mkdtemp(prefix=_NEW, dir=parent))
            folder.chmod(FOLDER_MODE)
            return folder
    raise AssertionError("unreachable")


def _discard(folder: Path) -> None:
    """End the agent and remove the home."""
    with contextlib.suppress(OSError, subprocess.SubprocessError, PgpError):
        subprocess.run(  # noqa: S603
            [program("gpgconf"), "--homedir", str(folder), "--kill", "all"],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )
    shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    """Remove homes whose process was killed: their lock is free."""
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
