"""`responsys exports`: what became of each export, and what a person decides about one."""

from __future__ import annotations

import getpass
import os
from typing import Any, cast

import click
from rich.console import Console

from responsys_assets.commands.cli import Command, Reply, State, known_name, lake_of, pass_state
from responsys_assets.commands.terminal import table
from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.receipts import Action, Verdict

_NEXT = {
    "accept": "the next sync takes it as it is",
    "retry": "the next sync stages it again",
    "withdraw": "the next sync leaves it out of the profiles; opt-outs in it stay",
}
_APPLIES = {
    "accept": ("held", "withdrawn"),
    "retry": ("held", "failed", "staged", "withdrawn"),
    "withdraw": ("staged", "held", "failed", "fetched"),
}


@click.command("exports", cls=Command)
@click.argument("list_name", metavar="LIST")
@click.argument(
    "action", metavar="[accept|retry|withdraw", required=False, type=click.Choice([*_NEXT])
)
@click.argument("file", metavar="FILE]", required=False)
@click.option("--why", metavar="TEXT", help="The reason, kept with the decision.")
@pass_state
def exports_command(
    state: State, list_name: str, action: str | None, file: str | None, why: str | None
) -> Reply:
    """Exports of a list and their states; or accept, retry or withdraw one of them.

    FILE is the name of the data file. The decision is kept as a receipt: who, when, why.
    """
    project = state.project()
    known_name("list", list_name, [*project.config.lists])
    if action is None:
        return _listing(project, list_name)
    if file is None or not why or not why.strip():
        raise ConfigError("usage", f"{action} needs the name of a file and --why TEXT")
    return _decide(project, list_name, cast("Action", action), file, why.strip())


def export_json(export: Export) -> dict[str, Any]:
    """An export as `exports`, `status` and `demo` show it."""
    outcome = export.outcome
    return {
        "file": export.file,
        "state": export.state,
        "reason": export.latest.reason if export.latest else None,
        "detail": export.detail,
        "refused": export.refused.state if export.refused else None,
        "records": outcome.records if outcome else 0,
        "staged": outcome.staged if outcome else 0,
        "rejected": outcome.rejected if outcome else 0,
        "blank": outcome.blank if outcome else 0,
        "unidentified": outcome.unidentified if outcome else 0,
        "kind": export.kind,
        "day": export.day.isoformat(),
        "stamp": export.stamp.isoformat(),
        "size": export.arrival.data.size,
        "sha256": export.sha256,
        "rejected_by_reason": outcome.rejected_by_reason if outcome else {},
        "new_columns": list(outcome.new_columns) if outcome else [],
        "verdicts": [
            {"action": v.action, "who": v.who, "when": v.when.isoformat(), "why": v.why}
            for v in export.verdicts
        ],
    }


def exports_table(exports: list[Export], title: str = "") -> Any:
    """Exports, one a line."""
    rows = [
        (
            export.file,
            export.stamp,
            export.kind,
            export.state,
            export.outcome.records if export.outcome else None,
            export.outcome.staged if export.outcome else None,
            export.outcome.rejected if export.outcome else None,
            _remark(export),
        )
        for export in exports
    ]
    headers = ("export", "stamp", "kind", "state", "records", "staged", "rejected", "why")
    return table(headers, rows, title)


def _remark(export: Export) -> str:
    verdict = export.last_verdict
    said = f"{verdict.action} by {verdict.who}: {verdict.why}" if verdict else ""
    found = export.detail or (export.latest.reason if export.latest else "") or ""
    return "; ".join(part for part in (found, said) if part)


def _listing(project: Project, list_name: str) -> Reply:
    exports = read_exports(lake_of(project), list_name)

    def show(console: Console) -> None:
        if exports:
            console.print(exports_table(exports))
        else:
            console.print(f"No export of {list_name} was taken yet; run sync.")

    return Reply({"list": list_name, "exports": [export_json(e) for e in exports]}, show)


def _decide(project: Project, list_name: str, action: Action, file: str, why: str) -> Reply:
    lake = lake_of(project)
    with lake.writing():
        export = _named(read_exports(lake, list_name), list_name, action, file)
        verdict = Verdict(
            export_id=export.export_id, action=action, who=_user(), when=project.now(), why=why
        )
        number = len(list(export.folder.glob("*.verdict.json"))) + 1
        path = export.folder / f"{number:04d}.verdict.json"
        with lake.workspace() as workspace:
            verdict.write(workspace, path)
    document = {
        "list": list_name,
        "file": file,
        "export_id": export.export_id,
        "was": export.state,
        "action": action,
        "who": verdict.who,
        "when": verdict.when.isoformat(),
        "why": why,
        "receipt": str(path),
    }
    return Reply(document, lambda console: console.print(f"{file}: {action}; {_NEXT[action]}."))


def _named(exports: list[Export], list_name: str, action: Action, file: str) -> Export:
    """The newest export of that file name to which the decision applies.

    Raises:
        ConfigError: with the names that are known, or the state that forbids it.
    """
    named = [e for e in exports if any(a.data.name == file for a in e.arrivals)]
    if not named:
        known = ", ".join(dict.fromkeys(e.file for e in exports)) or "(none)"
        raise ConfigError(
            "unknown_file", f"list {list_name} has no export {file}; its exports are {known}"
        )
    for export in reversed(named):
        if export.state in _APPLIES[action]:
            return export
    allowed = " or ".join(_APPLIES[action])
    raise ConfigError(
        "not_applicable", f"{file} is {named[-1].state}; {action} is for one that is {allowed}"
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for this user
        return str(os.getuid())
