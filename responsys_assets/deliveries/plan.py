"""Planning: the very files that would be sent, made and compared, but not sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from responsys_assets.config.models import Delivery
from responsys_assets.config.project import Project
from responsys_assets.deliveries.guard import tripped
from responsys_assets.deliveries.plans import Plans
from responsys_assets.deliveries.render import UnrenderableError, write_file
from responsys_assets.deliveries.rows import KINDS, ROWS, Comparison, Counts, Kind
from responsys_assets.deliveries.source import CHANGE, Source, delivery_config, read_source
from responsys_assets.deliveries.states import DeliveryResult, State
from responsys_assets.deliveries.transfer import settle
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import Workspace
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.progress import SILENT, Progress
from responsys_assets.segments import engine
from responsys_assets.segments.consent import Exclusions

_NO_SHAPE = {"guard", "when_unchanged"}
_DETAILS = {
    "enclosure": "a value holds the delimiter or a newline, which enclosure: none cannot express; "
    "set enclosure: '\"' or another delimiter and plan again",
    "charset": "a value holds a character that the charset {charset} lacks; "
    "set charset: utf-8 and plan again",
}


def plan(project: Project, lake: Lake, name: str, progress: Progress = SILENT) -> DeliveryResult:
    """Make the plan of a delivery, or return the one that its inputs already have.

    Raises:
        ConfigError: if the delivery does not fit the columns of its source.
        DeliveryError: if its segment is older than what it is made from.
        ResponsysError: if a suppression file or a recipient's key cannot be read.
    """
    delivery_config(project, name)
    with lake.writing(progress.say):
        plans = Plans(project, lake, name)
        source = read_source(project, lake, name)
        waiting = plans.waiting()
        if waiting is not None and waiting.inputs_digest == source.digest:
            return plans.result(waiting)
        if waiting is not None and plans.journal(waiting).started:
            settle(plans, waiting)
            source = read_source(project, lake, name)
        if source.base is not None and source.was_delivered():
            return plans.result(source.base, "unchanged")
        with progress.step(f"plan {name}", source.snapshot.rows, "rows") as advance:
            made = _Draft(project, lake, name, source).publish(plans)
            advance(source.snapshot.rows)
        for old in plans.superseded_by(made):
            plans.remove(old)
        return plans.result(made)


@dataclass(frozen=True)
class _File:
    """A file to be written: its name, its kind (None: all rows) and its columns."""

    name: str
    kind: Kind | None
    columns: Sequence[str]


class _Draft:
    """A plan under construction."""

    def __init__(self, project: Project, lake: Lake, name: str, source: Source) -> None:
        self._project = project
        self._lake = lake
        self._name = name
        self._source = source
        self._delivery: Delivery = delivery_config(project, name)
        self._now = project.now()
        before = source.base.manifest["seq"] if source.base else 0
        self._seq = int(before) + 1

    def publish(self, plans: Plans) -> Snapshot:
        source = self._source
        exclusions = source.exclusions(self._project)
        with self._lake.workspace() as work:
            folder = work.folder("plan")
            try:
                counts, said = self._compare(work, folder, exclusions)
            except duckdb.Error as error:
                raise engine.fault(f"cannot plan delivery {self._name}", error) from None
            return plans.store.publish(
                work,
                folder,
                inputs=source.inputs,
                rows=counts.rows,
                now=self._now,
                extra={**self._description(counts), **said},
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
        files = self._files(counts)
        if not files or self._nothing_new(comparison, counts):
            (folder / ROWS).unlink()
            return _verdict("unchanged", [])
        try:
            written = self._write(work, files, comparison)
        except UnrenderableError as error:
            for path in (folder / "files").iterdir():
                path.unlink()
            detail = _DETAILS[error.reason].format(charset=self._delivery.charset)
            return _verdict("held", [], error.reason, detail)
        minded = tripped(
            self._delivery.guard,
            rows=counts.rows,
            added=counts.added,
            removed=counts.removed,
            delivered=self._source.base.rows if self._source.base else None,
        )
        if not minded:
            return _verdict("planned", written)
        advice = (
            f"look at the plan, then let it go with `responsys apply {self._name} --release`, "
            "or mend what changed upstream"
        )
        detail = f"the guard holds this delivery: {'; '.join(minded)}; {advice}"
        return _verdict("held", written, "guard", detail, releasable=True)

    def _nothing_new(self, comparison: Comparison, counts: Counts) -> bool:
        if self._source.base is None or self._delivery.when_unchanged == "send":
            return False
        same_shape = self._source.base.manifest["shape"] == self._shape()
        if self._delivery.mode == "changes":
            return not counts.any_change
        return same_shape and comparison.same_columns and not counts.any_change

    def _shape(self) -> dict[str, Any]:
        """What the receiver would notice, were it different: all but guard and when_unchanged."""
        return self._delivery.model_dump(mode="json", exclude=_NO_SHAPE)

    def _files(self, counts: Counts) -> list[_File]:
        moment = self._now.astimezone(self._project.zone)
        pattern, names = self._delivery.file, self._source.names
        if self._delivery.mode == "full":
            return [_File(pattern.render(moment, seq=self._seq), None, names)]
        if not pattern.has("change"):
            if not counts.any_change and self._source.base is None:
                return []
            return [_File(pattern.render(moment, seq=self._seq), None, [*names, CHANGE])]
        return [
            _File(pattern.render(moment, change=kind, seq=self._seq), kind, names)
            for kind in KINDS
            if counts.of(kind)
        ]

    def _write(
        self, work: Workspace, files: Sequence[_File], comparison: Comparison
    ) -> list[dict[str, Any]]:
        folder = work.folder("plan/files")
        described = []
        for file in files:
            target = folder / file.name
            batches = self._batches(file, comparison)
            written = write_file(self._project, self._delivery, target, file.columns, batches)
            ready = None
            if self._delivery.ready != "none":
                ready = file.name + self._delivery.ready.suffix
                count = str(written.rows) if self._delivery.ready.count else ""
                (folder / ready).write_text(count)
            described.append(
                {
                    "name": file.name,
                    "kind": file.kind or "all",
                    "rows": written.rows,
                    "content_sha256": written.sha256,
                    "ready": ready,
                }
            )
        return described

    def _batches(self, file: _File, comparison: Comparison) -> Iterator[pl.DataFrame]:
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
            "seq": self._seq,
            "columns": [[*pair] for pair in columns],
            "shape": self._shape(),
            "to": {"server": self._delivery.to, "folder": self._delivery.folder},
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
