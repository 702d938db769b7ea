"""What the lake says about profiles, segments and deliveries.

Runs turn a report into the events of a step, `report_runless` into events without a run, so
that both show the same.
"""

from __future__ import annotations

import dagster as dg

from responsys_assets.config.project import Project
from responsys_assets.deliveries.states import DeliveryResult, said_of_opt_outs
from responsys_assets.exported.deadlines import late_lists
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot, SnapshotStore
from responsys_assets.orchestration import catalog, evidence
from responsys_assets.orchestration.metadata import (
    Metadata,
    lineage,
    parquet_columns,
    schema,
    size_of,
    table,
    version_of,
)
from responsys_assets.orchestration.report import Check, Report
from responsys_assets.segments.refresh import chosen_columns
from responsys_assets.system_columns import CHANNELS


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
            project.country,
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
    why = result.detail or f"its guard was tripped; look at it with `responsys plan {name}`"
    guard = Check(
        "guard",
        passed=not held,
        description=(
            f"{name} is held: {why}{_gone(result)}" if held else f"{name}: {result.state}"
        ),
        metadata={
            "added": result.added,
            "updated": result.updated,
            "removed": result.removed,
            "unreachable": result.unreachable,
        },
    )
    late = [str(each) for each in late_lists(project, lake)]
    metadata: Metadata = {
        "dagster/row_count": result.rows,
        "state": result.state,
        **({"late lists": "; ".join(late)} if late else {}),
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


def _gone(result: DeliveryResult) -> str:
    return f". Besides, {said_of_opt_outs(result.opt_outs)}" if result.opt_outs else ""


def delivery_version(lake: Lake, name: str) -> str:
    """The data version of what was delivered last."""
    delivered = SnapshotStore(lake.delivery(name)).current()
    return snapshot_version(delivered) if delivered else version_of([])


def snapshot_version(snapshot: Snapshot) -> str:
    """The data version of a snapshot: what its files hold."""
    return version_of(f"{entry['name']}:{entry['sha256']}" for entry in snapshot.manifest["files"])


def _no_opted_out(name: str, channel: str, wrong: int) -> Check:
    said = f"everyone in {name} may be reached by {channel}"
    if wrong:
        said = (
            f"{wrong} rows of {name} may not be reached by {channel}; do not deliver it: "
            "run `responsys verify`, then report this"
        )
    return Check("no_opted_out", passed=not wrong, description=said)


def _source_columns(lake: Lake, segment: str) -> list[str]:
    """The columns of what a delivery is made from."""
    root = lake.profiles() if segment == "profiles" else lake.segment(segment)
    made_from = SnapshotStore(root).current()
    files = evidence.rows_of(made_from) if made_from else []
    columns = dict(parquet_columns(files[0])) if files else {}
    return chosen_columns(columns) if segment == "profiles" else [*columns]


def _snapshot_metadata(snapshot: Snapshot) -> Metadata:
    files = evidence.rows_of(snapshot)
    return {
        "dagster/row_count": snapshot.rows,
        "dagster/uri": snapshot.path.as_uri(),
        "dagster/column_schema": schema(parquet_columns(files[0]) if files else []),
        "snapshot": snapshot.name,
        "bytes": size_of(snapshot.files),
    }
