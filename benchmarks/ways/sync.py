"""The whole line: `responsys sync` from the server to the delivered segment, as a command."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.data import ROWS
from benchmarks.project import LATER, message_of, opened, server_of
from benchmarks.ways.encrypt import gpg
from benchmarks.ways.merge import copy, profiles


def sync_ours(folder: Path) -> Iterator[None]:
    """Everything new."""
    forget(folder)
    with server_of(folder):
        yield
        command(folder)


def sync_unchanged(folder: Path) -> Iterator[None]:
    """Nothing new since the last one."""
    with server_of(folder):
        command(folder)
        yield
        command(folder)


def sync_imports(folder: Path) -> Iterator[None]:
    """Python and the imports of the command, without any work."""
    yield
    words = [sys.executable, "-c", "import responsys_assets.sync"]
    subprocess.run(words, cwd=folder, check=True)


def sync_extract(folder: Path) -> Iterator[None]:
    """A part of the floor: the segment selected, written, compressed and encrypted."""
    yield
    target = folder / "out.csv.gz"
    query = (
        f"SELECT * FROM {profiles(folder)} WHERE CITY_ = 'Rome' "
        "AND EMAIL_PERMISSION_STATUS_ = 'I' AND EMAIL_DELIVERABILITY_STATUS_ <> 'U'"
    )
    copy(query, target, "FORMAT csv, HEADER, FORCE_QUOTE *, COMPRESSION gzip")
    gpg(folder, target, "-z", "0")


def command(folder: Path) -> None:
    """`responsys sync`."""
    words = [str(Path(sys.executable).with_name("responsys")), "sync"]
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def forget(folder: Path) -> None:
    """As before the first sync."""
    shutil.rmtree(opened(folder)[1].root, ignore_errors=True)
    for name in ROWS:
        message = message_of(folder, name, LATER)
        for path in (message, message.with_name(f"{message.name}.ready")):
            path.unlink(missing_ok=True)
