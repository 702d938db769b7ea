"""Tables and progress for people; machines get JSON."""

from __future__ import annotations

import datetime as dt
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich import box
from rich import progress as bars
from rich.console import Console
from rich.table import Table
from rich.text import Text

from responsys_assets.progress import SILENT, Advance, Progress, Unit

_WIDE = 400  # a pipe has no width of its own: never cut a file name
_STATE_STYLES = {
    "staged": "green",
    "delivered": "green",
    "ok": "green",
    "unchanged": "dim",
    "waiting": "yellow",
    "planned": "yellow",
    "held": "bold red",
    "failed": "bold red",
    "problem": "bold red",
    "withdrawn": "dim",
}


def console(stream: TextIO) -> Console:
    """A console that prints text as it is: no markup, no cut lines where there is no terminal."""
    return Console(
        file=stream,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=True,
        width=None if stream.isatty() else _WIDE,
    )


Cell = str | int | dt.datetime | dt.date | None


def table(headers: Sequence[str], rows: Iterable[Sequence[Cell]], title: str = "") -> Table:
    """Aligned columns; numbers to the right, states coloured."""
    out = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        header_style="bold",
    )
    cells = [list(row) for row in rows]
    for index, header in enumerate(headers):
        numbers = any(isinstance(row[index], int) for row in cells)
        out.add_column(header, justify="right" if numbers else "left", overflow="fold")
    for row in cells:
        out.add_row(*(_cell(value) for value in row))
    return out


def _cell(value: Cell) -> Text:
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, int):
        return Text(f"{value:,}")
    if isinstance(value, dt.datetime):
        return Text(value.strftime("%Y-%m-%d %H:%M:%S"))
    return Text(str(value), style=_STATE_STYLES.get(str(value), ""))


def progress_for(*, quiet: bool) -> Progress:
    """Bars on standard error if a person watches it."""
    if quiet or not sys.stderr.isatty():
        return SILENT
    return TerminalProgress(console(sys.stderr))


class TerminalProgress(Progress):
    """A bar for every step under way; finished ones leave no trace."""

    def __init__(self, target: Console) -> None:
        self._console = target
        self._lock = threading.Lock()
        self._open = 0
        self._bars: bars.Progress | None = None

    @contextmanager
    def step(self, label: str, total: int | None = None, unit: Unit = "bytes") -> Iterator[Advance]:
        shown = self._enter()
        task = shown.add_task(label, total=total, unit=unit)
        try:
            yield lambda amount: shown.advance(task, amount)
        finally:
            shown.remove_task(task)
            self._leave()

    def say(self, message: str) -> None:
        (self._bars.console if self._bars else self._console).print(Text(message))

    def _enter(self) -> bars.Progress:
        with self._lock:
            if self._bars is None:
                self._bars = bars.Progress(
                    bars.SpinnerColumn(),
                    bars.TextColumn("{task.description}", markup=False),
                    bars.BarColumn(),
                    _Amount(),
                    bars.TimeElapsedColumn(),
                    console=self._console,
                    transient=True,
                )
                self._bars.start()
            self._open += 1
            return self._bars

    def _leave(self) -> None:
        with self._lock:
            self._open -= 1
            if self._open == 0 and self._bars is not None:
                self._bars.stop()
                self._bars = None


class _Amount(bars.ProgressColumn):
    """How far a step is, in megabytes or rows."""

    def render(self, task: bars.Task) -> Text:
        if task.fields.get("unit") == "rows":
            done, total = f"{task.completed:,.0f}", f"{task.total:,.0f}" if task.total else ""
            return Text(f"{done}/{total} rows" if total else f"{done} rows")
        done, total = _mb(task.completed), _mb(task.total) if task.total else ""
        return Text(f"{done}/{total} MB" if total else f"{done} MB")


def _mb(amount: float) -> str:
    return f"{amount / 1e6:,.1f}"
