"""Staging one export: read it to its end, judge it, and only then publish anything of it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa

from responsys_assets.config.models import ProfileList
from responsys_assets.config.project import Project
from responsys_assets.errors import ExportError, LakeError, PgpError
from responsys_assets.lake.exports import Export, drop_superseded, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.parquet import ParquetFile
from responsys_assets.lake.publish import Workspace, disk_errors
from responsys_assets.lake.receipts import Outcome
from responsys_assets.lake.settings import changed_settings, keep_settings
from responsys_assets.normalise import rules
from responsys_assets.pgp.decrypt import decrypting
from responsys_assets.progress import Advance, Progress
from responsys_assets.staged.before import Before, Drift, before
from responsys_assets.staged.blocks import Block, read_blocks
from responsys_assets.staged.charset import Charset
from responsys_assets.staged.columns import Layout, layout_of
from responsys_assets.staged.content import Readable
from responsys_assets.staged.guesses import Guesses
from responsys_assets.staged.header import dialect_of, read_header
from responsys_assets.staged.held import HeldError
from responsys_assets.staged.intake import Intake, Position
from responsys_assets.staged.judge import ACCEPTABLE, Tally, judge
from responsys_assets.staged.quarantine import Quarantine
from responsys_assets.staged.reading import Reading, latest_time
from responsys_assets.staged.runs import in_runs, row_groups
from responsys_assets.staged.times import DAY, resolution, says_zone
from responsys_assets.threads import Behind, ahead

_BLOCKS_AHEAD = 2

# not the export's fault: mended here, after which the next sync stages it
_OURS = frozenset(
    {
        *("key_missing", "key_damaged", "wrong_passphrase"),
        *("gpg_missing", "gpg_stalled", "gpg_failed"),
    }
)


def stage(project: Project, lake: Lake, export: Export, progress: Progress) -> Outcome:
    """Check an export and publish what it holds; the receipt says what became of it.

    Idempotent: an export that was judged under today's settings and evidence is left alone.

    Raises:
        LakeError: if the lake cannot be written; then there is no receipt.
        PgpError: if our own key or gpg is missing or not usable; then there is no receipt.
        ConfigError: for a character set that cannot be read.
    """
    settings = project.staging_settings(export.list_name)
    if export.latest is not None and not export.needs_staging(settings):
        return export.latest
    with lake.writing(progress.say), lake.workspace() as workspace:
        return _Staging(project, lake, export, progress, workspace).run()


@dataclass(frozen=True)
class _Staged:
    """What was read, in files of the workspace that are not published yet."""

    tally: Tally
    layout: Layout
    drift: Drift
    parquet_sha256: str
    rejects_sha256: str | None
    holds_sha256: str | None


class _Staging:
    """One export on its way through."""

    def __init__(
        self,
        project: Project,
        lake: Lake,
        export: Export,
        progress: Progress,
        workspace: Workspace,
    ) -> None:
        self._project, self._lake, self._export = project, lake, export
        self._progress, self._workspace = progress, workspace
        self._source = project.list_config(export.list_name)
        self._parquet = workspace.file("staged.parquet")
        self._rejects = workspace.file("rejects.parquet")
        self._holds = workspace.file("holds.parquet")

    def run(self) -> Outcome:
        """Read, judge, publish."""
        if not self._export.ciphertext.exists():
            return self._refused(
                ExportError("ciphertext_pruned", "its file was pruned and cannot be read again")
            )
        read: _Staged | None = None
        try:
            read = self._read()
            judge(read.tally, self._export, self._source, before=self._before, drift=read.drift)
        except PgpError as error:
            if error.code in _OURS:
                raise
            return self._refused(error)
        except ExportError as error:
            return self._refused(error, read)
        return self._accepted(read)

    def _read(self) -> _Staged:
        """Everything up to the verdict on the whole message."""
        problem: ExportError | None = None
        with _opened(self._project, self._export, self._source) as (stream, finish):
            try:
                read = self._consume(stream)
            except ExportError as error:
                problem = error
            except (pl.exceptions.PolarsError, pa.ArrowException):
                # their texts hold values
                raise LakeError(
                    "engine",
                    "reading failed inside the engine, which is a bug of this program; "
                    "report it with the versions of polars and pyarrow",
                    file=self._export.file,
                ) from None
            finish()
        if problem is not None:
            raise problem
        return read

    def _consume(self, stream: Readable) -> _Staged:
        export, source = self._export, self._source
        total = None if source.encrypted else export.ciphertext.stat().st_size
        label = f"staging {export.list_name} {export.file}"
        charset = Charset(source.charset)
        with (
            self._progress.step(label, total) as advance,
            contextlib.closing(ahead(read_blocks(stream, charset), _BLOCKS_AHEAD)) as blocks,
            contextlib.ExitStack() as stack,
        ):
            first = next(blocks)
            reading, first, position = self._begin(first, charset)
            guesses = Guesses(self._workspace.file("guesses.parquet"), reading.layout)
            quarantine = Quarantine(self._rejects, self._holds, guesses)
            stack.callback(quarantine.abandon)
            parquet = ParquetFile(self._parquet, reading.schema, reading.layout.key_names)
            stack.callback(parquet.abandon)
            intake = Intake(reading, quarantine, position)
            with Behind(parquet.write) as writer, Behind(_sorting(reading, writer)) as sorter:
                told = _telling(itertools.chain([first], blocks), advance)
                for run in in_runs(intake.batches(told)):
                    sorter.put(run)
            digest = parquet.close()
            quarantine.settle([self._parquet, *self._before.rows])
            intake.tally.unidentified = quarantine.unidentified
            rejects, holds = quarantine.close()
            drift = self._before.drift([column.name for column in reading.layout.columns])
            return _Staged(intake.tally, reading.layout, drift, digest, rejects, holds)

    def _begin(self, first: Block, charset: Charset) -> tuple[Reading, Block, Position]:
        """What the first block says about the file, and where its records begin."""
        export, source = self._export, self._source
        head = first.text.tobytes()
        dialect = dialect_of(head, source.separator, quoted=source.enclosure == '"')
        names, blank, begin = [*source.columns], 0, 0
        if source.header:
            names, blank, begin = read_header(head, dialect)
        project = self._project
        match_on = project.config.profiles.match_columns
        layout = layout_of(names, source, match_on, project.country)
        reading = Reading(
            source,
            layout,
            dialect,
            charset,
            project.zone,
            export.file,
            export.stamp,
            until=latest_time(export, source),
        )
        position = Position(
            byte=first.skipped + int(charset.offsets(first.text, np.array([begin], np.int32))[0]),
            line=1 + head.count(bytes([dialect.newline]), 0, begin),
            blank=blank,
        )
        return reading, replace(first, text=first.text[begin:]), position

    def _accepted(self, read: _Staged) -> Outcome:
        columns = tuple((column.name, column.kind) for column in read.layout.columns)
        outcome = self._outcome("staged", None, read.tally.remark).model_copy(
            update={
                **_counts(read.tally),
                "staged": read.tally.staged,
                **self._times(read.layout),
                "odd_permissions": read.tally.odd_permissions.total(),
                "columns": columns,
                **read.drift.told,
                "parquet_sha256": read.parquet_sha256,
                "holds_sha256": read.holds_sha256,
                "rejects_sha256": read.rejects_sha256,
            }
        )
        return self._publish(outcome)

    def _refused(self, error: ExportError | PgpError, read: _Staged | None = None) -> Outcome:
        """Held or failed: nothing is staged; what was rejected can be looked at."""
        state: Literal["held", "failed"] = "held" if isinstance(error, HeldError) else "failed"
        detail = f"{error.message}; {self._advice(error.code)}"
        outcome = self._outcome(state, error.code, detail)
        if read is not None:
            outcome = outcome.model_copy(
                update={
                    **_counts(read.tally),
                    **read.drift.told,
                    "rejects_sha256": read.rejects_sha256,
                }
            )
        return self._publish(outcome)

    def _advice(self, code: str) -> str:
        """What a person may do about a reading that is not accepted."""
        export = self._export
        command = f"`responsys exports {export.list_name}`"
        if export.accepted and export.outcome:
            digest = export.outcome.settings
            changed = changed_settings(self._project, self._lake, export.list_name, digest)
            edit = f" ({', '.join(sorted(changed))})" if changed else ""
            also = f", or accept this reading with {command}" if code in ACCEPTABLE else ""
            return f"undo the edit of the settings{edit}{also}"
        what = "accept, retry or withdraw" if code in ACCEPTABLE else "retry or withdraw"
        return f"{what} it with {command}"

    def _publish(self, outcome: Outcome) -> Outcome:
        """The files under names of their own, then the receipt: until it is there, the receipt
        of an earlier reading holds, and so do the files that it names.

        What was accepted stays in force: a reading that is not accepted only stands beside it.
        """
        if outcome.state != "staged" and self._export.accepted:
            read = replace(self._export, refused=outcome)
            receipt, files = read.refused_receipt, {}
        else:
            read = replace(self._export, outcome=outcome, refused=None)
            receipt = read.receipt
            files = {read.holds: self._holds, read.parquet: self._parquet}
        for target, source in {read.rejects_of(outcome): self._rejects, **files}.items():
            if target in read.named:
                self._workspace.publish_file(source, target)
        keep_settings(self._project, self._lake, self._workspace, self._export.list_name)
        outcome.write(self._workspace, receipt)
        drop_superseded([read])
        return outcome

    def _times(self, layout: Layout) -> dict[str, Any]:
        """What the receipt says of the times of update: see `Outcome`."""
        if layout.updated_at is None:
            return {}
        form = self._source.timestamp_format
        dates = layout.columns[layout.updated_at].kind == "date"
        zone = None if says_zone(form) and not dates else self._project.config.account.timezone
        return {"zone": zone, "resolution": DAY if dates else resolution(form)}

    def _outcome(
        self, state: Literal["staged", "held", "failed"], reason: str | None, detail: str | None
    ) -> Outcome:
        export = self._export
        return Outcome(
            list=export.list_name,
            file=export.file,
            export_id=export.export_id,
            state=state,
            reason=reason,
            detail=detail,
            settings=self._project.staging_settings(export.list_name),
            evidence=export.evidence,
            edition=export.next_edition,
            match_on=self._project.config.profiles.match_columns,
            spelling=rules(self._project.country),
            decided_at=self._project.now(),
        )

    @cached_property
    def _before(self) -> Before:
        return before(self._export, read_exports(self._lake, self._export.list_name))


def _counts(tally: Tally) -> dict[str, Any]:
    return {
        "records": tally.records,
        "rejected": tally.rejected,
        "blank": tally.blank,
        "unidentified": tally.unidentified,
        "rejected_by_reason": dict(sorted(tally.reasons.items())),
    }


@contextmanager
def _opened(
    project: Project, export: Export, source: ProfileList
) -> Iterator[tuple[Readable, Callable[[], None]]]:
    """The content of an export, and what to call once it was read."""
    if source.encrypted:
        with decrypting(project, export.ciphertext) as message:
            yield message, message.finish
    else:
        with disk_errors(f"cannot read {export.file}"):
            file = export.ciphertext.open("rb", buffering=0)
        with file:
            yield file, lambda: None


def _telling(blocks: Iterable[Block], advance: Advance) -> Iterator[Block]:
    for block in blocks:
        yield block
        advance(block.size)


def _sorting(reading: Reading, writer: Behind[pa.Table]) -> Callable[[pa.Table], None]:
    def hand_on(run: pa.Table) -> None:
        for group in row_groups(run, reading.layout.key_names):
            writer.put(group)

    return hand_on
