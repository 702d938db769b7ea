"""What the lake says about a list on a day: exports as they came, what staging made of them.

Runs turn a report into the events of a step, `report_runless` into events without a run, so
that both show the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from responsys_assets.config.project import Project
from responsys_assets.lake.days import Day
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.orchestration import catalog, evidence
from responsys_assets.orchestration.metadata import (
    Metadata,
    lineage,
    rows_by_day,
    schema,
    size_of,
    table,
    version_of,
)
from responsys_assets.orchestration.report import Check, Report


def exported(lake: Lake, list_name: str, day: dt.date, waiting: Sequence[str] = ()) -> Report:
    """The exports of a day as they came; `waiting` are sentences on files not taken yet."""
    found = Day.read(lake, list_name, day)
    absence = found.absence
    arrived = Check(
        "arrived",
        passed=absence is None,
        description=(
            f"{len(found.exports)} of {list_name} for {day}"
            if absence is None
            else "; ".join(
                [absence, *waiting, f"see `responsys doctor` and the sender of {list_name}"]
            )
        ),
    )
    files = [export.ciphertext for export in found.exports]
    metadata: Metadata = {
        "files": table(
            ("file", "stamp", "kind", "bytes", "sha256", "state"),
            [
                (
                    e.file,
                    e.stamp.isoformat(),
                    e.kind,
                    f"{e.arrival.data.size:,}",
                    e.sha256[:12],
                    e.state,
                )
                for e in found.exports
            ],
        ),
        "bytes": sum(map(_size, found.exports)),
        "dagster/uri": (lake.exported(list_name) / day.isoformat()).as_uri(),
        "files on disk": sum(path.exists() for path in files),
    }
    version = exported_version(found)
    return Report(catalog.exported_key(list_name), (arrived,), metadata, version, day)


def exported_version(found: Day) -> str:
    """The data version of a day's exports as they came."""
    return version_of(export.export_id for export in found.exports)


def staged(project: Project, lake: Lake, list_name: str, day: dt.date) -> Report:
    """What staging made of a day's exports."""
    everything = read_exports(lake, list_name)
    found = Day.of(list_name, day, everything)
    lost = evidence.unaccounted(found.accepted)
    files = [export.parquet for export in found.accepted if export.parquet.exists()]
    keys = [f"_key_{n}" for n in range(len(project.config.profiles.match_columns))]
    empty = evidence.empty_keys(files, keys)
    checks = (
        _accepted(found),
        Check(
            "records_conserved",
            passed=lost == 0,
            description=(
                "records = staged + rejected"
                if lost == 0
                else f"{list_name}, {day}: {lost} records are neither staged nor rejected, or are "
                "both; run `responsys verify`, which says what to do about each damaged file"
            ),
            metadata=_counts(found.accepted),
        ),
        Check(
            "key_filled",
            passed=empty == 0,
            description=(
                "every staged record has its key"
                if empty == 0
                else f"{list_name}, {day}: {empty} staged records have an empty key; "
                "do not merge them: report this"
            ),
        ),
    )
    metadata: Metadata = {
        "dagster/partition_row_count": sum(_staged_rows(export) for export in found.accepted),
        "dagster/uri": (lake.staged(list_name) / day.isoformat()).as_uri(),
        "bytes": size_of(files),
        "rows by day": rows_by_day(everything),
        **_counts(found.accepted),
    }
    metadata |= _columns_of(found.accepted)
    return Report(catalog.staged_key(list_name), checks, metadata, staged_version(found), day)


def staged_version(found: Day) -> str:
    """The data version of a day's staged records."""
    outcomes = (export.outcome for export in found.accepted)
    return version_of(each.parquet_sha256 or each.export_id for each in outcomes if each)


def _accepted(found: Day) -> Check:
    unstaged = [each.file for each in found.exports if each.outcome is None]
    waits = f"{', '.join(unstaged)}: fetched and not staged yet" if unstaged else None
    wrong = found.refusal or found.absence or waits
    accepted = f"{len(found.accepted)} accepted of {found.list_name} for {found.day}"
    states = [
        (e.file, e.state, e.latest.reason or "", e.detail or "") for e in found.exports if e.latest
    ]
    return Check(
        "accepted",
        passed=wrong is None,
        description=wrong or accepted,
        metadata={"exports": table(("file", "state", "reason", "detail"), states)},
    )


def _size(export: Export) -> int:
    return export.arrival.data.size


def _staged_rows(export: Export) -> int:
    return export.outcome.staged if export.outcome else 0


def _counts(exports: Sequence[Export]) -> Metadata:
    outcomes = [export.outcome for export in exports if export.outcome]
    reasons: dict[str, int] = {}
    for outcome in outcomes:
        for reason, count in outcome.rejected_by_reason.items():
            reasons[reason] = reasons.get(reason, 0) + count
    return {
        "records": sum(outcome.records for outcome in outcomes),
        "staged": sum(outcome.staged for outcome in outcomes),
        "rejected": sum(outcome.rejected for outcome in outcomes),
        "blank lines": sum(outcome.blank for outcome in outcomes),
        "rejected by reason": table(("reason", "records"), sorted(reasons.items())),
    }


def _columns_of(accepted: Sequence[Export]) -> Metadata:
    """Schema, lineage and new columns of the newest accepted export."""
    if not accepted or accepted[-1].outcome is None:
        return {}
    newest = accepted[-1]
    outcome = accepted[-1].outcome
    source = catalog.exported_key(newest.list_name)
    found: Metadata = {
        "dagster/column_schema": schema(outcome.columns),
        "dagster/column_lineage": lineage(
            {name: [dg.TableColumnDep(source, name)] for name, _ in outcome.columns}
        ),
    }
    if outcome.new_columns:
        found["new columns"] = ", ".join(outcome.new_columns)
    return found
