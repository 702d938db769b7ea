"""What goes wrong here, not in the message, is refused as well, and never blamed on the message.

python-gnupg says `ok` to most of these, with output that is cut or missing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from responsys_assets.errors import LakeError, PgpError, ResponsysError
from responsys_assets.pgp import decrypting, encrypting
from responsys_assets.pgp.home import GpgHome
from responsys_assets_tests.conftest import MakeProject, PgpKeys
from responsys_assets_tests.limits import largest_file
from responsys_assets_tests.pgp.letters import (
    CANARY,
    OURS,
    PLAIN,
    gpg,
    processes,
    readable,
    write,
)

Fault = Callable[["Place"], AbstractContextManager[None]]


class Place:
    """The folders that a fault can reach."""

    def __init__(self, folder: Path, tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.tmp, self.monkeypatch = folder, tmp, monkeypatch
        self.files = folder / "files"  # where the message is, or goes to
        self.files.mkdir(exist_ok=True)


@contextlib.contextmanager
def full(folder: Path, room: int) -> Iterator[None]:
    """No more than so many bytes can be written there: a small disk where that may be mounted,
    else a limit on the size of files, at which gpg fails to write just so."""
    small = ["mount", "-t", "tmpfs", "-o", f"size={room},mode=700", "none", str(folder)]
    if (
        os.geteuid() == 0
        and subprocess.run(small, capture_output=True, check=False).returncode == 0
    ):
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
    else:
        with largest_file(room):
            yield


@contextlib.contextmanager
def temporary_folder(place: Place, path: str) -> Iterator[None]:
    with place.monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", path)
        yield


@contextlib.contextmanager
def programs_in(place: Place, folder: Path) -> Iterator[None]:
    with place.monkeypatch.context() as patch:
        patch.setenv("PATH", str(folder))
        yield


@contextlib.contextmanager
def nothing() -> Iterator[None]:
    yield


def kill_gpg(place: Place) -> None:
    """As the kernel does when memory is short."""
    for pid in processes(str(place.tmp), "--status-fd"):
        os.kill(pid, signal.SIGKILL)


FAULTS: dict[str, tuple[Fault, str, str]] = {
    # name: (fault, code while decrypting, code while encrypting)
    "disk full": (lambda place: full(place.files, 1 << 16), "", "disk"),
    "temporary disk full": (lambda place: full(place.tmp, 1 << 12), "disk", "disk"),
    "no temporary folder": (
        lambda place: temporary_folder(place, str(place.tmp / "none")), "disk", "disk",
    ),
    "read-only temporary folder": (lambda place: temporary_folder(place, "/sys"), "disk", "disk"),
    "no folder": (lambda place: nothing(), "disk", "disk"),
    "a limit hit": (lambda place: largest_file(1 << 16), "", "disk"),
    "gpg missing": (
        lambda place: programs_in(place, place.folder / "none"), "gpg_missing", "gpg_missing",
    ),
    "gpg killed": (lambda place: nothing(), "gpg_failed", "encrypt_failed"),
    "signer missing": (lambda place: nothing(), "key_missing", "key_missing"),
}  # fmt: skip


@pytest.fixture(scope="module")
def message(pgp_keys: PgpKeys) -> bytes:
    with GpgHome() as home:
        home.import_file(pgp_keys.public("own"))
        return gpg(home, "-z", "0", "--encrypt", "--recipient", pgp_keys.fingerprint("own"))


@pytest.fixture
def place(tmp_path: Path, private_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, private_tmp, monkeypatch)


@pytest.mark.scorecard(10)
@pytest.mark.parametrize("name", [name for name, (_, code, _) in FAULTS.items() if code])
def test_a_fault_here_while_decrypting_says_nothing_about_the_message(
    make_project: MakeProject, pgp_keys: PgpKeys, message: bytes, place: Place, name: str
) -> None:
    """Fails when `_why_no_verdict` does not look at how gpg ended, and when `HomeFolder.make`
    raises what it meets."""
    fault, code, _ = FAULTS[name]
    sender = pgp_keys.fingerprint("sender")
    project = make_project(
        keys={
            "decrypt": {"private_key_file": str(pgp_keys.private("own"))},
            "signers": [sender] if name == "signer missing" else [],
        }
    )
    path = write(place.files, message)
    if name == "no folder":
        path = place.files / "none" / path.name

    def decrypt() -> None:
        with decrypting(project, path) as plain:
            plain.read(10)
            if name == "gpg killed":
                kill_gpg(place)
            plain.finish()

    with pytest.raises(ResponsysError) as caught, fault(place):
        decrypt()
    assert caught.value.code == code
    assert isinstance(caught.value, LakeError) or code in {*OURS, "gpg_missing"}
    assert CANARY.decode() not in str(caught.value)


@pytest.mark.scorecard(10)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_here_while_encrypting_leaves_no_file(
    make_project: MakeProject, pgp_keys: PgpKeys, place: Place, name: str
) -> None:
    """Fails when `_finish` believes that a gpg which ended has done its work, or when `encrypting`
    does not remove its target."""
    fault, _, code = FAULTS[name]
    own = place.folder / "none.key" if name == "signer missing" else pgp_keys.private("own")
    project = make_project(
        keys={
            "decrypt": {"private_key_file": str(own)},
            "recipients": {"partner": {"public_key_file": str(pgp_keys.public("partner"))}},
        }
    )
    target = place.files / ("none/out.gpg" if name == "no folder" else "out.gpg")

    def encrypt() -> None:
        with encrypting(project, ["partner"], True, target) as out:
            out.write(PLAIN)
            if name == "gpg killed":  # it has taken everything
                kill_gpg(place)

    with pytest.raises((PgpError, LakeError)) as caught, fault(place):
        encrypt()
    assert caught.value.code == code
    assert not target.exists()
    assert not readable(place.files)
