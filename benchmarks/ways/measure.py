"""Time and memory of one way, taken in a process of its own."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

Way = Callable[[Path], Iterator[None]]


def measured(way: Way, folder: Path) -> dict[str, float]:
    """`seconds`, `cpu` (seconds of all cores, children included) and `peak` (bytes, of this
    process or of its largest child)."""
    steps = way(folder)
    next(steps)
    began, before = time.perf_counter(), _cpu()
    next(steps, None)
    return {"seconds": time.perf_counter() - began, "cpu": _cpu() - before, "peak": _peak()}


def figures(said: str) -> dict[str, float]:
    """What a process that measured has printed last."""
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return found


def _cpu() -> float:
    own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _peak() -> int:
    """What rusage says of this process begins with its parent's, so not that."""
    own = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(int(own), children) * 1024
