"""Staged rows in runs sorted by key: no row is lost by it, and a range of keys is in few groups."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from responsys_assets.staged import runs
from responsys_assets.staged.runs import GROUP_ROWS, SMALL_ROWS, in_runs, row_groups
from responsys_assets_tests.staged.conftest import Bench

FILE = pa.dictionary(pa.int32(), pa.string())


def run_of(keys: list[str]) -> pa.Table:
    return pa.table(
        {
            "value": pa.array([f"of record {n}" for n in range(len(keys))], pa.string_view()),
            "_source_file": pa.array(["C.csv"] * len(keys)).cast(FILE),
            "_record": pa.array(range(len(keys)), pa.int64()),
            "_key_0": pa.array(keys, pa.string_view()),
        }
    )


@given(st.lists(st.text("abc", max_size=2), min_size=5, max_size=40))
def test_a_large_run_is_sorted_by_key_and_by_record_within_a_key(keys: list[str]) -> None:
    run = run_of(keys)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "SMALL_ROWS", 4)
        patch.setattr(runs, "GROUP_ROWS", 3)
        groups = [*runs.row_groups(run, ["_key_0"])]
    assert all(len(group) == 3 for group in groups[:-1])
    found = pa.concat_tables(groups).to_pylist()
    assert found == sorted(run.to_pylist(), key=lambda row: (row["_key_0"], row["_record"]))


def test_a_small_run_stays_in_the_order_of_its_records() -> None:
    run = run_of([f"{n % 7}" for n in range(SMALL_ROWS)])
    assert pa.concat_tables(row_groups(run, ["_key_0"])).equals(run.combine_chunks())


def test_runs_are_cut_by_size_and_lose_nothing() -> None:
    (batch,) = run_of(["k"] * 1000).to_batches()
    found = [*in_runs((batch, 1 << 20) for _ in range(500))]
    assert len(found) > 1
    assert sum(map(len, found)) == 500_000


def test_the_row_groups_of_a_staged_file_say_which_keys_they_have(bench: Bench) -> None:
    """Fails when the file is written without statistics of the key."""
    count = SMALL_ROWS + 1000
    keys = [f"{n * 7919 % count:06}" for n in range(count)]
    staged = bench.stage(b"id,v\n" + b"".join(f"{key},x\n".encode() for key in keys))
    assert sorted(row["_record"] for row in staged.rows) == [*range(1, count + 1)]
    assert [row["id"] for row in sorted(staged.rows, key=lambda r: r["_record"])] == keys
    metadata = pq.read_metadata(staged.export.parquet)
    place = metadata.schema.names.index("_key_0")
    groups = [metadata.row_group(n).column(place) for n in range(metadata.num_row_groups)]
    assert len(groups) > SMALL_ROWS // GROUP_ROWS
    assert all(a.statistics.max < b.statistics.min for a, b in pairwise(groups))
