"""Recording: accepted readings become entries of the ledger, each once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from responsys_assets.consent.entries import Entry, entry_of, reading_of
from responsys_assets.errors import LakeError
from responsys_assets.lake.exports import Export
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.parquet import ParquetFile
from responsys_assets.lake.publish import Workspace, disk_errors
from responsys_assets.lake.receipts import Outcome
from responsys_assets.staged.columns import KEY_PART, PERMISSIONS, RECORD, UPDATED_US
from responsys_assets.system_columns import CHANNELS, IDENTIFYING, PERMISSION_COLUMNS


def record_all(
    lake: Lake,
    exports: Iterable[Export],
    now: Callable[[], dt.datetime],
    *,
    if_readable: bool = False,
) -> int:
    """Record the accepted readings of a list that are not in the ledger yet; returns how many.

    A list whose exports have no permission column says nothing of consent and has no ledger.
    `if_readable` leaves out readings whose staged file is lost, for they are to be read anew.

    Raises:
        LakeError: if a staged file is missing or the lake cannot be written.
    """
    known = [*exports]
    if not speaking(lake, known):
        return 0
    count = 0
    for export in known:
        outcome = export.outcome
        if outcome is None or outcome.state != "staged":
            continue
        if entry_of(lake, export, outcome).exists():
            continue
        if export.withdrawn and not export.parquet.is_file():
            continue
        try:
            with lake.workspace() as workspace, _readable(export):
                _record(lake, workspace, export, outcome, now())
        except LakeError as error:
            if not if_readable or error.code not in ("staged_missing", "staged_unreadable"):
                raise
        else:
            count += 1
    return count


@contextmanager
def _readable(export: Export) -> Iterator[None]:
    """A staged file that cannot be read in our own words: the engine's may hold records."""
    try:
        yield
    except (OSError, pa.ArrowException):
        raise LakeError(
            "staged_unreadable",
            f"a staged file of {export.file} cannot be read, so what it says of consent is not "
            f"known; {export.remedy}",
            file=str(export.parquet),
        ) from None


def speaking(lake: Lake, exports: Sequence[Export]) -> bool:
    """Whether a list says anything of consent, now or earlier; these are its exports."""
    return any(
        lake.consent(export.list_name).is_dir()
        or (
            export.outcome is not None
            and export.outcome.state == "staged"
            and not PERMISSION_COLUMNS.isdisjoint(name for name, _ in export.outcome.columns)
        )
        for export in exports
    )


def unrecorded(lake: Lake, exports: Sequence[Export]) -> list[tuple[Export, Path]]:
    """The accepted exports of a list that have no entry, each with the receipt that is missing."""
    if not speaking(lake, exports):
        return []
    accepted = [(export, export.outcome) for export in exports if export.accepted]
    entries = [(e, entry_of(lake, e, outcome)) for e, outcome in accepted if outcome]
    return [(export, path) for export, path in entries if not path.exists()]


def _record(
    lake: Lake, workspace: Workspace, export: Export, outcome: Outcome, now: dt.datetime
) -> None:
    """The files of an entry, then its receipt."""
    for path, sha256 in (
        (export.parquet, outcome.parquet_sha256),
        (export.holds, outcome.holds_sha256),
    ):
        if sha256 and not path.is_file():
            raise LakeError(
                "staged_missing",
                f"the staged file of {export.file} is gone, and what it says of consent is not in "
                "the ledger yet; restore it from a backup of the lake",
                file=str(path),
            )
    part = workspace.file("statements.parquet")
    channels = _channels([name for name, _ in outcome.columns])
    opted_in = dict.fromkeys(channels, 0)
    opted_out = dict.fromkeys(channels, 0)
    with pq.ParquetFile(export.parquet) as staged:
        columns = _columns(staged.schema_arrow.names, outcome.match_on or ())
        schema = pa.schema([staged.schema_arrow.field(name) for name in columns])
        keys = [name for name in columns if name.startswith(KEY_PART)]
        statements = ParquetFile(part, schema, keys)
        try:
            for number in range(staged.num_row_groups):
                group = staged.read_row_group(number, columns=columns)
                statements.write(group.cast(schema))
                _count(pl.Series(group[PERMISSIONS]), opted_in, opted_out)
            sha256 = statements.close()
        finally:
            statements.abandon()
        rows = staged.metadata.num_rows
    entry = Entry(
        list=export.list_name,
        file=export.file,
        export_id=export.export_id,
        reading=reading_of(outcome),
        kind=export.kind,
        stamp=export.stamp,
        mtime=export.mtime,
        sha256=export.sha256,
        match_on=outcome.match_on,
        spelling=outcome.spelling,
        zone=outcome.zone,
        resolution=outcome.resolution,
        rows=rows,
        opted_in=opted_in,
        opted_out=opted_out,
        statements_sha256=sha256,
        claims_sha256=outcome.holds_sha256,
        recorded_at=now,
    )
    workspace.publish_file(part, entry.statements(lake))
    claims = entry.claims(lake)
    if claims is not None:
        with disk_errors(f"cannot read {export.holds.name}"):
            content = export.holds.read_bytes()
        workspace.publish_bytes(content, claims)
    entry.write(workspace, entry.receipt(lake))


def _columns(names: Sequence[str], match_on: Sequence[str]) -> list[str]:
    """What of the staged columns is recorded: what identifies or reaches a person.

    A match column is recorded as the key that was made of it.
    """
    wanted = {RECORD, UPDATED_US, PERMISSIONS, *IDENTIFYING}
    for name in _channels(names):
        wanted |= {*CHANNELS[name].address_parts}
    wanted -= {*match_on}
    return [name for name in names if name in wanted or name.startswith(KEY_PART)]


def _channels(names: Sequence[str]) -> list[str]:
    """The channels of which columns say anything."""
    return [channel.name for channel in CHANNELS.values() if channel.permission in names]


def _count(permissions: pl.Series, opted_in: dict[str, int], opted_out: dict[str, int]) -> None:
    for name in opted_in:
        opted_in[name] += int((permissions & CHANNELS[name].opted_in != 0).sum())
        opted_out[name] += int((permissions & CHANNELS[name].opted_out != 0).sum())
