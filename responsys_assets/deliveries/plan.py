"""Planning: the very files that would be sent, made and compared, but not sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from responsys_assets.config.project import Project
from responsys_assets.deliveries.files import File, Naming, destination, shape_of, write
from responsys_assets.deliveries.holds import Hold, hides_consent, holds
from responsys_assets.deliveries.opt_outs import in_words, opt_outs
from responsys_assets.deliveries.plans import Plans
from responsys_assets.deliveries.receivers import ROWS
from responsys_assets.deliveries.render import UnrenderableError
from responsys_assets.deliveries.rows import KINDS, Comparison, Counts
from responsys_assets.deliveries.settle import settle, settle_half_sent
from responsys_assets.deliveries.source import Source, delivery_config, read_source
from responsys_assets.deliveries.states import DeliveryResult, State
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import Workspace
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.progress import SILENT, Progress
from responsys_assets.segments import engine
from responsys_assets.segments.consent import Exclusions

_DETAILS = {
    "enclosure": "a value holds the delimiter or a newline, which enclosure: none cannot express; "
    "set enclosure: '\"' or another delimiter and plan again",
    "charset": "a value holds a character that the charset {charset} lacks; "
    "set charset: utf-8 and plan again",
}


def plan(project: Project, lake: Lake, name: str, progress: Progress = SILENT) -> DeliveryResult:
    """Make the plan of a delivery, or return the one that its inputs already have.

    A plan that began to leave goes on if nothing has changed; else what arrived of it is the
    base of this one.

    Raises:
        ConfigError: if the delivery does not fit the columns of its source.
        DeliveryError: if its segment is older than what it is made from.
        ResponsysError: if a suppression file or a recipient's key cannot be read.
    """
    delivery_config(project, name)
    with lake.writing(progress.say):
        plans = Plans(project, lake, name)
        settle_half_sent(plans)
        plans.complete_record()
        source = read_source(project, lake, name)
        waiting = plans.waiting()
        if waiting is not None and source.made(waiting):
            return plans.result(waiting)
        if waiting is not None and plans.journal(waiting).started:
            plans.require_base()
            settle(plans, waiting)
            source = read_source(project, lake, name)
        if source.base is not None and source.was_delivered():
            return plans.result(source.base, "unchanged")
        plans.require_base()
        with progress.step(f"plan {name}", source.snapshot.rows, "rows") as advance:
            made = _Draft(plans, source).publish()
            advance(source.snapshot.rows)
        for old in plans.superseded_by(made):
            plans.remove(old)
        return plans.result(made)


class _Draft:
    """A plan under construction."""

    def __init__(self, plans: Plans, source: Source) -> None:
        self._plans = plans
        self._project = plans.project
        self._lake = plans.lake
        self._name = plans.name
        self._source = source
        self._delivery = delivery_config(plans.project, plans.name)
        self._naming = Naming.after(plans.project, self._delivery, source.base)

    def publish(self) -> Snapshot:
        source = self._source
        exclusions = source.exclusions(self._project)
        with self._lake.workspace() as work:
            folder = work.folder("plan")
            try:
                counts, said = self._compare(work, folder, exclusions)
            except duckdb.Error as error:
                raise engine.fault(f"cannot plan delivery {self._name}", error) from None
            description = {**self._description(counts), **said}
            return self._plans.store.publish(
                work,
                folder,
                inputs=source.inputs,
                rows=counts.rows,
                now=self._project.now(),
                extra=description | {"changed": self._plans.replaces_another(description)},
                make_current=False,
            )

    def _compare(
        self, work: Workspace, folder: Path, exclusions: Exclusions
    ) -> tuple[Counts, dict[str, Any]]:
        source = self._source
        base = source.base.path / ROWS if source.base else None
        with engine.locked_down(
            read=[*source.files, *filter(None, (source.keys, base)), folder / ROWS],
            spill=work.folder("spill"),
            zone="UTC",
            tables=exclusions.tables,
        ) as connection:
            comparison = Comparison(connection, source, folder / ROWS, base)
            comparison.write_rows(self._project, exclusions)
            counts = comparison.counts()
            return counts, self._decide(work, folder, comparison, counts)

    def _decide(
        self, work: Workspace, folder: Path, comparison: Comparison, counts: Counts
    ) -> dict[str, Any]:
        """Write the files if there is something to send; says the state and why."""
        files = self._naming.files(self._source.names, counts)
        if not files or self._nothing_new(comparison, counts):
            (folder / ROWS).unlink()
            return _verdict("unchanged", [])
        try:
            written = self._write(work, files, comparison)
        except UnrenderableError as error:
            for path in (folder / "files").iterdir():
                path.unlink()
            detail = _DETAILS[error.reason].format(charset=self._delivery.charset)
            return self._held(work, [], [Hold(error.reason, detail)])
        found = holds(self._project, self._name, self._source, counts)
        return self._held(work, written, found) if found else _verdict("planned", written)

    def _held(
        self, work: Workspace, written: list[dict[str, Any]], found: Sequence[Hold]
    ) -> dict[str, Any]:
        said = [hold.detail for hold in found]
        base = self._source.base
        part = opt_outs(self._project, self._name, self._source, base, work) if base else None
        if part:
            said += in_words(self._project, part)
        if written:
            said.append(
                f"look at the plan, then send it with `responsys apply {self._name} --release "
                f"--plan {self._source.digest[:8]}`, or mend what changed upstream"
            )
        verdict = _verdict(
            "held", written, found[0].reason, "; ".join(said), releasable=bool(written)
        )
        counts = part.counts if part else None
        return verdict | {"unreachable": counts.removed + counts.updated if counts else 0}

    def _nothing_new(self, comparison: Comparison, counts: Counts) -> bool:
        changes = self._delivery.mode == "changes"
        if self._source.base is None:
            return changes and not counts.any_change
        if self._delivery.when_unchanged == "send":
            return False
        same_shape = self._source.base.manifest["shape"] == shape_of(self._delivery)
        if changes:
            return not counts.any_change
        return same_shape and comparison.same_columns and not counts.any_change

    def _write(
        self, work: Workspace, files: Sequence[File], comparison: Comparison
    ) -> list[dict[str, Any]]:
        folder = work.folder("plan/files")
        return [
            write(self._project, self._delivery, folder, file, self._batches(file, comparison))
            for file in files
        ]

    def _batches(self, file: File, comparison: Comparison) -> Iterator[pl.DataFrame]:
        if self._delivery.mode == "full":
            return comparison.all_rows()
        kinds = KINDS if file.kind is None else (file.kind,)
        return comparison.changed_rows(kinds, say=file.kind is None)

    def _description(self, counts: Counts) -> dict[str, Any]:
        columns = zip(self._source.columns, self._source.names, strict=True)
        return {
            "added": counts.added,
            "updated": counts.updated,
            "removed": counts.removed,
            **self._naming.as_manifest(),
            "columns": [[*pair] for pair in columns],
            "shape": shape_of(self._delivery),
            "to": destination(self._project, self._plans.target),
            "hides_consent": hides_consent(self._project, self._name, self._source),
        }


def _verdict(
    state: State,
    files: list[dict[str, Any]],
    reason: str | None = None,
    detail: str | None = None,
    *,
    releasable: bool = False,
) -> dict[str, Any]:
    return {
        "state": state,
        "reason": reason,
        "detail": detail,
        "releasable": releasable,
        "delivery_files": files,
    }
