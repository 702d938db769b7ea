"""What one environment makes of local times around changes of clocks: a program for a test.

Reads a JSON object of zone to local times, prints one of zone to `[sums, times]`: the sha256 of
every file of profiles and segment, and each record's time of update in microseconds of UTC.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sys
import tempfile
from pathlib import Path

import polars as pl

from responsys_assets_tests.profiles.line import Line

HEADER = "id,EMAIL_ADDRESS_,EMAIL_PERMISSION_STATUS_,t,n,u\n"
STAMP = dt.datetime(2026, 6, 1, 6, 0, tzinfo=dt.UTC)


def run(zone: str, moments: list[str], folder: Path) -> tuple[dict[str, str], dict[str, int]]:
    """Stage, merge and select records of these local times."""
    line = Line(folder, zone, columns={"n": "integer", "t": "timestamp"})
    rows = [f"{n},p{n}@x.com,I,{moment},{n},{moment}\n" for n, moment in enumerate(moments)]
    export, _ = line.send((HEADER + "".join(rows)).encode(), stamp=STAMP)
    staged = pl.read_parquet(export.parquet).select("id", "_updated_us", pl.col("t").dt.epoch("us"))
    assert staged["_updated_us"].equals(staged["t"], check_names=False)
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in line.results().items()}
    return sums, dict(zip(staged["id"], staged["_updated_us"], strict=True))


def main() -> None:
    """One zone after the other."""
    with tempfile.TemporaryDirectory() as folder:
        found = {
            zone: run(zone, moments, Path(folder) / str(number))
            for number, (zone, moments) in enumerate(json.load(sys.stdin).items())
        }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
