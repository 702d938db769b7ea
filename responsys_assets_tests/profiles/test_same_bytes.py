"""A snapshot has the same bytes on a machine with any number of cores, in files in key order."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from responsys_assets.config.project import Project
from responsys_assets.lake.lake import Lake
from responsys_assets.profiles import ranges
from responsys_assets.profiles.merge import merge
from responsys_assets_tests.profiles.worlds import Row, Sent, plan_of, project_of, put
from responsys_assets_tests.scorecard import size

COLUMNS = dict.fromkeys(("EMAIL_ADDRESS_", "EMAIL_PERMISSION_STATUS_"), "text")
PEOPLE = 520_000
_MERGE = """
import sys
from pathlib import Path
from responsys_assets_tests.profiles import test_same_bytes
test_same_bytes.merge_into(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def company(folder: Path) -> tuple[Project, Lake]:
    project = project_of(folder, {"core": {}}, {})
    return project, Lake(project.lake_path)


def merge_into(folder: Path, target: Path) -> None:
    """Merge what is in the lake of a folder."""
    project, lake = company(folder)
    with lake.writing():
        merge(plan_of(project, lake), target)


def test_the_number_of_cores_changes_no_byte(tmp_path: Path) -> None:
    """Over half a million addresses that are closed. Fails when a file is written without a
    fixed size of its row groups."""
    _, lake = company(tmp_path)
    export = put(lake, Sent("core", COLUMNS, [Row(("k",), {"EMAIL_ADDRESS_": "x"}, 1)]))
    schema = pl.Schema(pl.read_parquet_schema(export.parquet))
    numbers = pl.int_range(PEOPLE, eager=True)
    key = pl.format("k{}", numbers.cast(pl.String).str.zfill(7))
    people = pl.select(
        pl.format("p{}@example.com", numbers).alias("EMAIL_ADDRESS_"),
        pl.lit("O").alias("EMAIL_PERMISSION_STATUS_"),
        pl.lit("core.csv").alias("_source_file"),
        numbers.alias("_source_line"),
        numbers.alias("_record"),
        numbers.alias("_updated_us"),
        pl.lit(2, pl.UInt8).alias("_permissions"),
        key.alias("_key_0"),
    )
    people.select([*schema]).cast(schema).write_parquet(export.parquet, row_group_size=16_384)
    seen = set()
    for threads in (1, 2, 5, 8) if size(0, 1) else (1, 5):
        target = tmp_path / f"out-{threads}"
        target.mkdir()
        env = {**os.environ, "POLARS_MAX_THREADS": str(threads), "PYTHONPATH": str(Path.cwd())}
        command = [sys.executable, "-c", _MERGE, str(tmp_path), str(target)]
        subprocess.run(command, env=env, check=True)
        files = [path for path in sorted(target.rglob("*")) if path.is_file()]
        closed = pl.read_parquet(target / "closed" / "email.parquet")
        assert len(closed) == PEOPLE
        seen.add(tuple((p.name, hashlib.sha256(p.read_bytes()).hexdigest()) for p in files))
    assert len(seen) == 1


def test_the_files_of_more_than_a_hundred_ranges_are_in_the_order_of_their_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "WORTH_A_RANGE", 1)
    monkeypatch.setattr(ranges, "USUAL_RANGES", 120)
    project, lake = company(tmp_path)
    rows = [Row((f"k{number:04}",), {}, 1) for number in range(360)]
    put(lake, Sent("core", COLUMNS, rows), group=1)
    with lake.writing(), lake.workspace() as workspace:
        out = workspace.folder("out")
        merge(plan_of(project, lake), out)
        files = sorted(out.glob("part-*.parquet"))
        keys = [pl.read_parquet(file)["ID"].to_list() for file in files]
    assert len(files) == 120
    assert [key for some in keys for key in some] == [f"k{number:04}" for number in range(360)]
