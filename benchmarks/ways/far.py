"""Fetching as in `fetch.py`, at a round trip of 80 ms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.project import WHOLE_LINE, opened, port_of, server_of
from benchmarks.server import free_port, wire
from benchmarks.ways.fetch import get, ours
from benchmarks.ways.stage import CORE

_ROUND_TRIP = 0.080  # seconds


def far_ours(folder: Path) -> Iterator[None]:
    """The same at a round trip of 80 ms."""
    with _far(folder) as port:
        text = (folder / WHOLE_LINE).read_text()
        (folder / "far.yaml").write_text(text.replace(f"port: {port_of(folder)}", f"port: {port}"))
        yield from ours(*opened(folder, "far.yaml"))


def far_openssh(folder: Path) -> Iterator[None]:
    """OpenSSH's sftp at a round trip of 80 ms."""
    with _far(folder) as port:
        yield
        get(folder, [CORE], port)


@contextmanager
def _far(folder: Path) -> Iterator[int]:
    port = free_port()
    with server_of(folder), wire(port, port_of(folder), _ROUND_TRIP):
        yield port
