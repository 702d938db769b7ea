"""Columns are found by name, or the file is held: never "no rows, success"."""

from __future__ import annotations

from typing import Any

import pytest

from responsys_assets_tests.staged.conftest import Bench

ROWS = [("1", "Ann"), ("2", "Bob")]


@pytest.mark.scorecard(20)
@pytest.mark.parametrize(
    ("content", "settings", "reason"),
    [
        pytest.param(b"id,id,name\n1,1,Ann\n", {}, "duplicate_header", id="duplicate"),
        pytest.param(
            b"id,name,NAME\n1,Ann,x\n", {}, "duplicate_header", id="duplicate but for case"
        ),
        pytest.param(b"key,name\n1,Ann\n", {}, "missing_column", id="missing"),
        pytest.param(b"id,name,x\n1,Ann,\n2,Bob,\n", {}, None, id="extra"),
        pytest.param(b"name,id\nAnn,1\nBob,2\n", {}, None, id="reordered"),
        pytest.param(b"\xef\xbb\xbfid,name\n1,Ann\n2,Bob\n", {}, None, id="byte order mark"),
        pytest.param(b'\xef\xbb\xbf"id","name"\r1,Ann\r2,Bob\r', {}, None, id="CR and a mark"),
        pytest.param(b"id,name\r1,Ann\r2,Bob\r", {}, None, id="CR only"),
        pytest.param(b"id;name\n1;Ann\n2;Bob\n", {}, "wrong_delimiter", id="wrong delimiter"),
        pytest.param(b"1,Ann\n2,Bob\n", {}, "no_header", id="no header line"),
        pytest.param(b"", {}, "no_header", id="nothing at all"),
        pytest.param(b"id,name\n", {"ready": {}, "settle": None}, "count_mismatch", id="no rows"),
    ],
)
def test_a_header_is_mapped_right_or_refused(
    bench: Bench, content: bytes, settings: dict[str, Any], reason: str | None
) -> None:
    """Fails when `layout_of` does not call `_missing` and `_check_names`, when `Charset.start`
    sees no mark, when `dialect_of` always says LF, and when `judge` does not look at the count."""
    staged = bench.stage(content, ready_text="2", **settings)
    outcome = staged.outcome
    assert outcome.reason == reason
    assert outcome.state == ("held" if reason else "staged")
    if reason:
        assert not staged.export.parquet.exists()
        assert outcome.detail
    else:
        assert [(row["id"], row["name"]) for row in staged.rows] == ROWS
