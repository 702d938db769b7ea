"""Fetching the encrypted export of CORE from OpenSSH's server."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.data import ROWS
from benchmarks.project import message_of, opened, port_of, server_of
from benchmarks.server import HOST, user
from benchmarks.ways.stage import CORE
from responsys_assets.config.project import Project
from responsys_assets.exported.fetch import fetch
from responsys_assets.exported.poll import poll
from responsys_assets.lake.lake import Lake


def fetch_ours(folder: Path) -> Iterator[None]:
    """Hashed on the way, looked at before and after, durable, with a receipt."""
    with server_of(folder):
        yield from ours(*opened(folder))


def fetch_openssh(folder: Path) -> Iterator[None]:
    """OpenSSH's sftp."""
    with server_of(folder):
        yield
        get(folder, [CORE], port_of(folder))


def fetch_openssh_all(folder: Path) -> Iterator[None]:
    """OpenSSH's sftp, the exports of all lists."""
    with server_of(folder):
        yield
        get(folder, [*ROWS], port_of(folder))


def get(folder: Path, names: list[str], port: int) -> None:
    """Fetch exports by OpenSSH's sftp."""
    paths = [message_of(folder, name).resolve() for name in names]
    batch = "".join(f"get {path} {folder.resolve()}/fetched\n" for path in paths)
    options = [f"UserKnownHostsFile={folder}/known_hosts", f"IdentityFile={folder}/client"]
    command = ["sftp", "-q", "-b", "-", "-P", str(port), *(f"-o{each}" for each in options)]
    command.append(f"{user()}@{HOST}")
    subprocess.run(command, input=batch.encode(), check=True, stdout=subprocess.DEVNULL)


def ours(project: Project, lake: Lake) -> Iterator[None]:
    """Fetch what was not fetched yet."""
    shutil.rmtree(lake.exported(CORE), ignore_errors=True)
    (decision,) = poll(project, lake, [CORE]).decisions
    yield
    fetch(project, lake, decision)
