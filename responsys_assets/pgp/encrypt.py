"""Encrypting as a stream to the recipients of the configuration, and to nobody else."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from responsys_assets.config.project import Project
from responsys_assets.errors import PgpError
from responsys_assets.lake.publish import FILE_MODE, disk_errors
from responsys_assets.pgp.home import GpgHome, Key
from responsys_assets.pgp.process import Process

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_SECONDS = 300.0
_PIECE = 1 << 20
_PACKET_SAMPLE = 1 << 16  # the packets that name recipients come first
_KEY_ID = re.compile(r"^:pubkey enc packet: .* keyid ([0-9A-F]{16})", re.MULTILINE)


class Encryption(io.RawIOBase):
    """Takes plaintext; every write is complete."""

    def __init__(self, gpg: Process, kept: Future[None]) -> None:
        super().__init__()
        assert gpg.child.stdin is not None  # noqa: S101
        self._gpg = gpg
        self._kept = kept
        self._pipe = gpg.child.stdin.fileno()

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        """Hand all of `data` to gpg.

        Raises:
            PgpError, LakeError: if gpg ended, with its reason.
        """
        if self.closed:
            raise ValueError("write to a message that is finished")
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            try:
                left = left[os.write(self._pipe, left) :]
            except BrokenPipeError:
                self._gpg.wait(_SECONDS)
                self._kept.result()
                raise _failure(self._gpg) from None
        return size


@contextmanager
def encrypting(
    project: Project, recipients: Sequence[str], sign: bool, target: Path
) -> Iterator[Encryption]:
    """A writer whose plaintext ends up encrypted in `target`, which must not exist (mode 0600).

    `recipients` are names under `keys.recipients`; `sign` signs with keys.decrypt's key.
    gpg's own compression is off: what is to be compressed is so before.

    Raises:
        PgpError: if a key is missing, damaged, expired or ambiguous, or gpg fails.
        LakeError: if the disk is full or `target` cannot be made.
        After any error there is no `target`.
    """
    if not recipients:
        raise PgpError("key_missing", "there is nobody to encrypt for")
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(GpgHome())
        keys = list(dict.fromkeys(_recipient(project, home, name) for name in recipients))
        signing, passphrase = _signer(project, home) if sign else ([], None)
        with disk_errors(f"cannot write {target.name}"):
            target.touch(FILE_MODE, exist_ok=False)
        try:
            to = [part for key in keys for part in ("--recipient", key.fingerprint)]
            gpg = home.start(
                ["-z", "0", "--no-encrypt-to", *signing, *to, "--output", "-", "--encrypt"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                passphrase=passphrase,
            )
            stack.callback(gpg.kill)
            thread = stack.enter_context(ThreadPoolExecutor(1, "keeping what gpg writes"))
            stack.callback(gpg.end)
            kept = thread.submit(_keep, gpg, target)
            with Encryption(gpg, kept) as writer:
                yield writer
            _finish(gpg, kept, sign)
            _check_recipients(home, target, keys)
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def _keep(gpg: Process, target: Path) -> None:
    """Write what gpg writes, to its end.

    By us and not by gpg itself: for gpg our death looks like the end of the plaintext, and half
    a message ends well. The end of it cannot reach the file once we are gone.
    """
    with open(gpg.output, "rb", buffering=0, closefd=False) as message:
        try:
            with disk_errors(f"cannot write {target.name}"), target.open("wb") as file:
                shutil.copyfileobj(message, file, _PIECE)
        except BaseException:
            gpg.end()  # nobody takes what it writes
            raise


def _recipient(project: Project, home: GpgHome, name: str) -> Key:
    place = f"keys.recipients.{name}.public_key_file"
    if name not in project.config.keys.recipients:
        raise PgpError("key_missing", f"there is no keys.recipients.{name} in the configuration")
    path = project.path(project.config.keys.recipients[name].public_key_file, place)
    found = home.import_file(path)
    if len(found) != 1:
        raise PgpError(
            "key_ambiguous",
            f"{path} ({place}) holds {len(found)} keys; keep the one to encrypt for",
        )
    return found[0]


def _signer(project: Project, home: GpgHome) -> tuple[list[str], str | None]:
    """Arguments and passphrase to sign with our own key."""
    own = project.config.keys.decrypt
    if own is None:
        raise PgpError("key_missing", "signing needs keys.decrypt in the configuration")
    path = project.path(own.private_key_file, "keys.decrypt.private_key_file")
    found = [key for key in home.import_file(path, secret=True) if key.secret]
    if len(found) != 1:
        raise PgpError(
            "key_ambiguous", f"{path} holds {len(found)} private keys; keep the one to sign with"
        )
    passphrase = own.passphrase and project.text(own.passphrase, "keys.decrypt.passphrase")
    return ["--local-user", found[0].fingerprint, "--sign"], passphrase


def _finish(gpg: Process, kept: Future[None], sign: bool) -> None:
    assert gpg.child.stdin is not None  # noqa: S101
    with contextlib.suppress(BrokenPipeError):
        gpg.child.stdin.close()
    code = gpg.wait(_SECONDS)
    kept.result()
    words = {line[0] for line in gpg.status()}
    wanted = {"END_ENCRYPTION", *(("SIG_CREATED",) if sign else ())}
    if code != 0 or not wanted <= words or words & {"INV_RECP", "INV_SGNR", "ERROR", "FAILURE"}:
        raise _failure(gpg)


def _failure(gpg: Process) -> PgpError:
    words = {line[0] for line in gpg.status()}
    if "INV_RECP" in words:
        return PgpError(
            "key_unusable",
            "a recipient's key cannot be used to encrypt: it has expired, was revoked, or has no "
            "key for encryption; ask the recipient for a new public key",
        )
    if "INV_SGNR" in words:
        return PgpError("key_unusable", "the key of keys.decrypt cannot sign or has expired")
    if "ad passphrase" in gpg.log():  # Bad or bad
        return PgpError(
            "wrong_passphrase",
            "cannot sign: the passphrase of the private key is wrong; "
            "check the variable that keys.decrypt.passphrase names",
        )
    return PgpError("encrypt_failed", "gpg could not encrypt; run this again")


def _check_recipients(home: GpgHome, target: Path, keys: Sequence[Key]) -> None:
    """The packets of the file must name exactly the recipients, whatever gpg said.

    Raises:
        PgpError: `recipients_differ`.
    """
    with target.open("rb") as file:
        head = file.read(_PACKET_SAMPLE)
    listing = home.start(
        ["--list-only", "--list-packets"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        # the sample is cut, so the exit code says nothing
        text, _ = listing.child.communicate(head, timeout=_SECONDS)
    finally:
        listing.kill()
    named = Counter(_KEY_ID.findall(text.decode("utf-8", "replace")))
    each_once = all(sum(named[key_id] for key_id in key.key_ids) == 1 for key in keys)
    if not each_once or named.total() != len(keys):
        raise PgpError(
            "recipients_differ",
            "the encrypted file is not for exactly the recipients of the configuration; "
            "it was dropped, run this again and report it if it stays",
        )
