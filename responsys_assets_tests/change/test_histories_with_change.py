"""The promises hold when things around the data change: settings, keys, headers, lists, the lake.

Random histories, each lived through on a real project and held against an oracle in plain
Python after every sync. A failure prints the history, what is left of it once all steps are
gone that it does not need, and how the law was broken; `--randomly-seed` repeats it.
"""

from __future__ import annotations

import pytest

from responsys_assets_tests.change.company import a_history, some_kinds
from responsys_assets_tests.change.judge import breaks, shortest
from responsys_assets_tests.change.steps import History
from responsys_assets_tests.scorecard import Cases


def require(history: History) -> None:
    """Fail with a readable history if it breaks the law."""
    why = breaks(history)
    if why:
        short = shortest(history)
        pytest.fail(
            f"{why}\n{history}\n\nThe same, shortened: {breaks(short)}\n{short}", pytrace=False
        )


@pytest.mark.scorecard(44)
@pytest.mark.parametrize("part", range(2))
def test_on_quiet_days_exactly_those_are_reached_who_may_be(part: int, cases: Cases) -> None:
    """Clean exports of two or three lists, and nothing else changes."""
    for chance in cases.draw(6, 150):
        require(a_history(chance, []))


@pytest.mark.scorecard(44)
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(8))
def test_no_change_around_the_data_undoes_an_opt_out_or_loses_a_person(
    part: int, cases: Cases
) -> None:
    """One to three kinds of change between the exports."""
    for chance in cases.draw(10, 400):
        require(a_history(chance, some_kinds(chance)))
