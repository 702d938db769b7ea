"""How long work tells a person where it is; the silent one is the default."""

from __future__ import annotations

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
