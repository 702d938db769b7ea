"""The histories notice a safeguard that is switched off: without this they would prove nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest

from responsys_assets.consent import ledger
from responsys_assets.consent.entries import Entry
from responsys_assets.consent.ledger import ListLedger
from responsys_assets.deliveries import plan as delivery_plan
from responsys_assets.lake.exports import Export
from responsys_assets.profiles.live import Source
from responsys_assets.segments import consent
from responsys_assets.segments import refresh as segments
from responsys_assets_tests.change.histories import a_history
from responsys_assets_tests.change.judge import breaks
from responsys_assets_tests.scorecard import Cases

SwitchOff = Callable[[pytest.MonkeyPatch], None]
MOST = 40  # histories until one has to notice


def closed_addresses(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(consent, "_closed_addresses", lambda *_: pl.Series([], dtype=pl.String))


def the_permission_of_profiles(patch: pytest.MonkeyPatch) -> None:
    whole = consent.channel_exclusions

    def without(*arguments: Any) -> consent.Exclusions:
        found = whole(*arguments)
        rest = tuple(each for each in found.conditions if each[0] != consent.PERMISSION)
        return consent.Exclusions(rest, found.columns, found.tables)

    patch.setattr(segments, "channel_exclusions", without)


def an_accepted_reading_stays(patch: pytest.MonkeyPatch) -> None:
    stays = property(lambda self: self.state == "staged" and self.refused is None)
    patch.setattr(Export, "accepted", stays)


def opt_outs_of_rejected_records(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Entry, "claims", lambda *_: None)


def former_lists_close_what_they_closed(patch: pytest.MonkeyPatch) -> None:
    whole = ledger.read_ledger

    def configured(*arguments: Any) -> tuple[ListLedger, ...]:
        return tuple(each for each in whole(*arguments) if each.configured)

    patch.setattr("responsys_assets.profiles.plan.read_ledger", configured)


def withdrawn_opt_outs_stay(patch: pytest.MonkeyPatch) -> None:
    whole = ledger._weighed

    def weighed(*arguments: Any) -> Iterator[tuple[Entry, str]]:
        for entry, weight in whole(*arguments):
            yield entry, "nothing" if weight == "opt_outs" else weight

    patch.setattr(ledger, "_weighed", weighed)


def an_incomplete_export_removes_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Source, "complete", property(lambda self: self.full))


def removals_are_sent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(delivery_plan, "KINDS", ("add", "update"))


@pytest.mark.scorecard(44)
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("switch_off", "kinds"),
    [
        (closed_addresses, []),
        (the_permission_of_profiles, []),
        (an_accepted_reading_stays, ["delimiter"]),
        (opt_outs_of_rejected_records, ["dirt"]),
        (an_incomplete_export_removes_nobody, ["dirt"]),
        (removals_are_sent, []),
        (former_lists_close_what_they_closed, ["list_removed"]),
        (withdrawn_opt_outs_stay, ["withdraw"]),
    ],
)
def test_a_safeguard_that_is_switched_off_is_noticed(
    switch_off: SwitchOff, kinds: list[str], cases: Cases
) -> None:
    """A history breaks the law without the safeguard, and keeps it with the safeguard."""
    for chance in cases.draw(MOST, MOST):
        history = a_history(chance, kinds, calm=not kinds)
        with pytest.MonkeyPatch.context() as patch:
            switch_off(patch)
            noticed = breaks(history)
        if noticed and not breaks(history):
            return
    pytest.fail(f"{MOST} histories did not notice")
