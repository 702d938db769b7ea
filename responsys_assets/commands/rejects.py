"""`responsys rejects`: the quarantine of a list."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import click
import pyarrow.parquet as pq
from rich.console import Console

from responsys_assets.commands.cli import Command, Reply, State, known_name, lake_of, pass_state
from responsys_assets.commands.terminal import table
from responsys_assets.lake.exports import Export, read_exports

_SHOWN = 500  # a terminal is no place for more; --json gives all
_FIELDS = ("record", "byte", "line", "reason", "column", "detail")


@click.command("rejects", cls=Command)
@click.argument("list_name", metavar="LIST")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="Only this day's exports.")
@click.option("--raw", is_flag=True, help="Also the records' text: personal data.")
@pass_state
def rejects_command(state: State, list_name: str, day: dt.datetime | None, raw: bool) -> Reply:
    """Rejected records with reason, record, byte and line."""
    project = state.project()
    known_name("list", list_name, [*project.config.lists])
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


def _rejects(export: Export, charset: str | None) -> Iterator[dict[str, Any]]:
    columns = [*_FIELDS, *(["raw"] if charset else [])]
    for row in pq.read_table(export.rejects_of(export.latest), columns=columns).to_pylist():
        if charset:
            row["raw"] = row["raw"].decode(charset, "replace")
        yield {"file": export.file, "day": export.day.isoformat(), "state": export.state, **row}
