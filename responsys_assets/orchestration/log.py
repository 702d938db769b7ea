"""Progress of the steps, in the log of a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging import Logger

from responsys_assets.progress import Advance, Progress, Unit


class LogProgress(Progress):
    """Two lines a step: what begins, and how much was done in how long."""

    def __init__(self, log: Logger) -> None:
        self._log = log

    @contextmanager
    def step(self, label: str, total: int | None = None, unit: Unit = "bytes") -> Iterator[Advance]:
        done = 0

        def advance(amount: int) -> None:
            nonlocal done
            done += amount

        size = "" if total is None else f" ({total:,} {unit})"
        self._log.info("%s%s", label, size)
        began = time.monotonic()
        yield advance
        self._log.info("%s: %s %s in %.1f s", label, f"{done:,}", unit, time.monotonic() - began)

    def say(self, message: str) -> None:
        self._log.info("%s", message)
