"""Letters: messages as a sender or an attacker makes them, and what of them can be found after."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from responsys_assets.config.project import Project
from responsys_assets.errors import PgpError
from responsys_assets.pgp import decrypting
from responsys_assets.pgp.home import GpgHome
from responsys_assets_tests.conftest import MakeProject, PgpKeys

CANARY = b"canary@example.com"
PLAIN = b"CUSTOMER_ID_,EMAIL_ADDRESS_\n" + b"1,%b\n" % CANARY * 100_000
# what staging does not put down to the message: it would ask a person to look here instead
OURS = {"key_missing", "key_damaged", "wrong_passphrase", "gpg_failed", "gpg_stalled"}


def gpg(home: GpgHome, *arguments: str, data: bytes = PLAIN) -> bytes:
    """gpg as a sender would use it."""
    result = subprocess.run(
        ["gpg", "--homedir", str(home.path), "--batch", "--trust-model", "always", *arguments],
        input=data,
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout


def packet(tag: int, body: bytes) -> bytes:
    """An OpenPGP packet of the new format (RFC 4880, 4.2.2)."""
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4, "big") + body


def literal(content: bytes) -> bytes:
    """A packet of binary content without name and time (RFC 4880, 5.9)."""
    return packet(11, b"b\0" + bytes(4) + content)


def pgp_project(
    make_project: MakeProject,
    keys: PgpKeys,
    own: str = "own",
    env: dict[str, str] | None = None,
    signers: list[str] | None = None,
    **recipients: str,
) -> Project:
    """A project whose exports are encrypted for `own`."""
    decrypt = {"private_key_file": str(keys.private(own))}
    if env:
        decrypt["passphrase"] = "${PGP_PASSPHRASE}"  # noqa: S105
    return make_project(
        env=env,
        keys={
            "decrypt": decrypt,
            "signers": signers or [],
            "recipients": {
                name: {"public_key_file": str(keys.public(file))}
                for name, file in recipients.items()
            },
        },
    )


def opened(project: Project, path: Path) -> bytes:
    """The content of a message that is good."""
    with decrypting(project, path) as message:
        content = message.read()
        message.finish()
    assert isinstance(content, bytes)
    return content


def refusal(project: Project, path: Path) -> str:
    """The code of the error that a bad message gives."""
    with pytest.raises(PgpError) as caught:
        opened(project, path)
    assert CANARY.decode() not in str(caught.value)
    return caught.value.code


def write(folder: Path, content: bytes) -> Path:
    """A message as a file."""
    path = folder / "CORE_20260101.csv.gpg"
    path.write_bytes(content)
    return path


def readable(*folders: Path) -> list[Path]:
    """The files that hold something of PLAIN."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if CANARY in path.read_bytes()]


def homes() -> set[Path]:
    """The gpg homes in the temporary folder."""
    return set(Path(tempfile.gettempdir()).glob("responsys-*"))


def processes(*words: str) -> list[int]:
    """The processes whose command line has all these words in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes()
            if all(word.encode() in line for word in words):
                found.append(int(path.parent.name))
    return found


def ended(pids: Iterable[int], seconds: float = 60) -> bool:
    """Whether processes end by themselves; waits for the event itself."""
    return all(_ended(pid, seconds) for pid in pids)


def _ended(pid: int, seconds: float) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)
