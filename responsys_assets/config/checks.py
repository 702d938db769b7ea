"""What the models cannot say one by one: references between keys, and rules across lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import PurePosixPath

from responsys_assets.config.criteria import Criteria, CriteriaError
from responsys_assets.config.models import Config, Delivery, Priority, ProfileList, SftpServer
from responsys_assets.config.targets import Target, may_collide
from responsys_assets.system_columns import (
    DELIVERABILITY_COLUMNS,
    LISTS,
    PERMISSION_COLUMNS,
    UPDATED_AT,
)


@dataclass(frozen=True)
class Problem:
    key: tuple[str, ...]
    message: str


def problems(config: Config) -> Iterator[Problem]:
    """Everything wrong with a configuration that is well-formed key by key."""
    yield from _servers(config)
    for name, source in config.lists.items():
        yield from _list(config, name, source)
    yield from _profiles(config)
    yield from _types(config)
    yield from _segments(config)
    for name, delivery in config.deliveries.items():
        yield from _delivery(config, name, delivery)
        yield from _promises(name, delivery)
    yield from _targets(config)


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    return f"there is no {kind} {name}; expected one of {', '.join(known) or '(none defined)'}"


def _servers(config: Config) -> Iterator[Problem]:
    for name, server in config.servers.items():
        if not isinstance(server, SftpServer):
            continue
        if bool(server.host_keys) == (server.known_hosts_file is not None):
            yield Problem(
                ("servers", name),
                "host keys must be pinned: give host_keys or known_hosts_file, one of them",
            )
        if server.private_key_file is None and server.password is None:
            yield Problem(("servers", name), "expected private_key_file or password")


def _list(config: Config, name: str, source: ProfileList) -> Iterator[Problem]:
    place = ("lists", name)
    if source.server not in config.servers:
        yield Problem((*place, "server"), _unknown("server", source.server, config.servers))
    if source.encrypted and config.keys.decrypt is None:
        yield Problem((*place, "encrypted"), "needs keys.decrypt.private_key_file")
    if source.ready == "none" and source.settle is None:
        yield Problem(
            (*place, "ready"), "without ready files `settle` is needed, for example settle: 10m"
        )
    if source.ready != "none" and source.settle is not None:
        yield Problem((*place, "settle"), "has a meaning only with ready: none")
    if not source.header and not source.columns:
        yield Problem((*place, "columns"), "without a header line `columns` lists all, in order")
    for _, pattern in source.patterns():
        if pattern.has("change") or pattern.has("seq"):
            yield Problem((*place, "files"), "{change} and {seq} are for deliveries")
    new_names = Counter(source.rename.values())
    for target, uses in new_names.items():
        if uses > 1:
            yield Problem((*place, "rename"), f"two columns are renamed to {target}")
    both = {key for key in source.rename if key in source.columns} & {
        key for key in source.rename if source.rename[key] in source.columns
    }
    for key in sorted(both):
        yield Problem((*place, "columns", key), f"is declared twice: also as {source.rename[key]}")
    for column in source.declared_types:
        if column in (UPDATED_AT, LISTS):
            yield Problem((*place, "columns"), f"{column} is a column that the merge makes")


def _profiles(config: Config) -> Iterator[Problem]:
    profiles = config.profiles
    if profiles.primary is not None and profiles.primary not in config.lists:
        yield Problem(("profiles", "primary"), _unknown("list", profiles.primary, config.lists))
    if not profiles.insert_new and profiles.primary is None:
        yield Problem(("profiles", "primary"), "insert_new: false needs the primary list")
    for column, rule in profiles.rules.items():
        place = ("profiles", "rules", column)
        if column in PERMISSION_COLUMNS | DELIVERABILITY_COLUMNS:
            yield Problem(place, "permission and deliverability have rules of their own")
        if column in profiles.match_columns:
            yield Problem(place, "a match column is the same in every list and needs no rule")
        if isinstance(rule, Priority):
            for name in rule.priority:
                if name not in config.lists:
                    yield Problem((*place, "priority"), _unknown("list", name, config.lists))
    grouped = Counter(column for group in profiles.together for column in group)
    for column, uses in grouped.items():
        if uses > 1:
            yield Problem(("profiles", "together"), f"{column} is in two groups or twice in one")
        if column in profiles.rules:
            yield Problem(("profiles", "together"), f"{column} also has a rule; choose one")
        if column in PERMISSION_COLUMNS | DELIVERABILITY_COLUMNS | set(profiles.match_columns):
            yield Problem(("profiles", "together"), f"{column} cannot be in a group")


def _types(config: Config) -> Iterator[Problem]:
    """Columns that are declared with one type here and another there."""
    wanted = config.profiles.columns
    seen: dict[str, tuple[str, str]] = {}
    for name, source in config.lists.items():
        for column, kind in source.declared_types.items():
            if isinstance(wanted, tuple) and column not in wanted:
                continue
            if column in config.profiles.match_columns and kind != "text":
                yield Problem(("lists", name, "columns", column), "a match column is text")
            other = seen.setdefault(column, (name, kind))
            if other[1] != kind:
                yield Problem(
                    ("lists", name, "columns", column),
                    f"is {kind} here and {other[1]} in list {other[0]}; "
                    "make them equal or leave it out of profiles.columns",
                )


def _segments(config: Config) -> Iterator[Problem]:
    types: dict[str, str] = {}
    for source in config.lists.values():
        types.update(source.declared_types)
    for name, segment in config.segments.items():
        try:
            Criteria.parse(segment.where, types)
        except CriteriaError as error:
            yield Problem(("segments", name, "where"), str(error))
        if segment.columns != "all" and len(set(segment.columns)) != len(segment.columns):
            yield Problem(("segments", name, "columns"), "a column is named twice")


def _delivery(config: Config, name: str, delivery: Delivery) -> Iterator[Problem]:
    place = ("deliveries", name)
    if delivery.segment != "profiles" and delivery.segment not in config.segments:
        yield Problem(
            (*place, "segment"),
            _unknown("segment", delivery.segment, ("profiles", *config.segments)),
        )
    if delivery.to not in config.servers:
        yield Problem((*place, "to"), _unknown("server", delivery.to, config.servers))
    for recipient in delivery.encrypt_for:
        if recipient not in config.keys.recipients:
            known = config.keys.recipients
            yield Problem((*place, "encrypt_for"), _unknown("recipient", recipient, known))
    if delivery.sign and config.keys.decrypt is None:
        yield Problem((*place, "sign"), "needs keys.decrypt.private_key_file to sign with")
    if delivery.sign and not delivery.encrypt_for:
        yield Problem((*place, "sign"), "a signed delivery needs encrypt_for")
    if delivery.file.has("change") and delivery.mode != "changes":
        yield Problem((*place, "file"), "{change} needs mode: changes")
    if delivery.mode == "changes":
        if not (delivery.file.has("second") or delivery.file.has("seq")):
            yield Problem(
                (*place, "file"), "mode: changes needs {seq} or a stamp with seconds in the name"
            )
        if delivery.columns is not None:
            for column in config.profiles.match_columns:
                if column not in delivery.columns:
                    yield Problem(
                        (*place, "columns"), f"mode: changes needs the match column {column}"
                    )
    if delivery.channel is not None and delivery.segment != "profiles":
        yield Problem((*place, "channel"), "is for deliveries of `profiles`: a segment has its own")
    if delivery.columns is not None and len(set(delivery.columns)) != len(delivery.columns):
        yield Problem((*place, "columns"), "a column is named twice")
    targets = Counter(delivery.rename.values())
    if any(uses > 1 for uses in targets.values()):
        yield Problem((*place, "rename"), "two columns are renamed to one name")


_ENCRYPTED = {".gpg", ".pgp", ".asc"}
_GZIPPED = {".gz", ".gzip"}
_OTHERS = {".zip", ".zst", ".bz2", ".lzo", ".xz", ".7z", ".rar", ".lz4", ".tgz", ".br"}


def _promises(name: str, delivery: Delivery) -> Iterator[Problem]:
    """Endings of the name that promise what the file is not."""
    place = ("deliveries", name, "file")
    endings = set()
    for ending in reversed(PurePosixPath(f"_{delivery.file.text.lower()}").suffixes):
        if ending not in _ENCRYPTED | _GZIPPED | _OTHERS:
            break
        endings.add(ending)
    for ending in sorted(endings):
        if ending in _OTHERS:
            yield Problem(
                place, f"a name in {ending} is a promise that cannot be kept: use compression: gzip"
            )
        elif ending in _ENCRYPTED and not delivery.encrypt_for:
            yield Problem(
                place,
                f"the name ends in {ending} and the file would be sent in plain text: "
                "name the recipients in encrypt_for, or leave the ending out",
            )
        elif ending in _GZIPPED and delivery.compression != "gzip":
            yield Problem(
                place,
                f"the name ends in {ending} and the file would not be compressed: "
                "set compression: gzip, or leave the ending out",
            )


def _targets(config: Config) -> Iterator[Problem]:
    """Deliveries that could write over each other's files, ready files included."""
    for (one, first), (other, second) in combinations(config.deliveries.items(), 2):
        same_place = Target.of(first).place(config) == Target.of(second).place(config)
        if same_place and may_collide(first, second):
            yield Problem(
                ("deliveries", other, "file"),
                f"deliveries {one} and {other} could write the same file: "
                "give each a folder or a name of its own",
            )
    for name, delivery in config.deliveries.items():
        for list_name, source in config.lists.items():
            for _, pattern in source.patterns():
                export = Target.at(source.server, source.folder, pattern)
                if Target.of(delivery).same_receiver(export, config):
                    yield Problem(
                        ("deliveries", name, "file"),
                        f"could write over an export of list {list_name}: "
                        "give it another folder or name",
                    )
