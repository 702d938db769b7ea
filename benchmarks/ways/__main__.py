"""Run one way and print its figures: `python -m benchmarks.ways WAY FOLDER`."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from benchmarks.ways.measure import Way, measured


def main(name: str, folder: Path) -> None:
    way: Way = getattr(importlib.import_module(f"benchmarks.ways.{name.partition('_')[0]}"), name)
    print(json.dumps(measured(way, folder)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
