"""The ledger as it counts now: entries, less what a person took back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from responsys_assets.config.project import Project
from responsys_assets.consent.entries import (
    Entry,
    Settled,
    ledger_lists,
    read_entries,
    read_forgotten,
    read_settled,
    reading_of,
)
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.system_columns import CHANNELS, Channel

Weight = Literal["all", "opt_outs", "nothing"]


@dataclass(frozen=True)
class Counted:
    """An entry that counts.

    `opt_outs_only`: its opt-ins do not: the export was withdrawn, or this reading was replaced.
    `reread_in`: the zone in which its wall-clock times would be read today, if it is another one.
    `settled`: the records whose claims a person settled; None for all of them.
    """

    entry: Entry
    statements: Path
    claims: Path | None
    opt_outs_only: bool
    reread_in: str | None
    settled: frozenset[int] | None

    @property
    def identity(self) -> list[Any]:
        """All that decides what its statements say."""
        return [
            self.entry.name,
            self.entry.statements_sha256,
            self.opt_outs_only,
            self.entry.zone if self.reread_in else None,
            self.reread_in,
        ]

    def as_input(self) -> list[Any]:
        """All that decides what it says, for a manifest."""
        settled = "all" if self.settled is None else sorted(self.settled)
        return [*self.identity, self.entry.claims_sha256, settled]


@dataclass(frozen=True)
class ListLedger:
    """The entries of a list that count, in the order of its exports.

    A list that is not `configured` any more keeps closing what it closed; its opt-ins do not
    open anything.
    """

    name: str
    configured: bool
    entries: tuple[Counted, ...]

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels whose permission column any of its exports has or had."""
        names = {name for counted in self.entries for name in counted.entry.opted_out}
        return tuple(channel for channel in CHANNELS.values() if channel.name in names)

    def as_input(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "configured": self.configured,
            "entries": [counted.as_input() for counted in self.entries],
        }


def read_ledger(
    project: Project, lake: Lake, exports: Mapping[str, Sequence[Export]]
) -> tuple[ListLedger, ...]:
    """The ledger of every list: the configured ones in their order, then former ones.

    `exports` are those of every list that the lake has exports of.

    Raises:
        LakeError: if an entry cannot be read.
    """
    kept = ledger_lists(lake)
    configured = [name for name in project.config.lists if name in kept]
    former = [name for name in kept if name not in project.config.lists]
    ledgers = (
        _list_ledger(project, lake, name, exports.get(name, ())) for name in (*configured, *former)
    )
    return tuple(ledger for ledger in ledgers if ledger.entries)


def former_lists(project: Project, lake: Lake) -> dict[str, int]:
    """Lists that left the configuration and still close what they closed, each with the opt-outs
    that its newest export states."""
    names = [name for name in ledger_lists(lake) if name not in project.config.lists]
    ledgers = (_list_ledger(project, lake, name, read_exports(lake, name)) for name in names)
    return {ledger.name: _newest_opt_outs(ledger) for ledger in ledgers if ledger.entries}


def _newest_opt_outs(ledger: ListLedger) -> int:
    """The opt-outs that the newest export states, in any reading of it."""
    newest = ledger.entries[-1].entry.export_id
    readings = [c.entry for c in ledger.entries if c.entry.export_id == newest]
    return max(sum(reading.opted_out.values()) for reading in readings)


def _list_ledger(project: Project, lake: Lake, name: str, exports: Iterable[Export]) -> ListLedger:
    configured = name in project.config.lists
    known = {export.export_id: export for export in exports}
    # a list that is configured again says again what it said
    decisions = [] if configured else read_forgotten(lake, name)
    forgotten = max((decision.when for decision in decisions), default=None)
    settled = read_settled(lake, name)
    zone = project.config.account.timezone
    return ListLedger(
        name,
        configured,
        tuple(
            Counted(
                entry,
                entry.statements(lake),
                entry.claims(lake),
                opt_outs_only=weight == "opt_outs",
                reread_in=zone if entry.zone not in (None, zone) else None,
                settled=_settled_records(settled, entry),
            )
            for entry, weight in _weighed(read_entries(lake, name), known)
            if weight != "nothing" and (forgotten is None or entry.recorded_at > forgotten)
        ),
    )


def _weighed(
    entries: Sequence[Entry], known: Mapping[str, Export]
) -> Iterator[tuple[Entry, Weight]]:
    """Each entry with what of it counts.

    Of several readings of an export all opt-outs count, but only the opt-ins of the one in force.
    """
    newest = {entry.export_id: entry for entry in sorted(entries, key=lambda e: e.recorded_at)}
    for entry in entries:
        export = known.get(entry.export_id)
        if export is None:  # its receipts are lost
            yield entry, "all" if newest[entry.export_id] is entry else "opt_outs"
        elif withdrawal := export.last_withdrawal:
            yield entry, "nothing" if withdrawal.opt_outs else "opt_outs"
        else:
            reading = reading_of(export.outcome) if export.accepted and export.outcome else None
            yield entry, "all" if reading == entry.reading else "opt_outs"


def _settled_records(settled: Iterable[Settled], entry: Entry) -> frozenset[int] | None:
    mine = [each for each in settled if each.export_id == entry.export_id]
    if any(not each.records for each in mine):
        return None
    return frozenset(record for each in mine for record in each.records)
