"""The scorecard: faults to survive, how many cases of each a run tried, and how they ended.

A test belongs to a row by `@pytest.mark.scorecard(16)`. It counts as one case, unless it says how
many it tries: by `@examples(small, full)` for hypothesis, by the fixture `cases` for loops. `make
test` runs the small sizes, `make trust` (TRUST=full) the full ones and prints the table. Every
case draws from the run's seed, so a failure comes back with `--randomly-seed` and its number.
"""

from __future__ import annotations

import datetime as dt
import os
import random
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

FULL = os.environ.get("TRUST") == "full"

FAULTS = {
    1: "unknown, changed or other-type host key",
    2: "drop, reset or flipped byte while downloading",
    3: "a server that stalls",
    4: "source cut, appended, rewritten, replaced or removed while it is read",
    5: "every state of a ready file",
    6: "arrival histories: equal, older, future mtime, sent again, renamed, clock back",
    7: "a listing of 100,000 names, some of them badly encoded",
    8: "hostile names, links, pipes, folders named like files",
    9: "cut or flipped ciphertext",
    10: "disk full, no folder, read-only, cap hit, signer missing",
    11: "signatures: none, unknown, wrong, expired, revoked, untrusted, two",
    12: "no integrity, wrong recipient, wrong passphrase, junk, joined, not PGP",
    13: "bombs, plain and nested",
    14: "1 GiB decrypted and encrypted",
    15: "64 messages decrypted at once; parent killed",
    16: "any fuzzed CSV",
    17: "values, byte for byte",
    18: "stray quotes",
    19: "where rejects are: record, byte, line",
    20: "headers",
    21: "ties and shuffled input",
    22: "opt-in and opt-out at one instant; absent, future, unordered times",
    23: "suppressed people",
    24: "a rejected record that carried an opt-out",
    25: "time zones, daylight saving, environment",
    26: "spellings of a key",
    27: "attacks by segment criteria",
    29: "kill -9 at each file operation and at random moments",
    30: "disk full, I/O error, quota, short write at each operation",
    31: "order of file, rename and folder synchronisation",
    32: "two runs of one thing; the lock of a dead process",
    33: "runs with nothing new",
    34: "deliveries cut, stalled, unanswered",
    35: "encrypted deliveries",
    36: "secrets and personal data through failures",
    37: "file modes under any umask",
    38: "sensors: server down, flapping, daemon killed",
    39: "a run worker killed",
    40: "Dagster's storage deleted or garbled",
    41: "the UI: foreign hosts, read-only",
    44: "change: settings, keys, headers, lists, zones, match key; lake lost in part",
}

_Test = TypeVar("_Test", bound=Callable[..., Any])
_Case = TypeVar("_Case")

_tried = 0  # cases of the running test that it counts itself


def size(small: int, full: int) -> int:
    """How many cases this run tries."""
    return full if FULL else small


def examples(small: int, full: int) -> Callable[[_Test], _Test]:
    """Put above `@given`: so many examples, each counted as a case."""

    def decorate(test: _Test) -> _Test:
        inner = test.hypothesis.inner_test  # type: ignore[attr-defined]

        @wraps(inner)
        def counted(*args: Any, **keywords: Any) -> None:
            global _tried  # noqa: PLW0603 - one test runs at a time
            inner(*args, **keywords)
            _tried += 1

        test.hypothesis.inner_test = counted  # type: ignore[attr-defined]
        return settings(
            max_examples=size(small, full),
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        )(test)

    return decorate


@dataclass(frozen=True)
class Cases:
    """The cases that a loop tries, counted as each of them passes."""

    seed: str

    def draw(self, small: int, full: int) -> Iterator[random.Random]:
        """Random numbers for each case, the same for the same seed, test and number."""
        for number in range(size(small, full)):
            yield from self.each([random.Random(f"{self.seed} {number}")])  # noqa: S311

    def each(self, things: Iterable[_Case]) -> Iterator[_Case]:
        """Every one of some things, as a case each."""
        global _tried  # noqa: PLW0603 - one test runs at a time
        for thing in things:
            yield thing
            _tried += 1


@pytest.fixture
def cases(request: pytest.FixtureRequest) -> Cases:
    """The cases of a test with a loop; the seed is that of the run and the test's name."""
    return Cases(f"{request.config.getoption('randomly_seed')} {request.node.name}")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "scorecard(row): counts for this row of the scorecard")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Note what the test counted: properties reach the process that prints the table."""
    global _tried  # noqa: PLW0603 - one test runs at a time
    _tried = 0
    failed = 1
    try:
        result = yield
        failed = 0
        return result
    finally:
        passed = _tried or 1 - failed
        rows = [row for mark in item.iter_markers("scorecard") for row in mark.args]
        item.user_properties += [("scorecard", (row, passed, failed)) for row in rows]


@dataclass
class _Row:
    passed: int = 0
    failed: int = 0
    seconds: float = 0.0


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The table, if rows were tried; TRUST_TABLE names a file for it, in Markdown."""
    rows: dict[int, _Row] = defaultdict(_Row)
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, value in getattr(report, "user_properties", ()):
                if name == "scorecard" and report.when == "call":
                    row, passed, failed = value
                    rows[row].passed += passed
                    rows[row].failed += failed
                    rows[row].seconds += report.duration
    if not rows or not FULL:
        return
    terminalreporter.section("scorecard")
    for number, row in sorted(rows.items()):
        terminalreporter.write_line(
            f"{number:>2}  {FAULTS[number]:<76} {row.passed:>7,} passed, {row.failed} failed"
            f"  {row.seconds:>6.0f} s"
        )
    if target := os.environ.get("TRUST_TABLE"):
        Path(target).write_text(_markdown(rows, config.getoption("randomly_seed")))


def _markdown(rows: dict[int, _Row], seed: int) -> str:
    today = dt.datetime.now(dt.UTC).date()
    lines = [
        f"{today}, seed {seed}",
        "",
        "| # | fault | outcome | time |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {number} | {FAULTS[number]} | {row.passed:,} passed, {row.failed} failed "
        f"| {row.seconds:.0f} s |"
        for number, row in sorted(rows.items())
    ]
    return "\n".join(lines) + "\n"
