"""Ranges of keys: in order, none left out, none much larger than the others."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responsys_assets.lake.lake import Lake
from responsys_assets.profiles import ranges
from responsys_assets.profiles.ranges import cuts, key_ranges
from responsys_assets_tests.profiles.worlds import Row, Sent, plan_of, project_of, put

_RUN, _GROUP = 512, 128  # rows
_ROWS = 40 * _RUN


@given(st.lists(st.text("abc", max_size=3), min_size=1, max_size=40), st.integers(2, 20))
def test_ranges_are_cut_at_different_keys_in_order(keys: list[str], wanted: int) -> None:
    found = cuts(sorted(keys), wanted)
    assert found == sorted(set(found))
    assert len(found) < wanted
    assert not found or found[0] > min(keys)


def test_few_keys_are_ranges_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the tests that judge the merge range by range would see one. Fails when only some keys
    of a small file are looked at."""
    project = project_of(tmp_path, {"core": {}}, {})
    lake = Lake(project.lake_path)
    put(lake, Sent("core", {}, [Row((key,), {}, 0) for key in "dacb"]), group=1)
    monkeypatch.setattr(ranges, "WORTH_A_RANGE", 1)
    found = key_ranges(plan_of(project, lake).lists)
    assert [each.low for each in found] == [None, "b", "c", "d"]


@pytest.mark.parametrize("order", ["runs", "sorted", "none"])
def test_no_range_has_many_more_rows_than_another(
    order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In sorted runs all row groups begin near the same few keys. Fails when ranges are cut at
    the first keys of row groups."""
    keys = [f"{n:06}" for n in range(_ROWS)]
    if order != "sorted":
        random.Random(1).shuffle(keys)  # noqa: S311 - an order, not a secret
    if order == "runs":
        keys = [key for n in range(0, _ROWS, _RUN) for key in sorted(keys[n : n + _RUN])]
    project = project_of(tmp_path, {"core": {}}, {})
    lake = Lake(project.lake_path)
    put(lake, Sent("core", {}, [Row((key,), {}, 0) for key in keys]), group=_GROUP)
    monkeypatch.setattr(ranges, "WORTH_A_RANGE", 1)
    monkeypatch.setattr(ranges, "USUAL_RANGES", 16)
    bounds = [each.low or "" for each in key_ranges(plan_of(project, lake).lists)]
    rows = [
        sum(low <= key < past for key in keys)
        for low, past in zip(bounds, [*bounds[1:], "~"], strict=True)
    ]
    assert len(rows) == 16
    assert sum(rows) == _ROWS
    assert max(rows) < 1.5 * min(rows)
