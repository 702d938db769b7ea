"""What the lake says about each asset, as Dagster is told it: metadata, version, checks.

One function an asset. Runs turn a report into the events of a step, `report_runless` into
events without a run, so that both show the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from responsys_assets.config.project import Project
from responsys_assets.deliveries.states import DeliveryResult
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot, SnapshotStore
from responsys_assets.orchestration import catalog, evidence
from responsys_assets.orchestration.days import Day
from responsys_assets.orchestration.metadata import (
    Metadata,
    lineage,
    parquet_columns,
    rows_by_day,
    schema,
    size_of,
    table,
    version_of,
)
from responsys_assets.orchestration.report import Check, Report
from responsys_assets.system_columns import CHANNELS


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
                "both; run `responsys verify`, restore the lake or delete the receipt to stage anew"
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


def profiles(project: Project, snapshot: Snapshot) -> Report:
    """A snapshot of all profiles."""
    files = evidence.rows_of(snapshot)
    match = project.config.profiles.match_columns
    empty = evidence.empty_keys(files, match)
    repeated = evidence.repeated_keys(files, match)
    checks = (
        Check(
            "key_filled",
            passed=empty == 0,
            description=f"{empty} profiles have an empty key",
        ),
        Check(
            "one_row_per_key",
            passed=repeated == 0,
            description=f"{repeated} profiles repeat the key of another one",
        ),
    )
    metadata = _snapshot_metadata(snapshot) | {
        "filled": table(
            ("column", "rows with a value"),
            [(name, f"{count:,}") for name, count in evidence.filled(files).items()],
        ),
        "dagster/column_lineage": lineage(
            {
                column: [dg.TableColumnDep(catalog.staged_key(name), column) for name in names]
                for column, names in snapshot.manifest["sources"].items()
            }
        ),
    }
    return Report(catalog.PROFILES, checks, metadata, snapshot_version(snapshot))


def segment(project: Project, lake: Lake, name: str, snapshot: Snapshot) -> Report:
    """A snapshot of a segment."""
    settings = project.config.segments[name]
    files = evidence.rows_of(snapshot)
    checks: tuple[Check, ...] = ()
    if settings.channel != "none":
        made_from = snapshot.manifest["inputs"]["profiles"]["snapshot"]
        wrong = evidence.unreachable(
            snapshot,
            SnapshotStore(lake.profiles()).read(made_from),
            CHANNELS[settings.channel],
            project.config.profiles.match_columns,
        )
        checks = (_no_opted_out(name, settings.channel, wrong),)
    columns = [column for column, _ in parquet_columns(files[0])] if files else []
    metadata = _snapshot_metadata(snapshot) | {
        "where": settings.where,
        "channel": settings.channel,
        "matched by where": snapshot.manifest["matched"],
        "left out": table(("reason", "profiles"), snapshot.manifest["left_out"].items()),
        "dagster/column_lineage": lineage(
            {column: [dg.TableColumnDep(catalog.PROFILES, column)] for column in columns}
        ),
    }
    return Report(catalog.segment_key(name), checks, metadata, snapshot_version(snapshot))


def delivery(project: Project, lake: Lake, name: str, result: DeliveryResult) -> Report:
    """What became of a delivery."""
    settings = project.config.deliveries[name]
    source = catalog.delivery_source(project.config, name)
    held = result.state == "held"
    why = result.detail or "its guard was tripped"
    guard = Check(
        "guard",
        passed=not held,
        description=(
            f"{name} is held: {why}. See `responsys plan {name}`; "
            f"`responsys apply {name} --release` lets it go"
            if held
            else f"{name}: {result.state}"
        ),
        metadata={"added": result.added, "updated": result.updated, "removed": result.removed},
    )
    metadata: Metadata = {
        "dagster/row_count": result.rows,
        "state": result.state,
        "files": table(("file",), [(file,) for file in result.files]),
        "added": result.added,
        "updated": result.updated,
        "removed": result.removed,
        "to": f"{settings.to}:{settings.folder or '.'}",
    }
    columns = settings.columns or _source_columns(lake, settings.segment)
    metadata["dagster/column_lineage"] = lineage(
        {
            settings.rename.get(column, column): [dg.TableColumnDep(source, column)]
            for column in columns
        }
    )
    return Report(catalog.delivery_key(name), (guard,), metadata, delivery_version(lake, name))


def delivery_version(lake: Lake, name: str) -> str:
    """The data version of what was delivered last."""
    delivered = SnapshotStore(lake.delivery(name)).current()
    return snapshot_version(delivered) if delivered else version_of([])


def _source_columns(lake: Lake, segment: str) -> list[str]:
    """The columns of what a delivery is made from."""
    root = lake.profiles() if segment == "profiles" else lake.segment(segment)
    made_from = SnapshotStore(root).current()
    files = evidence.rows_of(made_from) if made_from else []
    return [name for name, _ in parquet_columns(files[0])] if files else []


def _accepted(found: Day) -> Check:
    refusal, absence = found.refusal, found.absence
    description = f"{len(found.accepted)} accepted of {found.list_name} for {found.day}"
    if refusal is not None:
        description = refusal
    elif absence is not None:
        description = absence
    states = [
        (e.file, e.state, e.outcome.reason or "", e.outcome.detail or "")
        for e in found.exports
        if e.outcome
    ]
    return Check(
        "accepted",
        passed=refusal is None and absence is None,
        description=description,
        metadata={"exports": table(("file", "state", "reason", "detail"), states)},
    )


def _no_opted_out(name: str, channel: str, wrong: int) -> Check:
    said = f"everyone in {name} may be reached by {channel}"
    if wrong:
        said = (
            f"{wrong} rows of {name} may not be reached by {channel}; do not deliver it: "
            "run `responsys verify`, then report this"
        )
    return Check("no_opted_out", passed=not wrong, description=said)


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


def _snapshot_metadata(snapshot: Snapshot) -> Metadata:
    files = evidence.rows_of(snapshot)
    return {
        "dagster/row_count": snapshot.rows,
        "dagster/uri": snapshot.path.as_uri(),
        "dagster/column_schema": schema(parquet_columns(files[0]) if files else []),
        "snapshot": snapshot.name,
        "bytes": size_of(snapshot.files),
    }


def snapshot_version(snapshot: Snapshot) -> str:
    """The data version of a snapshot: what its files hold."""
    return version_of(f"{entry['name']}:{entry['sha256']}" for entry in snapshot.manifest["files"])
