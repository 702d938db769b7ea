"""`responsys status`: what the lake knows, without asking any server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console

from responsys_assets.commands.cli import Command, Reply, State, lake_of, pass_state
from responsys_assets.commands.deliver import show_held, show_left
from responsys_assets.commands.exports import export_json, exports_table, show_columns
from responsys_assets.commands.terminal import table
from responsys_assets.consent.ledger import former_lists
from responsys_assets.deliveries.receivers import Receivers
from responsys_assets.deliveries.states import DeliveryResult
from responsys_assets.deliveries.status import DeliveryStatus
from responsys_assets.deliveries.status import status as delivery_status
from responsys_assets.errors import ExitCode
from responsys_assets.exported.deadlines import Late, late
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.snapshots import Snapshot, SnapshotStore


@click.command("status", cls=Command)
@pass_state
def status_command(state: State) -> Reply:
    """Lists, last exports, held files, snapshots, deliveries.

    Asks no server. 3 if a list is late: its deadline passed without an accepted export, or
    its exports have stopped coming as often as they did.
    """
    project = state.project()
    lake = lake_of(project)
    config = project.config
    exports = {name: read_exports(lake, name) for name in config.lists}
    overdue = {name: late(project, name, found) for name, found in exports.items()}
    profiles = SnapshotStore(lake.profiles()).current()
    segments = {name: SnapshotStore(lake.segment(name)).current() for name in config.segments}
    deliveries = {name: delivery_status(project, lake, name) for name in config.deliveries}
    former = former_lists(project, lake)
    left = Receivers(project, lake).left()
    document = {
        "account": config.account.name,
        "lake": str(lake.root.absolute()),
        "lists": {name: _list_json(found, overdue[name]) for name, found in exports.items()},
        "profiles": _snapshot_json(profiles),
        "segments": {name: _snapshot_json(found) for name, found in segments.items()},
        "deliveries": {name: _delivery_json(found) for name, found in deliveries.items()},
        "former_lists": former,
        "left_receivers": [each.as_json() for each in left],
    }

    def show(console: Console) -> None:
        _show_lists(console, exports)
        show_late(console, [each for each in overdue.values() if each])
        show_former_lists(console, former)
        rows = [
            (
                name,
                found.rows if found else None,
                str(found.manifest["created_at"])[:19] if found else None,
            )
            for name, found in {"profiles": profiles, **segments}.items()
        ]
        console.print(table(("snapshot", "rows", "made (UTC)"), rows))
        _show_deliveries(console, deliveries)
        show_left(console, left)

    return Reply(document, show, ExitCode.WAITING if any(overdue.values()) else ExitCode.DONE)


def show_late(console: Console, found: list[Late]) -> None:
    """A line for each list that is late."""
    for each in found:
        console.print(f"{each}. `responsys doctor` looks at the server.", style="bold red")


def show_former_lists(console: Console, former: Mapping[str, int]) -> None:
    """A line for each list that left the configuration and still closes what it closed."""
    for name, opt_outs in former.items():
        console.print(
            f"List {name} is not in the configuration any more; what it said of consent still "
            f"counts ({opt_outs:,} opt-outs in its newest export). "
            f"`responsys exports {name} forget --why TEXT` takes it back."
        )


def held_exports(exports: list[Export]) -> list[Export]:
    """Exports that wait for a person."""
    return [export for export in exports if export.waits_for_person]


def _last(exports: list[Export]) -> Export | None:
    accepted = [export for export in exports if export.accepted]
    return accepted[-1] if accepted else None


def _list_json(exports: list[Export], overdue: Late | None) -> dict[str, Any]:
    last = _last(exports)
    return {
        "exports": len(exports),
        "states": dict(Counter(export.state for export in exports)),
        "last": export_json(last) if last else None,
        "held": [export_json(export) for export in held_exports(exports)],
        "late": overdue and overdue.as_json(),
    }


def _snapshot_json(snapshot: Snapshot | None) -> dict[str, Any] | None:
    if snapshot is None:
        return None
    return {
        "snapshot": snapshot.name,
        "rows": snapshot.rows,
        "created_at": snapshot.manifest["created_at"],
    }


def _delivery_json(found: DeliveryStatus) -> dict[str, Any]:
    delivered, waiting = found.delivered, _waiting(found)
    return {
        "delivered": delivered
        and {
            **delivered.as_json(),
            "snapshot": delivered.snapshot and delivered.snapshot.name,
            "at": found.delivered_at,
        },
        "waiting": waiting and waiting.as_json(),
    }


def _waiting(found: DeliveryStatus) -> DeliveryResult | None:
    """A plan that somebody or the next sync has to send."""
    waits = found.waiting is not None and found.waiting.state in ("planned", "held")
    return found.waiting if waits else None


def _show_lists(console: Console, exports: dict[str, list[Export]]) -> None:
    rows: list[tuple[str | int | None, ...]] = []
    for name, found in exports.items():
        last = _last(found)
        outcome = last.outcome if last else None
        rows.append(
            (
                name,
                len(found),
                len(held_exports(found)),
                last.file if last else None,
                outcome.staged if outcome else None,
                outcome.rejected if outcome else None,
            )
        )
    headers = ("list", "exports", "held", "last accepted", "staged", "rejected")
    console.print(table(headers, rows))
    for name, found in exports.items():
        show_columns(console, name, found[-1].outcome if found else None)
        if held := held_exports(found):
            console.print(exports_table(held, f"Held or failed in {name}:"))
            console.print(
                f"  responsys exports {name} accept|retry|withdraw FILE --why TEXT decides"
            )


def _numbers(result: DeliveryResult) -> tuple[str | int, ...]:
    return (result.state, result.rows, result.added, result.updated, result.removed)


def _show_deliveries(console: Console, deliveries: dict[str, DeliveryStatus]) -> None:
    if not deliveries:
        return
    rows: list[tuple[str | int | None, ...]] = []
    waiting = []
    for name, found in deliveries.items():
        delivered, waits = found.delivered, _waiting(found)
        at = found.delivered_at[:19] if found.delivered_at else None
        if waits:
            rows.append((name, *_numbers(waits), None, " ".join(waits.files)))
            waiting.append(waits)
        if delivered:
            rows.append((name, *_numbers(delivered), at, " ".join(delivered.files)))
        if not waits and not delivered:
            rows.append((name, *([None] * 7)))
    headers = ("delivery", "state", "rows", "added", "updated", "removed", "at (UTC)", "files")
    console.print(table(headers, rows))
    show_held(console, waiting)
