"""`make bench`: every way several times in turn, and a table of medians and of ratios to the floor.

SIZE is that of the data (1: 5.4 million rows), RUNS how often each way is run, SEED that of the
data. The ways of one piece of work are run one after the other, round by round, so that a machine
that slows down slows all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import project
from benchmarks.data import ROWS
from benchmarks.picture import picture

# by piece of work: its ways, and the floor as a sum of (way, share of its CPU seconds or wall)
WORK: dict[str, tuple[list[str], dict[str, float], str]] = {
    "merge": (
        ["merge_ours", "merge_copy", "merge_duckdb_row_number", "merge_polars_unique"],
        {"merge_copy": 1.0},
        "seconds",
    ),
    "stage": (
        ["stage_ours", "stage_decrypt", "stage_parse"],
        {"stage_decrypt": 0.5, "stage_parse": 0.5},
        "cpu",
    ),
    "encrypt": (["encrypt_ours", "encrypt_gpg"], {"encrypt_gpg": 1.0}, "seconds"),
}


@dataclass(frozen=True)
class Figure:
    """Medians of a way: `ratio` is its seconds over those of the floor, run by run."""

    work: str
    way: str
    seconds: float
    cpu: float
    peak: float
    ratio: float


def run(way: str, folder: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ways", way, str(folder)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(work: str, folder: Path, runs: int) -> list[Figure]:
    ways, parts, unit = WORK[work]
    rounds = [{way: run(way, folder) for way in ways} for _ in range(runs)]
    floors = [sum(each[way][unit] * share for way, share in parts.items()) for each in rounds]
    found = []
    for way in ways:
        seconds, cpu, peak = (
            statistics.median(each[way][name] for each in rounds)
            for name in ("seconds", "cpu", "peak")
        )
        ratios = (each[way]["seconds"] / floor for each, floor in zip(rounds, floors, strict=True))
        found.append(Figure(work, way, seconds, cpu, peak, statistics.median(ratios)))
    return found


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--size", type=float, default=1.0)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--folder", type=Path, default=Path(".bench"))
    options.add_argument("--only", nargs="*", default=list(WORK), choices=WORK)
    chosen = options.parse_args()
    folder: Path = chosen.folder / f"size-{chosen.size:g}-seed-{chosen.seed}"
    console = Console()
    with console.status("making and staging the data"):
        project.make(folder, chosen.size, chosen.seed)
    figures: list[Figure] = []
    for work in chosen.only:
        with console.status(work):
            figures += measure(work, folder, chosen.runs)
    rows = round(sum(ROWS.values()) * chosen.size)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, " + ", ".join(
        f"{name} {version(name)}" for name in ("polars", "duckdb", "pyarrow")
    )
    table = Table(title=f"{rows:,} rows in, medians of {chosen.runs}; {machine}")
    for name in ("work", "way", "seconds", "CPU seconds", "peak MB", "floors"):
        table.add_column(name, justify="left" if name in ("work", "way") else "right")
    for each in figures:
        table.add_row(
            each.work,
            each.way,
            f"{each.seconds:.2f}",
            f"{each.cpu:.2f}",
            f"{each.peak / 1e6:,.0f}",
            f"{each.ratio:.2f}",
        )
    console.print(table)
    result = {"rows": rows, "machine": machine, "figures": [asdict(each) for each in figures]}
    (chosen.folder / "results.json").write_text(json.dumps(result, indent=2) + "\n")
    (chosen.folder / "results.svg").write_text(picture(figures))


if __name__ == "__main__":
    main()
