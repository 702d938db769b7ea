"""What the consent ledger has: opt-outs by list and channel."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from responsys_assets.config.project import Project
from responsys_assets.consent.ledger import Counted, ListLedger, read_ledger
from responsys_assets.consent.record import unrecorded
from responsys_assets.consent.refresh import known_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.orchestration import catalog
from responsys_assets.orchestration.metadata import Metadata, size_of, table, version_of
from responsys_assets.orchestration.report import Check, Report

_SHOWN = 14  # exports of a list


def consent_report(project: Project, lake: Lake) -> Report:
    """The ledger as it counts now. The numbers are those of the newest export of each list."""
    exports = known_exports(lake)
    ledgers = read_ledger(project, lake, exports)
    missing = [
        f"{name}: {export.file}"
        for name, known in exports.items()
        for export, _ in unrecorded(lake, known)
    ]
    check = Check(
        "recorded",
        passed=not missing,
        description=(
            f"not recorded: {', '.join(missing)}; run `responsys sync`"
            if missing
            else "every accepted export is recorded"
        ),
    )
    files = [path for ledger in ledgers for c in ledger.entries for path in _files(c)]
    metadata: Metadata = {
        "dagster/row_count": sum(c.entry.rows for ledger in ledgers for c in ledger.entries),
        "dagster/uri": lake.consent("").as_uri(),
        "bytes": size_of(files),
        "opt-outs by export": table(
            ("list", "stamp", "channel", "opted in", "opted out"),
            [row for ledger in ledgers for row in _rows(ledger)],
        ),
        "lists that left the configuration": ", ".join(x.name for x in ledgers if not x.configured),
    }
    for ledger in ledgers:
        for channel, count in ledger.entries[-1].entry.opted_out.items():
            metadata[f"opt-outs in the newest export of {ledger.name}, {channel}"] = count
    return Report(catalog.CONSENT, (check,), metadata, ledger_version(ledgers))


def ledger_version(ledgers: Iterable[ListLedger]) -> str:
    """The data version of the ledger as it counts now."""
    return version_of(str(ledger.as_input()) for ledger in ledgers)


def _files(counted: Counted) -> list[Path]:
    return [path for path in (counted.statements, counted.claims) if path]


def _rows(ledger: ListLedger) -> Iterable[tuple[object, ...]]:
    for counted in ledger.entries[-_SHOWN:]:
        entry = counted.entry
        for channel, opted_out in entry.opted_out.items():
            stamp = entry.stamp.isoformat(timespec="minutes")
            yield ledger.name, stamp, channel, entry.opted_in[channel], opted_out
