"""`responsys rejects`: the quarantine of a list."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import click
import pyarrow.parquet as pq
from rich.console import Console

from responsys_assets.commands.cli import (
    Command,
    Reply,
    State,
    known_name,
    lake_of,
    pass_state,
    user_name,
)
from responsys_assets.commands.terminal import table
from responsys_assets.config.project import Project
from responsys_assets.consent.entries import Settled, note
from responsys_assets.errors import ConfigError
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.staged.columns import RECORD

_SHOWN = 500  # a terminal is no place for more; --json gives all
_FIELDS = ("record", "byte", "line", "reason", "column", "detail")


@click.command("rejects", cls=Command)
@click.argument("list_name", metavar="LIST")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="Only this day's exports.")
@click.option("--raw", is_flag=True, help="Also the records' text: personal data.")
@click.option("--settle", metavar="FILE", help="Stop counting FILE's rejects as opt-outs.")
@click.option("--record", "records", type=int, multiple=True, help="Settle only this record.")
@click.option("--why", metavar="TEXT", help="The reason, kept with the decision.")
@pass_state
def rejects_command(
    state: State,
    list_name: str,
    *,
    day: dt.datetime | None,
    raw: bool,
    settle: str | None,
    records: tuple[int, ...],
    why: str | None,
) -> Reply:
    """Rejected records with reason, record, byte and line.

    A rejected record that may have been an opt-out counts as one, and closes the addresses in it.
    --settle ends that, once you know what the record says. It is kept as a receipt.
    """
    project = state.project()
    known_name("list", list_name, [*project.config.lists])
    if settle is not None:
        return _settle(project, list_name, settle, records, (why or "").strip())
    if records or why:
        raise ConfigError("usage", "--record and --why go with --settle FILE")
    charset = project.list_config(list_name).charset
    rejects = [
        reject
        for export in read_exports(lake_of(project), list_name)
        if (day is None or export.day == day.date()) and export.rejects_of(export.latest).exists()
        for reject in _rejects(export, charset if raw else None)
    ]

    def show(console: Console) -> None:
        if not rejects:
            console.print(f"No record of {list_name} is in quarantine.")
            return
        headers = ("file", *_FIELDS, *(("raw",) if raw else ()))
        rows = [[reject[header] for header in headers] for reject in rejects[:_SHOWN]]
        console.print(table(headers, rows))
        if len(rejects) > _SHOWN:
            console.print(f"... and {len(rejects) - _SHOWN:,} more; --json gives all.")

    return Reply({"list": list_name, "rejects": rejects}, show)


def _settle(
    project: Project, list_name: str, file: str, records: tuple[int, ...], why: str
) -> Reply:
    if not why:
        raise ConfigError("usage", "--settle needs --why TEXT")
    lake = lake_of(project)
    with lake.writing():
        exports = read_exports(lake, list_name)
        named = [e for e in exports if any(a.data.name == file for a in e.arrivals) and e.accepted]
        if not named:
            raise ConfigError(
                "unknown_file",
                f"list {list_name} has no accepted export {file}; see `responsys exports "
                f"{list_name}`",
            )
        _require_rejects(named[-1], file, records)
        decision = Settled(
            export_id=named[-1].export_id,
            records=records,
            who=user_name(),
            when=project.now(),
            why=why,
        )
        path = note(lake, list_name, decision)
    what = f"records {', '.join(map(str, records))}" if records else "its rejected records"
    document = {
        "list": list_name,
        "file": file,
        "records": [*records],
        "who": decision.who,
        "when": decision.when.isoformat(),
        "why": why,
        "receipt": str(path),
    }
    said = f"{file}: {what} no longer count as opt-outs from the next sync on."
    return Reply(document, lambda console: console.print(said))


def _require_rejects(export: Export, file: str, records: tuple[int, ...]) -> None:
    """Raises ConfigError unless the export has these rejected records, or any if none is named."""
    rejected: set[int] = set()
    for path, column in ((export.rejects, "record"), (export.holds, RECORD)):
        if path.exists():
            rejected |= {*pq.read_table(path, columns=[column])[column].to_pylist()}
    unknown = sorted({*records} - rejected)
    if not rejected or unknown:
        which = f"rejected record {unknown[0]}" if unknown else "rejected records"
        raise ConfigError(
            "unknown_record",
            f"{file} has no {which}; see `responsys rejects {export.list_name}`",
        )


def _rejects(export: Export, charset: str | None) -> Iterator[dict[str, Any]]:
    columns = [*_FIELDS, *(["raw"] if charset else [])]
    for row in pq.read_table(export.rejects_of(export.latest), columns=columns).to_pylist():
        if charset:
            row["raw"] = row["raw"].decode(charset, "replace")
        yield {"file": export.file, "day": export.day.isoformat(), "state": export.state, **row}
