"""The state of an asset as the events of a step: checks, metadata, data version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field

import dagster as dg

from responsys_assets.orchestration.metadata import Metadata

# which checks each kind of asset has; those that fail here may be waived by `on_missing`
EXPORTED_CHECKS = {"arrived": "An export of the day has arrived, with its ready file."}
STAGED_CHECKS = {
    "accepted": "Every export of the day was accepted: count, signature and format are right.",
    "records_conserved": "Every record of the export is either staged or in quarantine.",
    "key_filled": "No staged record has an empty key.",
}
CONSENT_CHECKS = {"recorded": "Every accepted export is recorded in the consent ledger."}
PROFILES_CHECKS = {
    "key_filled": "No profile has an empty key.",
    "one_row_per_key": "No key has two profiles.",
}
SEGMENT_CHECKS = {"no_opted_out": "Everyone in it may be reached by the segment's channel."}
DELIVERY_CHECKS = {"guard": "The plan changes no more than the delivery's guard allows."}
_WAIVABLE = ("arrived", "accepted")


@dataclass(frozen=True)
class Check:
    """The result of one check; `description` says what is wrong and what to do."""

    name: str
    passed: bool
    description: str
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """The state of an asset (on a day)."""

    key: dg.AssetKey
    checks: tuple[Check, ...]
    metadata: Metadata
    version: str
    day: dt.date | None = None

    @property
    def partition(self) -> str | None:
        return self.day.isoformat() if self.day else None

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.passed)

    def events(
        self, *, waive: bool = False
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        """The events of a step.

        A failed check makes the step fail, so that nothing counts as materialised. With `waive`
        a missing or held export is a warning instead, and what is there goes on.

        Raises:
            Failure: with the sentences of the failed checks.
        """
        fatal = [c for c in self.failed if not (waive and c.name in _WAIVABLE)]
        for check in self.checks:
            yield dg.AssetCheckResult(
                asset_key=self.key,
                check_name=check.name,
                passed=check.passed,
                description=check.description,
                metadata=check.metadata,
                severity=(
                    dg.AssetCheckSeverity.ERROR
                    if check.passed or check in fatal
                    else dg.AssetCheckSeverity.WARN
                ),
            )
        if fatal:
            raise dg.Failure(" ".join(c.description for c in fatal), allow_retries=False)
        yield dg.MaterializeResult(
            asset_key=self.key, metadata=self.metadata, data_version=dg.DataVersion(self.version)
        )
