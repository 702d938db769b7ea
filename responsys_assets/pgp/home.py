"""A gpg home of one's own for each use: private, short-lived, with an agent that keeps nothing.

A warm agent would open messages with a wrong passphrase, or none; gpg's sockets need a short
path; and a shared home fails under parallel use. So every use makes its home and removes it,
together with its agent.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import gnupg

from responsys_assets.errors import LakeError, PgpError
from responsys_assets.lake.publish import disk_errors
from responsys_assets.pgp.folder import HomeFolder
from responsys_assets.pgp.process import (
    Process,
    dying_with_us,
    environment,
    memory_file,
    program,
)

_AGENT = "allow-loopback-pinentry\nauto-expand-secmem\ndisable-scdaemon\n"
# A key of a home that only reads lives for seconds: without a count the agent takes more than a
# second to find out how slow its passphrase should be. A home that makes keys takes that time.
_FORGET = "default-cache-ttl 0\nmax-cache-ttl 0\ns2k-count 1048576\n"
_ALONE = ("--no-auto-check-trustdb", "--no-autostart")

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
        self._folder: HomeFolder | None = None

    def __enter__(self) -> Self:
        """Make the home and start its agent.

        Raises:
            PgpError: `gpg_missing`, `gpg_failed`.
            LakeError: if there is no room in the temporary folder.
        """
        program("gpg")
        self._folder = HomeFolder.make()
        self.path = self._folder.path
        try:
            with disk_errors("cannot write to the private folder of gpg"):
                (self.path / "gpg-agent.conf").write_text(self._agent)
            self._folder.start_agent()
        except BaseException:
            self._folder.remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            self._folder.remove()

    @cached_property
    def tool(self) -> gnupg.GPG:
        """python-gnupg on this home; for keys only, see pgp/decrypt.py."""
        return gnupg.GPG(
            gnupghome=str(self.path), env=environment(), encoding="utf-8", options=list(_ALONE)
        )

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
        result = self.tool.import_keys(content)
        if "No space left" in result.stderr:
            raise LakeError(
                "disk", "the temporary folder, where gpg keeps keys, is full: make room"
            )
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
    ) -> Process:
        """Start gpg; the calling thread must outlive it.

        The passphrase goes through a pipe of its own, never through arguments or environment.

        Raises:
            PgpError: `gpg_failed` if this machine has no room for another process.
        """
        try:
            return self._start(arguments, stdin, stdout, f"{passphrase or ''}\n".encode())
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise PgpError("gpg_failed", f"gpg does not start ({why}); run this again") from None

    def _start(
        self, arguments: Sequence[str], stdin: int | IO[bytes], stdout: int | IO[bytes], line: bytes
    ) -> Process:
        with contextlib.ExitStack() as lent, contextlib.ExitStack() as kept:
            status = kept.enter_context(memory_file())
            log = kept.enter_context(memory_file())
            reader, writer = os.pipe()
            lent.callback(os.close, reader)
            lent.callback(os.close, writer)
            os.write(writer, line)
            command = [
                program("gpg"),
                *("--homedir", str(self.path), "--no-options", "--batch", "--no-tty"),
                *("--disable-dirmngr", "--no-auto-key-retrieve", *_ALONE),
                *("--trust-model", "always", "--status-fd", str(status.fileno())),
                *("--pinentry-mode", "loopback", "--passphrase-fd", str(reader)),
                *arguments,
            ]
            child = subprocess.Popen(  # noqa: S603
                command,
                stdin=stdin,
                stdout=stdout,
                stderr=log,
                env=environment(),
                pass_fds=(status.fileno(), reader),
                start_new_session=True,
                preexec_fn=dying_with_us(),  # noqa: PLW1509
                bufsize=0,
            )
            kept.pop_all()
        return Process(child, status, log)
