"""The merge in plain Python, row by row and key by key."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from responsys_assets.config.models import Priority, Profiles
from responsys_assets.system_columns import (
    CHANNELS,
    DELIVERABILITY_COLUMNS,
    PERMISSION_COLUMNS,
    Channel,
)
from responsys_assets_tests.profiles.worlds import Hold, Key, Sent

OLDEST = -(10**18)
_CHANNEL_AT = {channel.address: channel for channel in CHANNELS.values()}


class Oracle:
    """`exports` are those of each list that has any, lists in the order of the configuration."""

    def __init__(self, exports: Mapping[str, Sequence[Sent]], rules: Profiles) -> None:
        self.rules = rules
        self.exports = {
            name: sorted(sent, key=lambda e: (e.stamp, e.mtime, e.sha256))
            for name, sent in exports.items()
        }
        self.lists = list(exports)
        self.types = {c: t for sent in exports.values() for e in sent for c, t in e.columns.items()}

    def in_force(self, name: str) -> list[Sent]:
        """Without full exports of which a later version was sent."""
        ordered = self.exports[name]
        latest = {e.stamp: e for e in ordered if e.kind == "full"}
        return [e for e in ordered if e.kind == "incremental" or latest[e.stamp] is e]

    def columns(self, name: str) -> set[str]:
        """Of the newest complete full export and later ones."""
        used: list[Sent] = []
        for export in reversed(self.in_force(name)):
            used.append(export)
            if export.kind == "full" and not export.incomplete:
                break
        return {c for e in used for c in e.columns}

    def latest(self, name: str, key: Key) -> tuple[int, Mapping[str, Any]] | None:
        """Time and values of the key's latest live row."""
        live: list[tuple[tuple[int, int, int], Mapping[str, Any]]] = []
        for number, export in enumerate(self.in_force(name)):
            has = any(row.key == key for row in export.rows)
            gone = not export.incomplete and all(hold.key != key for hold in export.holds)
            if export.kind == "full" and (has or gone):
                live = []
            for record, row in enumerate(export.rows):
                if row.key == key:
                    time = OLDEST if row.updated_us is None else row.updated_us
                    live.append(((time, number, record), row.values))
        if not live:
            return None
        (time, _, _), values = max(live, key=lambda one: one[0])
        return time, values

    def candidates(
        self, key: Key, names: Sequence[str]
    ) -> list[tuple[int, str, Mapping[str, Any]]]:
        """Latest live rows of these lists, the highest first."""
        found = [(n, self.latest(n, key)) for n in self.lists if n in names]
        rows = [(row[0], name, row[1]) for name, row in found if row]
        return sorted(rows, key=lambda row: (-row[0], self.lists.index(row[1])))

    def value(self, column: str, key: Key) -> Any:
        empty: Any = "" if self.types[column] == "text" else None
        names = [n for n in self.lists if column in self.columns(n)]
        group = next((g for g in self.rules.together if column in g), None)
        if group:
            names = [n for n in names if set(group) <= self.columns(n)]
        rows = [(n, values.get(column, empty)) for _, n, values in self.candidates(key, names)]
        filled = {name: value for name, value in rows if value not in ("", None)}
        rule = self.rules.rules.get(column, "latest")
        if column in DELIVERABILITY_COLUMNS:
            said = {str(value).strip().upper() for value in filled.values()}
            return "U" if "U" in said else "D" if "D" in said else ""
        if isinstance(rule, Priority):
            return next((filled[n] for n in rule.priority if n in filled), empty)
        if rule == "smallest":
            return min(filled.values(), default=empty)
        if rule == "largest":
            return max(filled.values(), default=empty)
        if rule == "latest_non_empty":
            return next(iter(filled.values()), empty)
        return rows[0][1] if rows else empty

    def marks(self, name: str, permission: str, address: str) -> list[tuple[Any, ...]]:
        """(key, O or I, time or None, time that counts for an O, address) of rows and holds."""
        found: list[tuple[Any, ...]] = []
        for export in self.exports[name]:
            stamp = int(export.stamp.timestamp()) * 1_000_000
            for row in export.rows:
                said = str(row.values.get(permission, "")).strip()
                if permission in export.columns and said:
                    state = "I" if said in ("I", "i") else "O"
                    since = stamp if row.updated_us is None else row.updated_us
                    sent_to = address_of(row.values, _CHANNEL_AT[address]) if address else ""
                    found.append((row.key, state, row.updated_us, since, sent_to))
            for hold in export.holds:
                if self.superseded(name, export, hold, permission):
                    continue
                if hold.values.get(permission) == "O":
                    since = stamp if hold.updated_us is None else hold.updated_us
                    sent_to = address_of(hold.values, _CHANNEL_AT[address]) if address else ""
                    found.append((hold.key, "O", hold.updated_us, since, sent_to))
        return found

    def superseded(self, name: str, export: Sent, hold: Hold, permission: str) -> bool:
        """Whether the record is good in a later content of the stamp: that has more records of a
        key that it may have had, and they say what it said."""
        ordered = self.exports[name]
        again = [
            e
            for e in ordered[ordered.index(export) + 1 :]
            if (e.stamp, e.kind) == (export.stamp, export.kind)
        ]
        record = [h for h in export.holds if h is hold or (h.record and h.record == hold.record)]

        def count(one: Sent, claim: Hold) -> int:
            said = (
                str(r.values.get(permission, "")).strip() for r in one.rows if r.key == claim.key
            )
            states = [("I" if s in ("I", "i") else "O") for s in said if s]
            return len(states) if claim.doubt else states.count("O")

        claims = [h for h in record if h.key is not None]
        return any(count(e, claim) > count(export, claim) for claim in claims for e in again)

    def standing(self, name: str, permission: str, address: str) -> list[tuple[Any, Any]]:
        """(key, address) of every opt-out without a strictly later opt-in."""
        marks = self.marks(name, permission, address)
        opt_ins = [(key, time) for key, state, time, _, _ in marks if state == "I"]
        return [
            (key, sent_to)
            for key, state, _, since, sent_to in marks
            if state == "O"
            and not any(
                key is not None and k == key and t is not None and t > since for k, t in opt_ins
            )
        ]

    def permission(self, column: str, key: Key) -> str:
        states = set()
        for name in self.lists:
            if any(k == key for k, _ in self.standing(name, column, "")):
                states.add("O")
            elif any(k == key and state == "I" for k, state, *_ in self.marks(name, column, "")):
                states.add("I")
        return "O" if "O" in states else "I" if "I" in states else ""

    def closed(self) -> dict[str, list[str]]:
        """Channel to its closed addresses: those of opt-outs, and all that their people had."""
        out = {}
        for channel in CHANNELS.values():
            if any(channel.permission in e.columns for sent in self.exports.values() for e in sent):
                sent_to = []
                for name in self.lists:
                    standing = self.standing(name, channel.permission, channel.address)
                    sent_to += [address for _, address in standing]
                    people = {key for key, _ in standing if key is not None}
                    if any(channel.permission in e.columns for e in self.exports[name]):
                        rows = [r for e in self.exports[name] for r in e.rows if r.key in people]
                        claims = [h for e in self.exports[name] for h in e.holds if h.key in people]
                        sent_to += [address_of(row.values, channel) for row in rows]
                        sent_to += [address_of(claim.values, channel) for claim in claims]
                found = {tidy(str(a or ""), channel.address) for a in sent_to}
                out[channel.name] = sorted(found - {""})
        return out

    def profiles(self, columns: Sequence[str]) -> list[dict[str, Any]]:
        keys = {row.key for sent in self.exports.values() for e in sent for row in e.rows}
        out = []
        for key in sorted(keys):
            live = self.candidates(key, self.lists)
            names = [name for _, name, _ in live]
            if not live or (not self.rules.insert_new and self.rules.primary not in names):
                continue
            row: dict[str, Any] = dict(zip(self.rules.match_columns, key, strict=True))
            for column in columns:
                permission = column in PERMISSION_COLUMNS
                row[column] = (self.permission if permission else self.value)(column, key)
            row["UPDATED_AT_"] = None if live[0][0] == OLDEST else live[0][0]
            row["LISTS_"] = ",".join(n for n in self.lists if n in names)
            out.append(row)
        return out


def address_of(values: Mapping[str, Any], channel: Channel) -> str:
    """The whole address of a channel; nothing without a street."""
    parts = [str(values.get(part, "") or "") for part in channel.address_parts]
    return "\x1f".join(parts) if parts[0].strip() else ""


def tidy(address: str, column: str) -> str:
    """An address as it is compared."""
    text = unicodedata.normalize("NFC", address.strip())
    if column == "MOBILE_NUMBER_":
        return "".join(c for c in text if c in "0123456789")
    return text.lower() if column == "EMAIL_ADDRESS_" else text
