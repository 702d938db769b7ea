"""A stray quote costs its own record, wherever it stands, and nothing else."""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

import polars as pl
import pytest

from responsys_assets_tests.scorecard import Cases, size
from responsys_assets_tests.staged.conftest import Bench

ROWS = 5000
COLUMNS = ["id", "a", "b", "c", "d"]
WORDS = [
    "Rome",
    "a,b",
    "New York",
    'say "hi"',
    "line\nbreak",
    "w\nx\ny\nz",
    "",
    "é",
    "12",
    "a\r\nb",
]
ANNOUNCED: dict[str, Any] = {"ready": {}, "settle": None}


@dataclass(frozen=True)
class Written:
    content: bytes
    starts: list[int]
    rows: pl.DataFrame


def written(chance: Random) -> Written:
    """A file of the shape that exports have."""
    text, starts, rows = io.StringIO(newline=""), [], []
    end, every = chance.choice(["\n", "\r\n"]), chance.choice([True, False])
    quoting: Literal[0, 1] = csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL
    writer = csv.writer(text, lineterminator=end, quoting=quoting)
    writer.writerow(COLUMNS)
    share = chance.choice([0.03, 0.1, 0.5])
    for number in range(ROWS):
        words = (
            chance.choice(WORDS if chance.random() < share else ["Rome", "12"]) for _ in "abcd"
        )
        rows.append((f"{number:04}", *words))
        starts.append(text.tell())
        writer.writerow(rows[-1])
    content = text.getvalue()
    widths = [0]
    for one, two in zip(starts, [*starts[1:], len(content)], strict=True):
        widths.append(widths[-1] + len(content[one:two].encode()))
    head = len(content[: starts[0]].encode())
    frame = pl.DataFrame(rows, schema=COLUMNS, orient="row")
    return Written(content.encode(), [head + width for width in widths[:-1]], frame)


@pytest.mark.scorecard(18)
@pytest.mark.timeout(900)
@pytest.mark.parametrize("share", range(8))
def test_one_to_three_stray_quotes_cost_a_record_each_at_most(
    share: int, bench: Bench, cases: Cases
) -> None:
    """Fails when `_Walk._restart` finds good records of one reading only, and when
    `MarkedText.resumed` always says NOT_CUT.

    Two stray quotes can make one well-formed record of many (`1,"a\\n2,b\\n3,c"`). No reader can
    tell: then the count of the ready file holds the file. A quote never does that alone, and a
    single one never leaves a changed value staged. What is promised ends where a value begins
    with a line end and a quote is put before it: that record can become two rejects.
    """
    files = [written(Random(f"{cases.seed} file {n}")) for n in range(3)]  # noqa: S311
    held = 0
    for chance in cases.draw(25, 250):
        file = chance.choice(files)
        content, strays = file.content, chance.randint(1, 3)
        touched = set()
        places = [chance.randrange(file.starts[0], len(content)) for _ in range(strays)]
        if chance.random() < 0.5:  # where a quote can cut a record in two
            places[0] = content.index(b"\n", places[0]) - chance.randrange(2)
        for place in sorted(places, reverse=True):
            content = content[:place] + b'"' + content[place:]
            touched.add(f"{bisect_right(file.starts, place) - 1:04}")
        export = bench.arrive(content, ready={"ready_text": str(ROWS)})
        staged = bench.judge(export, bench.project(**ANNOUNCED))
        if staged.outcome.reason == "count_mismatch" and strays > 1:
            held += 1
            bench.forget(staged.export)
            continue
        assert staged.outcome.state == "staged"
        assert staged.outcome.records == ROWS == staged.outcome.staged + staged.outcome.rejected
        assert staged.outcome.rejected <= strays
        rows = pl.read_parquet(staged.export.parquet).select(COLUMNS)
        untouched = file.rows.filter(~pl.col("id").is_in(touched))
        assert untouched.equals(rows.join(untouched, "id", how="semi"))
        if len(touched) == strays:
            assert rows.join(file.rows, COLUMNS, how="anti").is_empty()
        bench.forget(staged.export)
    assert held <= 1 + size(25, 250) // 50
