"""What a delivery is made from, and everything that decides it, by hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from responsys_assets.config.models import Delivery
from responsys_assets.config.project import Project
from responsys_assets.config.targets import Target
from responsys_assets.consent.entries import ledger_lists
from responsys_assets.deliveries import render
from responsys_assets.deliveries.receivers import Receivers
from responsys_assets.errors import ConfigError, DeliveryError
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot, SnapshotStore, digest
from responsys_assets.segments import engine
from responsys_assets.segments.bound import unknown_column
from responsys_assets.segments.consent import Exclusions, suppression_exclusions
from responsys_assets.segments.profiles import column_types, current_profiles, profile_files
from responsys_assets.segments.refresh import KEYS, PART, chosen_columns, segment_inputs
from responsys_assets.segments.suppressions import (
    SuppressionFile,
    read_suppressions,
    suppressed_values,
)

CODE = "deliveries/3"
CHANGE = "CHANGE_"


@dataclass(frozen=True)
class Source:
    """Where the rows come from, and the delivery's columns in it.

    `keys` holds the match key of each row, if `files` lack it; `names` are the columns as the
    receiver sees them, `types` those of all columns of the files.
    """

    snapshot: Snapshot
    files: Sequence[Path]
    keys: Path | None
    types: Mapping[str, str]
    columns: Sequence[str]
    names: Sequence[str]
    inputs: dict[str, Any]
    base: Snapshot | None
    suppressions: Sequence[SuppressionFile]
    profiles: Snapshot
    unheard: Sequence[str]  # required lists whose opt-outs are unknown
    whole: bool  # all profiles, so suppressions are still to be applied

    @property
    def digest(self) -> str:
        return digest(self.inputs)

    def exclusions(self, project: Project) -> Exclusions:
        """Who is left out here; a segment has left them out already."""
        if not self.whole:
            return Exclusions((), (), {})
        return suppression_exclusions(
            suppressed_values(project, self.suppressions, self.types, self.files)
        )

    def made(self, plan: Snapshot) -> bool:
        """Whether a plan was made from exactly this."""
        part = plan.manifest["inputs"].get("part")
        return plan.inputs_digest == digest({**self.inputs, **({"part": part} if part else {})})

    def was_delivered(self) -> bool:
        """Whether the last delivery was made from exactly this (but for its own base)."""
        if self.base is None:
            return False
        return _without_base(self.base.manifest["inputs"]) == _without_base(self.inputs)


def delivery_config(project: Project, name: str) -> Delivery:
    """The configuration of a delivery.

    Raises:
        ConfigError: if there is no such delivery.
    """
    known = project.config.deliveries
    if name not in known:
        raise ConfigError(
            "unknown_delivery",
            f"there is no delivery {name}; the deliveries are {', '.join(known) or '(none)'}",
        )
    return known[name]


def read_source(project: Project, lake: Lake, name: str) -> Source:
    """The delivery's source as it is now.

    Raises:
        ConfigError: if the delivery does not fit the columns that the source has.
        DeliveryError: `segment_outdated` if its segment was made from something else than
            today's profiles, suppressions and configuration.
        ResponsysError: if a suppression file cannot be read.
    """
    delivery = delivery_config(project, name)
    suppressions = read_suppressions(project)
    profiles = current_profiles(lake)
    keys = None
    if delivery.segment == "profiles":
        snapshot, files = profiles, profile_files(profiles)
        types = column_types(files)
        default = chosen_columns(types)
    else:
        snapshot = _current_segment(project, lake, delivery.segment, profiles, suppressions)
        files = [snapshot.path / PART]
        types = column_types(files)
        default = list(types)
        keys = snapshot.path / KEYS / PART
    columns = list(delivery.columns or default)
    names = _checked(project, name, delivery, columns, types)
    received = Receivers(project, lake).last(Target.of(delivery))
    base = received.plan if received else None
    unheard = _unheard(project, lake, delivery)
    inputs = {
        "code": CODE,
        "engine": f"{engine.VERSION}, {render.VERSION}",
        "delivery": delivery.model_dump(mode="json"),
        "match_on": list(project.config.profiles.match_columns),
        "timezone": project.config.account.timezone,
        "source": {"snapshot": snapshot.name, "digest": snapshot.inputs_digest},
        "suppressions": [entry.as_input() for entry in suppressions],
        "recipients": {each: _key_digest(project, each) for each in delivery.encrypt_for},
        "unheard": unheard,
        "base": base.name if base else None,
    }
    return Source(
        snapshot=snapshot,
        files=files,
        keys=keys if keys is not None and keys.exists() else None,
        types=types,
        columns=columns,
        names=names,
        inputs=inputs,
        base=base,
        suppressions=suppressions,
        profiles=profiles,
        unheard=unheard,
        whole=delivery.segment == "profiles",
    )


def _unheard(project: Project, lake: Lake, delivery: Delivery) -> list[str]:
    """For a channel: the required lists of which no export was ever accepted."""
    if delivery.segment == "profiles":
        return []
    if project.config.segments[delivery.segment].channel == "none":
        return []
    recorded = ledger_lists(lake)
    return [
        name
        for name, settings in project.config.lists.items()
        if settings.required
        and name not in recorded  # its opt-outs are known, whatever became of its receipts
        and not any(map(_was_accepted, read_exports(lake, name)))
    ]


def _was_accepted(export: Export) -> bool:
    """Whether it ever was: taking back its rows does not take back its opt-outs."""
    return export.outcome is not None and export.outcome.state == "staged"


def _current_segment(
    project: Project,
    lake: Lake,
    segment: str,
    profiles: Snapshot,
    suppressions: Sequence[SuppressionFile],
) -> Snapshot:
    """The segment's snapshot, which must be made from what is true now.

    Its `today` may be over: a plan made before midnight is good after it.
    """
    snapshot = SnapshotStore(lake.segment(segment)).current()
    expected = segment_inputs(project, segment, profiles, suppressions)
    if snapshot is None or _without_today(snapshot.manifest["inputs"]) != _without_today(expected):
        how = "was not made yet" if snapshot is None else "is older than what it is made from"
        raise DeliveryError(
            "segment_outdated",
            f"segment {segment} {how}: run `responsys sync`, or materialise segments/{segment}",
        )
    return snapshot


def _checked(
    project: Project,
    name: str,
    delivery: Delivery,
    columns: Sequence[str],
    types: Mapping[str, str],
) -> list[str]:
    """The delivered names of the columns, which must be there and differ from each other."""
    place = f"deliveries.{name}"
    for column in columns:
        if column not in types:
            raise unknown_column(project, f"{place}.columns", column, types)
    for column in delivery.rename:
        if column not in columns:
            raise unknown_column(project, f"{place}.rename", column, columns)
    names = [delivery.rename.get(column, column) for column in columns]
    if delivery.mode == "changes":
        for column in project.config.profiles.match_columns:
            if column not in columns:
                raise _wrong(
                    project, f"{place}.columns", f"mode: changes needs the match column {column}"
                )
        if CHANGE in names and not delivery.file.has("change"):
            raise _wrong(project, place, f"{CHANGE} is the column that says what changed")
    for each in names:
        if names.count(each) > 1:
            raise _wrong(project, f"{place}.rename", f"two columns would be called {each}")
    try:
        "".encode(delivery.charset)
    except LookupError:
        raise _wrong(
            project, f"{place}.charset", f"there is no charset {delivery.charset}; try utf-8"
        ) from None
    return names


def _wrong(project: Project, key: str, message: str) -> ConfigError:
    return ConfigError("config_invalid", message, file=str(project.file), key=key)


def _key_digest(project: Project, recipient: str) -> str | None:
    """Hash of a recipient's key file; one that cannot be read is for the encryption to refuse."""
    key = f"keys.recipients.{recipient}.public_key_file"
    path = project.path(project.config.keys.recipients[recipient].public_key_file, key)
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _without_base(inputs: Mapping[str, Any]) -> str:
    return digest({key: value for key, value in inputs.items() if key != "base"})


def _without_today(inputs: Mapping[str, Any]) -> str:
    return digest({key: value for key, value in inputs.items() if key != "today"})
