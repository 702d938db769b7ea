"""How long work tells a person where it is; the silent one is the default."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

Unit = Literal["bytes", "rows"]
Advance = Callable[[int], None]


class Progress:
    """Says nothing. A terminal and the Dagster log have subclasses of their own."""

    @contextmanager
    def step(self, label: str, total: int | None = None, unit: Unit = "bytes") -> Iterator[Advance]:
        """A piece of work; call the yielded function with the amount done since the last call."""
        yield lambda _: None

    def say(self, message: str) -> None:
        """A sentence worth reading once."""


SILENT = Progress()


class StoppedError(Exception):
    """Work on another thread is not wanted any more; whoever stopped it knows why."""


class Stoppable(Progress):
    """Another's progress; once it is stopped, work ends where it next tells how far it is."""

    def __init__(self, told: Progress) -> None:
        self._told = told
        self._stopped = threading.Event()

    def stop(self) -> None:
        """May be called from another thread."""
        self._stopped.set()

    @contextmanager
    def step(self, label: str, total: int | None = None, unit: Unit = "bytes") -> Iterator[Advance]:
        with self._told.step(label, total, unit) as advance:

            def checked(amount: int) -> None:
                if self._stopped.is_set():
                    raise StoppedError
                advance(amount)

            yield checked

    def say(self, message: str) -> None:
        self._told.say(message)
