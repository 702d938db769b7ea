"""The promises hold when things around the data change: settings, keys, headers, lists, the lake.

Random histories, each lived through on a real project and held against an oracle in plain
Python after every sync. A failure prints the history, what is left of it once all steps are
gone that it does not need, and how the law was broken; `--randomly-seed` repeats it.
"""

from __future__ import annotations

import pytest

from responsys_assets_tests.change.changes import EXACT
from responsys_assets_tests.change.histories import a_history, an_encrypted_history, some_kinds
from responsys_assets_tests.change.judge import breaks, shortest
from responsys_assets_tests.change.steps import History
from responsys_assets_tests.conftest import PgpKeys
from responsys_assets_tests.scorecard import Cases


def require(history: History, keys: PgpKeys | None = None) -> None:
    """Fail with a readable history if it breaks the law."""
    why = breaks(history, keys)
    if why:
        short = shortest(history, keys)
        pytest.fail(
            f"{why}\n{history}\n\nThe same, shortened: {breaks(short, keys)}\n{short}",
            pytrace=False,
        )


@pytest.mark.scorecard(44)
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(2))
def test_on_quiet_days_exactly_those_are_reached_who_may_be(part: int, cases: Cases) -> None:
    """Clean exports of two or three lists, and nothing else changes."""
    for chance in cases.draw(4, 60):
        require(a_history(chance, [], calm=True))


@pytest.mark.scorecard(44)
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(4))
def test_a_change_that_leaves_nothing_in_doubt_keeps_nobody_out(part: int, cases: Cases) -> None:
    """Clean exports, and changes after which the law says exactly who may be mailed."""
    for chance in cases.draw(6, 120):
        require(a_history(chance, some_kinds(chance, EXACT), calm=True))


@pytest.mark.scorecard(44)
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(8))
def test_no_change_around_the_data_undoes_an_opt_out_or_loses_a_person(
    part: int, cases: Cases
) -> None:
    """One to three kinds of change between the exports."""
    for chance in cases.draw(8, 250):
        require(a_history(chance, some_kinds(chance)))


@pytest.mark.scorecard(44)
@pytest.mark.timeout(1800)
def test_a_key_that_is_replaced_undoes_no_opt_out_and_loses_nobody(
    pgp_keys: PgpKeys, cases: Cases
) -> None:
    """With real gpg: what the old key opened stays as it was accepted."""
    for chance in cases.draw(3, 60):
        require(an_encrypted_history(chance), pgp_keys)
