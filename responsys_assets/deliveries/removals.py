"""Plans that do nothing but remove: people who opted out, or all that a closed receiver has.

They have the shape of what the receiver got last, for that is what it can read.
"""

# ruff: noqa: S608 - names and texts are quoted by segments/engine.py, `where` is parsed

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import duckdb
import polars as pl

from responsys_assets.config.models import Delivery
from responsys_assets.deliveries.files import Naming, destination, write
from responsys_assets.deliveries.plans import Plans
from responsys_assets.deliveries.receivers import ROWS
from responsys_assets.deliveries.rows import BATCH_ROWS, Counts, key_columns
from responsys_assets.deliveries.source import CHANGE
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.segments import engine
from responsys_assets.segments.sql import identifier


def publish_removals(
    plans: Plans,
    base: Snapshot,
    keys: pl.DataFrame,
    inputs: dict[str, Any],
    **said: bool,
) -> Snapshot:
    """Make the plan that removes these rows of the base; `said` goes into its manifest.

    Raises:
        UnrenderableError: if a value does not fit the enclosure or the charset.
        PgpError: if it cannot be encrypted.
    """
    project = plans.project
    delivery = delivery_of(base)
    naming = Naming.after(project, delivery, base)
    names = [name for _, name in base.manifest["columns"]]
    with plans.lake.workspace() as work:
        folder, files = work.folder("plan"), work.folder("plan/files")
        rows = engine.parquet([base.path / ROWS])
        same = " AND ".join(f"r.{key} = o.{key}" for key in key_columns(base))
        with engine.locked_down(
            read=[base.path / ROWS],
            spill=work.folder("spill"),
            zone="UTC",
            tables={"removed": keys},
        ) as connection:
            order = ", ".join(key_columns(base))
            query = f"SELECT * FROM {rows} r {{}} JOIN removed o ON {same} ORDER BY {order}"
            try:
                engine.write_parquet(connection, query.format("ANTI"), folder / ROWS)
                gone = Counts(rows=0, added=0, updated=0, removed=keys.height)
                written = []
                for file in naming.files(names, gone):
                    batches = _batches(connection, query.format("SEMI"), base, delivery)
                    written.append(write(project, delivery, files, file, batches))
            except duckdb.Error as error:
                raise engine.fault(f"cannot plan delivery {plans.name}", error) from None
        return plans.store.publish(
            work,
            folder,
            inputs=inputs,
            rows=base.rows - keys.height,
            now=project.now(),
            extra={
                **{key: base.manifest[key] for key in ("columns", "shape")},
                "to": destination(project, plans.target),
                **{key: bool(base.manifest.get(key)) for key in ("hides_consent", "mixed")},
                **naming.as_manifest(),
                "added": 0,
                "updated": 0,
                "removed": keys.height,
                "state": "planned",
                "reason": None,
                "detail": None,
                "releasable": False,
                "delivery_files": written,
                **said,
            },
            make_current=False,
        )


def delivery_of(plan: Snapshot) -> Delivery:
    """The delivery that a plan was made for."""
    return Delivery.model_validate_json(json.dumps(plan.manifest["shape"]))


def _batches(
    connection: duckdb.DuckDBPyConnection, query: str, base: Snapshot, delivery: Delivery
) -> Iterator[pl.DataFrame]:
    """The rows that a file says are removed; a full file says it by not having them."""
    if delivery.mode == "full":
        return
    columns = [identifier(column) for column, _ in base.manifest["columns"]]
    if not delivery.file.has("change"):
        columns.append(f"'remove' AS {identifier(CHANGE)}")
    wanted = f"SELECT {', '.join(columns)} FROM ({query})"
    for batch in engine.batches(connection, wanted, BATCH_ROWS):
        yield cast(pl.DataFrame, pl.from_arrow(batch))
