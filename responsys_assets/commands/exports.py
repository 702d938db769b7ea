"""`responsys exports`: what became of each export, and what a person decides about one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import click
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
from responsys_assets.consent.entries import Forgotten, ledger_lists, note
from responsys_assets.errors import ConfigError
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.receipts import Action, Outcome, Verdict
from responsys_assets.lake.retention import list_names

if TYPE_CHECKING:  # it brings the engines
    from responsys_assets.ingest import ExportReport

_NEXT = {
    "accept": "accepted; the next sync takes it as it is",
    "retry": "to be read again by the next sync",
    "withdraw": "withdrawn; the next sync leaves its rows out of the profiles. Its opt-outs stay "
    "(--opt-outs drops them, too)",
    "forget": "forgotten; the next sync drops its opt-ins and opt-outs",
}
_ALL_OF_IT = "withdrawn; the next sync drops its rows, opt-ins and opt-outs"
_APPLIES = {
    "accept": ("held", "withdrawn"),
    "retry": ("held", "failed", "staged", "withdrawn"),
    "withdraw": ("staged", "held", "failed", "fetched"),
}


@click.command("exports", cls=Command)
@click.argument("list_name", metavar="LIST")
@click.argument(
    "action", metavar="[accept|retry|withdraw|forget]", required=False, type=click.Choice([*_NEXT])
)
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--why", metavar="TEXT", help="The reason, kept with the decision.")
@click.option("--opt-outs", is_flag=True, help="With withdraw: drop its opt-outs, too.")
@pass_state
def exports_command(
    state: State,
    list_name: str,
    action: str | None,
    file: str | None,
    why: str | None,
    opt_outs: bool,
) -> Reply:
    """Exports of a list and their states; or a decision about one of them.

    accept FILE takes a held export as it is. retry FILE reads it again. withdraw FILE removes
    its rows from the profiles and keeps its opt-outs. forget (no FILE) drops every opt-in and
    opt-out of a list that is no longer in the configuration. FILE is the name of the data file.
    The decision is kept as a receipt: who, when, why.
    """
    project = state.project()
    known = [*project.config.lists, *list_names(lake_of(project)), *ledger_lists(lake_of(project))]
    known_name("list", list_name, [*dict.fromkeys(known)])
    if action is None:
        return _listing(project, list_name)
    if opt_outs and action != "withdraw":
        raise ConfigError("usage", f"--opt-outs is for withdraw, not for {action}")
    if not why or not why.strip():
        raise ConfigError("usage", f"{action} needs --why TEXT")
    if action == "forget":
        if file is not None:
            raise ConfigError(
                "usage",
                "forget takes no FILE: it takes back all that the list said; for one export use "
                f"`responsys exports {list_name} withdraw {file} --opt-outs`",
            )
        return _forget(project, list_name, why.strip())
    if file is None:
        raise ConfigError("usage", f"{action} needs the name of a file and --why TEXT")
    return _decide(project, list_name, cast("Action", action), file, why.strip(), opt_outs=opt_outs)


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
        "gone_columns": list(outcome.gone_columns) if outcome else [],
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


def show_columns(console: Console, list_name: str, newest: Outcome | ExportReport | None) -> None:
    """A line on the columns that the newest export of a list has anew, or has no more."""
    if newest is None:
        return
    told = {"new": newest.new_columns, "gone": newest.gone_columns}
    found = [f"{what} columns {', '.join(names)}" for what, names in told.items() if names]
    if found:
        console.print(f"List {list_name}, {newest.file}: {'; '.join(found)}.")


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
            show_columns(console, list_name, exports[-1].outcome)
        else:
            console.print(f"No export of {list_name} was taken yet; run sync.")

    return Reply({"list": list_name, "exports": [export_json(e) for e in exports]}, show)


def _forget(project: Project, list_name: str, why: str) -> Reply:
    if list_name in project.config.lists:
        raise ConfigError(
            "not_applicable",
            f"list {list_name} is in the configuration, so what it says counts; remove it there "
            "first, or take back a single export with `withdraw FILE --opt-outs`",
        )
    lake = lake_of(project)
    decision = Forgotten(who=user_name(), when=project.now(), why=why)
    with lake.writing():
        path = note(lake, list_name, decision)
    document = {
        "list": list_name,
        "action": "forget",
        "who": decision.who,
        "when": decision.when.isoformat(),
        "why": why,
        "receipt": str(path),
    }
    return Reply(document, lambda console: console.print(f"{list_name}: {_NEXT['forget']}."))


def _decide(
    project: Project, list_name: str, action: Action, file: str, why: str, *, opt_outs: bool
) -> Reply:
    lake = lake_of(project)
    with lake.writing():
        # what was withdrawn may still say something of consent
        states = (*_APPLIES[action], *(("withdrawn",) if opt_outs else ()))
        export = _named(read_exports(lake, list_name), list_name, action, file, states)
        verdict = Verdict(
            export_id=export.export_id,
            action=action,
            who=user_name(),
            when=project.now(),
            why=why,
            opt_outs=opt_outs,
        )
        given = [int(path.name[:4]) for path in export.folder.glob("*.verdict.json")]
        number = max(given, default=0) + 1
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
        "opt_outs": opt_outs,
        "receipt": str(path),
    }
    then = _ALL_OF_IT if opt_outs else _NEXT[action]
    return Reply(document, lambda console: console.print(f"{file}: {then}."))


def _named(
    exports: list[Export], list_name: str, action: Action, file: str, states: tuple[str, ...]
) -> Export:
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
        refused = action == "accept" and export.waits_for_person  # a newer reading of it
        if export.state in states or refused:
            return export
    allowed = " or ".join(states)
    raise ConfigError(
        "not_applicable", f"{file} is {named[-1].state}; {action} is for one that is {allowed}"
    )
