"""What a snapshot carries on of the ledger, so that the next merge need not read it again.

profiles/<snapshot>/permission/<list>/people-<n>.parquet
profiles/<snapshot>/permission/<list>/addresses-<n>.parquet
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from responsys_assets.consent.entries import reading_of
from responsys_assets.consent.ledger import Counted, ListLedger
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.normalise import rules
from responsys_assets.profiles.live import ListExports

PERMISSION = "permission"
COVERED = "ledger"  # in the manifest: by list, the entries that `people` and `addresses` hold


@dataclass(frozen=True)
class Carried:
    """What a snapshot holds of a list: files of `people` and `addresses`; `missing` are the
    entries that it does not hold."""

    people: Sequence[Path]
    addresses: Sequence[Path]
    missing: Sequence[Counted]


def carried(
    current: Snapshot | None,
    ledger: ListLedger,
    source: ListExports | None,
    match_columns: Sequence[str],
    country: str | None,
) -> Carried:
    """What the current snapshot holds of a list.

    Nothing of it can be used once an entry that it holds counts otherwise, or is of a recent
    export again; nor once an entry is taken back whose addresses it left out as still in use.
    """
    held = {} if current is None else current.manifest.get(COVERED, {}).get(ledger.name, {})
    beside = _in_rows(source)
    wanted = [counted for counted in ledger.entries if counted.entry.name not in beside]
    identities = [counted.identity for counted in wanted]
    counting = {counted.entry.name for counted in ledger.entries}
    usable = (
        current is not None
        and held.get("keys") == [*match_columns, rules(country)]
        and all(identity in identities for identity in held["entries"])
        and counting.issuperset(held["beside"])
    )
    if current is None or not usable:
        return Carried((), (), wanted)
    folder = current.path / PERMISSION / ledger.name
    files = [path for path in current.files if path.parent == folder]
    people, addresses = (
        [path for path in files if path.name.startswith(kind)] for kind in ("people-", "addresses-")
    )
    missing = [counted for counted in wanted if counted.identity not in held["entries"]]
    return Carried(people, addresses, missing)


def covered(
    ledgers: Iterable[ListLedger],
    sources: Mapping[str, ListExports],
    match_columns: Sequence[str],
    country: str | None,
) -> dict[str, Any]:
    """What the manifest says of `people` and `addresses`: see `carried`."""
    found = {}
    for ledger in ledgers:
        beside = _in_rows(sources.get(ledger.name))
        found[ledger.name] = {
            "keys": [*match_columns, rules(country)],
            "entries": [c.identity for c in ledger.entries if c.entry.name not in beside],
            "beside": sorted(beside),
        }
    return found


def _in_rows(source: ListExports | None) -> set[str]:
    """The entries that were made of the staged rows of recent exports."""
    recent = source.recent if source else ()
    return {f"{one.export.export_id}.{reading_of(one.outcome)}" for one in recent}
