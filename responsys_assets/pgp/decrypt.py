"""Decrypting as a stream: gpg writes into a pipe, and nothing else ever holds the plaintext.

Why not python-gnupg for this: its `ok` is true for output that was cut by a full disk or a
limit, for messages whose signer is unknown or expired, and for unsigned ones where a signature
is wanted; it leaves plaintext files behind on damaged input; and without an output file it
holds the message in memory. gpg's exit code alone is not enough either (0 for some cut
messages), so the verdict is taken from exit code and status lines together (GnuPG doc/DETAILS).
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import subprocess
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from responsys_assets.config.project import Project
from responsys_assets.errors import PgpError
from responsys_assets.lake.publish import disk_errors
from responsys_assets.pgp.home import GpgHome
from responsys_assets.pgp.process import Process
from responsys_assets.pgp.verdict import judge_decryption

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_RATIO = 200
MAX_FLOOR = 64 << 20
MAX_BYTES = 1 << 40
SILENCE_SECONDS = 300.0


class Decryption(io.RawIOBase):
    """The plaintext of a message, to be read to its end; good only once `finish` returns.

    Until then any of it may be forged or cut: publish nothing that was made from it.
    """

    def __init__(
        self, gpg: Process, name: str, cap: int, own: Collection[str], signers: Sequence[str]
    ) -> None:
        super().__init__()
        self._pipe = gpg.output
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLIN | select.POLLHUP)
        self._gpg = gpg
        self._name = name
        self._cap = cap
        self._own = own
        self._signers = signers
        self._verdict: PgpError | None = None
        self._ended = False
        self.finished = False
        self.size = 0

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Stop gpg if it still runs."""
        if not self.closed:
            self._gpg.kill()
        super().close()

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the buffer with what is there; 0 at the end.

        Raises:
            PgpError: `bomb` above the cap on plaintext, `gpg_stalled`.
        """
        if self.closed:
            raise ValueError("read of a message that was left")
        if self._verdict is not None:
            raise self._verdict
        if self._ended:
            return 0
        if not self._poll.poll(SILENCE_SECONDS * 1000):
            self._fail(PgpError("gpg_stalled", f"gpg is stuck on {self._name}; run this again"))
        count = os.readv(self._pipe, [buffer])
        self.size += count
        self._ended = count == 0
        if self.size > self._cap:
            self._fail(
                PgpError(
                    "bomb",
                    f"{self._name} unpacks to more than {self._cap} bytes, which is out of all "
                    "proportion; ask its sender what it is",
                )
            )
        return count

    def finish(self) -> None:
        """Take gpg's verdict on the whole message (what was not read yet is read and dropped).

        Raises:
            PgpError: if anything at all is wrong with the message, its key or its signature.
        """
        if self.finished:
            return
        rest = bytearray(1 << 16)
        while self.readinto(rest):
            pass
        code = self._gpg.wait(SILENCE_SECONDS)
        problem = judge_decryption(code, self._gpg.status(), self._own, self._signers, self._name)
        if problem is not None:
            self._fail(problem)
        self.finished = True

    @property
    def judged(self) -> bool:
        """Whether a verdict, good or bad, was given."""
        return self.finished or self._verdict is not None

    @property
    def at_end(self) -> bool:
        """Whether all of the plaintext was read."""
        return self._ended

    def _fail(self, error: PgpError) -> None:
        self._verdict = error
        self._gpg.kill()
        raise error


@dataclass(frozen=True)
class Keyring:
    """A gpg home with what `keys` of the configuration holds for reading exports.

    `own`: the key ids of our private key; `signers`: fingerprints, one of which must have signed.
    """

    home: GpgHome
    own: frozenset[str]
    signers: tuple[str, ...]
    passphrase: str | None = field(repr=False)

    @contextmanager
    def decrypting(self, path: Path) -> Iterator[Decryption]:
        """As the function `decrypting`, for one of several messages."""
        with contextlib.ExitStack() as stack:
            with disk_errors(f"cannot read {path.name}"):
                flags = os.O_RDONLY | os.O_NOFOLLOW
                source = stack.enter_context(os.fdopen(os.open(path, flags), "rb", buffering=0))
                size = os.fstat(source.fileno()).st_size
            # a signature that nobody asked for must not decide: its key may be unknown
            checks = () if self.signers else ("--skip-verify",)
            gpg = self.home.start(
                [*checks, "--decrypt"],
                stdin=source,
                stdout=subprocess.PIPE,
                passphrase=self.passphrase,
            )
            cap = min(MAX_BYTES, max(MAX_FLOOR, MAX_RATIO * size))
            message = stack.enter_context(Decryption(gpg, path.name, cap, self.own, self.signers))
            yield message
            if message.at_end and not message.judged:
                message.finish()


@contextmanager
def keyring(project: Project) -> Iterator[Keyring]:
    """The keys that open exports, ready for any number of messages.

    Raises:
        PgpError: if a key is missing or damaged.
    """
    keys = project.config.keys
    if keys.decrypt is None:
        raise PgpError("key_missing", "there is no keys.decrypt in the configuration")
    path = project.path(keys.decrypt.private_key_file, "keys.decrypt.private_key_file")
    passphrase = keys.decrypt.passphrase and project.text(
        keys.decrypt.passphrase, "keys.decrypt.passphrase"
    )
    signers = tuple(fingerprint.upper() for fingerprint in keys.signers)
    with GpgHome() as home:
        own = frozenset[str]().union(*(key.key_ids for key in home.import_file(path, secret=True)))
        _import_signers(project, home, signers)
        yield Keyring(home, own, signers, passphrase)


@contextmanager
def decrypting(project: Project, path: Path) -> Iterator[Decryption]:
    """The plaintext of an encrypted file as a stream; call `finish()` at its end.

    Leaving without having read to the end stops gpg; leaving at the end without `finish()`
    calls it.

    Raises:
        PgpError: on entering if a key is missing; later see `Decryption`.
        LakeError: if the file cannot be read.
    """
    with keyring(project) as ring, ring.decrypting(path) as message:
        yield message


def _import_signers(project: Project, home: GpgHome, signers: Sequence[str]) -> None:
    """The public keys of the pinned signers; other keys of the same files stay out.

    They are taken from the files under `keys.recipients` and from our own key's file.
    """
    missing = set(signers) - {key.fingerprint for key in home.list_keys()}
    if not missing:
        return
    with GpgHome() as shelf:
        for name, recipient in project.config.keys.recipients.items():
            key = f"keys.recipients.{name}.public_key_file"
            file = project.path(recipient.public_key_file, key)
            with contextlib.suppress(PgpError):  # a recipient's problem is said when it is used
                shelf.import_file(file)
        for fingerprint in sorted(missing):
            if fingerprint not in {key.fingerprint for key in shelf.list_keys()}:
                raise PgpError(
                    "key_missing",
                    f"the public key of the signer {fingerprint} is in none of the files under "
                    "keys.recipients; add it there, so that signatures can be checked",
                )
            home.import_bytes(shelf.public_armour(fingerprint).encode(), fingerprint)
