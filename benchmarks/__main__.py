"""`make bench`: every way several times in turn, and a table of medians and of ratios to the floor.

SIZE is that of the data (1: 5.4 million rows), RUNS how often each way is run. The ways of one
piece of work are run one after the other, round by round, so that a machine that slows down slows
all of them; every second round in reverse, so that none always comes after the one that leaves
the machine worst.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from benchmarks import project
from benchmarks.data import ROWS
from benchmarks.picture import picture
from benchmarks.ways.measure import figures
from benchmarks.works import WORKS, Work

_LIMIT_SECONDS = 1200.0
_CORES = 2  # what CPU seconds of a floor are shared by


@dataclass(frozen=True)
class Figure:
    """Medians of a way; `ratio` is its seconds over those of the floor, round by round."""

    work: str
    way: str
    rows: int
    seconds: float
    cpu: float
    peak: float
    ratio: float | None


def run(way: str, folder: Path) -> dict[str, float] | None:
    """The figures of one run; None if it takes too long or does not end well."""
    command = [sys.executable, "-m", "benchmarks.ways", way, str(folder)]
    try:
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, timeout=_LIMIT_SECONDS
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        print(f"{way}: {error}", file=sys.stderr)
        return None
    return figures(done.stdout)


def measure(name: str, work: Work, ways: Sequence[str], folder: Path, runs: int) -> list[Figure]:
    """Run the ways of a work in turn; those that fail are left out."""
    rounds: list[dict[str, dict[str, float]]] = []
    for number in range(runs):
        turns = [way for way in ways if not rounds or way in rounds[0]]
        found = {way: run(way, folder) for way in (turns[::-1] if number % 2 else turns)}
        rounds.append({way: each for way in turns if (each := found[way]) is not None})
        if not rounds[-1].keys() >= {*work.ways}:
            sys.exit(f"{name}: ours or its floor did not end well")
    floors = [
        sum(each[way][unit] / (_CORES if unit == "cpu" else 1) for way, unit in work.floor.items())
        for each in rounds
    ]
    size = float((folder / "made").read_text().split()[0])
    rows = round(sum(ROWS[each] for each in work.lists) * size)
    made = []
    for way in rounds[-1]:
        seconds, cpu, peak = (
            statistics.median(each[way][unit] for each in rounds)
            for unit in ("seconds", "cpu", "peak")
        )
        ratio = None
        if work.floor:
            ratio = statistics.median(
                each[way]["seconds"] / floor for each, floor in zip(rounds, floors, strict=True)
            )
        made.append(Figure(name, way, rows, seconds, cpu, peak, ratio))
    return made


def table(found: Sequence[Figure], title: str) -> Table:
    """The figures for people."""
    shown = Table(title=title)
    for name in ("work", "way", "rows", "seconds", "CPU seconds", "peak MB", "rows/s", "floors"):
        justify: Literal["left", "right"] = "left" if name in ("work", "way") else "right"
        shown.add_column(name, justify=justify, no_wrap=True)
    for each in found:
        shown.add_row(
            each.work,
            each.way,
            f"{each.rows:,}",
            f"{each.seconds:.2f}",
            f"{each.cpu:.2f}",
            f"{each.peak / 1e6:,.0f}",
            f"{each.rows / each.seconds:,.0f}",
            "" if each.ratio is None else f"{each.ratio:.2f}",
        )
    return shown


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--size", type=float, default=1.0)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--folder", type=Path, default=Path(".bench"))
    options.add_argument("--only", nargs="*", default=list(WORKS), choices=WORKS)
    options.add_argument("--ours", action="store_true", help="ours and the floor, nothing else")
    chosen = options.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 100)
    found: list[Figure] = []
    for name in chosen.only:
        work = WORKS[name]
        size = min(chosen.size, work.largest)
        folder = chosen.folder.resolve() / f"size-{size:g}-seed-{chosen.seed}"
        with console.status(f"making the data of {name}"):
            project.make(folder, size, chosen.seed)
        with console.status(name):
            ways = work.ways if chosen.ours else (*work.ways, *work.others)
            found += measure(name, work, ways, folder, chosen.runs)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, " + ", ".join(
        f"{name} {version(name)}" for name in ("polars", "duckdb", "pyarrow")
    )
    console.print(table(found, f"medians of {chosen.runs}; {machine}"))
    result = {"machine": machine, "runs": chosen.runs, "figures": [asdict(each) for each in found]}
    (chosen.folder / "results.json").write_text(json.dumps(result, indent=2) + "\n")
    (chosen.folder / "results.svg").write_text(picture(found))


if __name__ == "__main__":
    main()
