"""The law of DESIGN section 8 in plain Python.

It knows which readings were accepted and what a person decided, and nothing else: no lake, no
ledger, no snapshot. Where the law leaves freedom it is silent, so that whatever it does say is
a must.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from responsys_assets_tests.change.reading import (
    EMAIL,
    IDENTITIES,
    PERMISSION,
    Clock,
    Reading,
    Said,
    microseconds,
    tidy,
)

OLDEST = -(10**18)


@dataclass
class Accepted:
    """An export that was accepted once. `readings` are those accepted, the one in force last.

    `state`: `in force`, `withdrawn`, `wanted back` (until it is accepted again), `taken back` (with
    its opt-outs), `unclear` (wanted back from there), `forgotten`.
    """

    stamp: dt.datetime
    mtime: float
    sha256: str
    kind: str
    readings: list[Reading] = field(default_factory=list)
    state: str = "in force"

    @property
    def order(self) -> tuple[dt.datetime, float, str]:
        return (self.stamp, self.mtime, self.sha256)

    @property
    def reading(self) -> Reading:
        return self.readings[-1]

    @property
    def opening(self) -> Sequence[Reading]:
        """The readings whose opt-ins may count."""
        if self.state in ("withdrawn", "taken back"):
            return ()
        return self.readings[-1:] if self.state == "in force" else self.readings

    def wanted_back(self) -> None:
        """A person undoes its withdrawal."""
        undone = {"withdrawn": "wanted back", "taken back": "unclear"}
        self.state = undone.get(self.state, self.state)


@dataclass(frozen=True)
class Profile:
    """What the merge shows of a person."""

    values: Mapping[str, str]
    lists: tuple[str, ...]


@dataclass(frozen=True)
class Forbidden:
    """Who must not be mailed, and which addresses must not be used; each with the reason."""

    people: Mapping[str, str]
    addresses: Mapping[str, str]

    def why(self, who: str, address: str) -> str | None:
        return self.people.get(who) or self.addresses.get(address)


@dataclass
class Oracle:
    """`lists` are all that ever had an accepted export; `doubtful` those whose rows were lost."""

    lists: dict[str, dict[str, Accepted]] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)

    def accept(self, name: str, export: Accepted, reading: Reading) -> None:
        """A reading of an export was accepted."""
        known = self.lists.setdefault(name, {}).setdefault(export.sha256, export)
        known.mtime = max(known.mtime, export.mtime)
        if not known.readings or known.reading != reading:
            known.readings.append(reading)
        if known.state in ("wanted back", "unclear"):
            known.state = "in force"

    def forget(self, name: str) -> None:
        """A person takes back what a former list said."""
        for export in self.lists.get(name, {}).values():
            export.state = "forgotten"
        self.doubtful.add(name)

    # Consent

    def forbidden(self, column: str) -> Forbidden:
        """Whom nobody may mail, where a person is known by a column; the rest is allowed, or the
        law leaves it open."""
        people: dict[str, str] = {}
        closed: dict[str, str] = {}
        for name in self.lists:
            for who, addresses in self._standing(name, column):
                if who:
                    people.setdefault(who, f"list {name} says O")
                for address in addresses:
                    closed.setdefault(address, f"an O of list {name} closes the address")
        return Forbidden(people, closed)

    def opted_in(self, column: str, value: str, configured: Sequence[str]) -> bool:
        """Whether any configured list may say I for this person."""
        return any(
            said.permission == "I" and said.is_(column) == value
            for name in configured
            for export in self.lists.get(name, {}).values()
            for reading in export.opening
            for said in reading.records
        )

    def _standing(self, name: str, column: str) -> Iterator[tuple[str, set[str]]]:
        """Who is out by this list, by his value in a column, and the addresses it closes."""
        opt_ins = self._opt_ins(name, column)
        for who, since, said in self._opt_outs(name, column):
            if who and any(
                until > since.get(clock, max(since.values()))
                for clock, until in opt_ins.get(who, ())
            ):
                continue
            addresses = said.addresses if said.broken else {said.is_(EMAIL)}
            if who:
                addresses = addresses | self._addresses(name, column, who)
            yield who, addresses - {""}

    def _opt_ins(self, name: str, column: str) -> dict[str, set[tuple[Clock, int]]]:
        """The moments at which this list may say I, by person."""
        found: dict[str, set[tuple[Clock, int]]] = {}
        for export in self.lists[name].values():
            for reading in export.opening:
                for said in reading.records:
                    if said.rejected and not said.future:
                        continue
                    if said.permission == "I" and said.until is not None:
                        found.setdefault(said.is_(column), set()).add((reading.clock, said.until))
        return found

    def _opt_outs(self, name: str, column: str) -> Iterator[tuple[str, dict[Clock, int], Said]]:
        """Every record that said O in any accepted reading, with its time by each clock."""
        for export in self.lists[name].values():
            if export.state not in ("in force", "withdrawn", "wanted back"):
                continue
            stamp = microseconds(export.stamp)
            found: dict[tuple[int, str], tuple[dict[Clock, int], Said]] = {}
            for reading in export.readings:
                for said in reading.records:
                    if said.permission == "O" and not self._mended(name, export, said):
                        record = (said.number, said.is_(column))
                        times, _ = found.setdefault(record, ({}, said))
                        times[reading.clock] = stamp if said.since is None else said.since
            for (_, who), (times, said) in found.items():
                yield who, times, said

    def _mended(self, name: str, export: Accepted, said: Said) -> bool:
        """Whether a later version of the export may have the rejected record in good order."""
        if not said.rejected:
            return False
        later = [
            each
            for each in self.lists[name].values()
            if each.stamp == export.stamp and each.order > export.order
        ]
        if said.broken:
            return bool(later) or len(export.readings) > 1
        return any(
            any(row.is_(c) and row.is_(c) == said.is_(c) for c in IDENTITIES)
            and (said.since is None or (row.until is not None and row.until >= said.since))
            for each in later
            for row in each.reading.rows
        )

    def _addresses(self, name: str, column: str, who: str) -> set[str]:
        """Every address that a person has or had in any accepted record of a list."""
        return {
            row.is_(EMAIL)
            for export in self.lists[name].values()
            if export.state == "in force"
            for row in export.reading.rows
            if row.is_(column) == who
        }

    # Rows

    def live(self, name: str, column: str) -> dict[str, tuple[int, Said]]:
        """The latest live row of each person of a list, with its time; only what is certain."""
        if name in self.doubtful:
            return {}
        exports = sorted(self.lists.get(name, {}).values(), key=lambda each: each.order)
        exports = [each for each in exports if each.state == "in force"]
        last = {each.stamp: each for each in exports if each.kind == "full"}
        found: dict[str, list[tuple[tuple[int, int, int], Said]]] = {}
        for place, export in enumerate(exports):
            if export.kind == "full" and last[export.stamp] is not export:
                continue
            rows: dict[str, list[Said]] = {}
            for row in export.reading.rows:
                rows.setdefault(row.is_(column), []).append(row)
            if export.kind == "full":
                ended = self._ended(name, export.reading, column)
                found = {who: theirs for who, theirs in found.items() if not ended(who)}
            for who, theirs in rows.items():
                found.setdefault(who, []).extend(
                    ((OLDEST if r.merged is None else r.merged, place, r.number), r) for r in theirs
                )
        best = {
            who: max(rows, key=lambda one: one[0]) for who, rows in found.items() if who and rows
        }
        return {who: (place[0], row) for who, (place, row) in best.items()}

    def _ended(self, name: str, reading: Reading, column: str) -> Callable[[str], bool]:
        """Of whom a full export ends the older rows: of whom it has, and, if it is complete, of
        whom it does not mention."""
        exports = self.lists[name].values()
        known = {row.is_(column) for each in exports for r in each.readings for row in r.rows}
        has = {row.is_(column) for row in reading.rows}
        # a record without a key is nobody's, and a match key of before says nothing now
        rejected = [s for s in reading.records if s.rejected and (s.broken or s.is_(column))]
        named = [reading.maybe(said, known) for said in rejected]
        kept = {who for each in named for who in each}
        complete = all(named) and reading.match_on == column
        return lambda who: who in has or (complete and who not in kept)

    def profiles(
        self, column: str, configured: Sequence[str], primary: str | None = None
    ) -> dict[str, Profile]:
        """The merge, latest updated row: who must be a profile, and with which values.

        With `primary` nobody is one who is not in that list.
        """
        live = {name: self.live(name, column) for name in configured}
        found = {}
        for who in {who for rows in live.values() for who in rows}:
            if primary is not None and who not in live.get(primary, {}):
                continue
            candidates = [
                (-rows[who][0], place, name, rows[who][1])
                for place, (name, rows) in enumerate(live.items())
                if who in rows
            ]
            candidates.sort(key=lambda each: each[:2])
            values: dict[str, str] = {}
            for *_, said in candidates:
                for name, value in said.values.items():
                    values.setdefault(name, value)
            lists = tuple(name for name in configured if who in live[name])
            found[who] = Profile(values, lists)
        return found

    def reachable(
        self, column: str, configured: Sequence[str], primary: str | None = None
    ) -> dict[str, Profile]:
        """Whom a segment of everybody has to hold, if nothing is in doubt."""
        forbidden = self.forbidden(column)
        doubtful = self._doubtful_addresses(column)
        return {
            who: profile
            for who, profile in self.profiles(column, configured, primary).items()
            if (address := tidy(profile.values.get(EMAIL, ""), EMAIL))
            and forbidden.why(who, address) is None
            and address not in doubtful
            and self.opted_in(column, who, configured)
        }

    def _doubtful_addresses(self, column: str) -> set[str]:
        """What people who are out had in rows that were withdrawn or read anew: it may stay
        closed."""
        return {
            row.is_(EMAIL)
            for name, exports in self.lists.items()
            for out in [{who for who, _ in self._standing(name, column)}]
            for export in exports.values()
            if export.state not in ("taken back", "forgotten")
            for reading in export.readings
            for row in reading.rows
            if row.is_(column) in out
        }

    # Acceptance

    def lost_columns(self, name: str, sha256: str, reading: Reading, updated_at: str | None) -> str:
        """What an accepted reading lacks though the list had it; empty if nothing."""
        exports = sorted(self.lists.get(name, {}).values(), key=lambda each: each.order)
        known = [each for each in exports if each.state == "in force"]
        before = [each.reading for each in known if each.sha256 == sha256] or [
            each.reading for each in known[-1:]
        ]
        meaningful = [*IDENTITIES, PERMISSION, *filter(None, [updated_at])]
        return ", ".join(
            column
            for column in meaningful
            if any(column in each.columns for each in before) and column not in reading.columns
        )

    def shrinks(self, name: str, export: Accepted, reading: Reading) -> bool:
        """Whether a full export, the newest, has less than half of what the one before had."""
        known = sorted(self.lists.get(name, {}).values(), key=lambda each: each.order)
        known = [each for each in known if each.state == "in force" and each.kind == "full"]
        if export.kind != "full" or not known or export.stamp <= known[-1].stamp:
            return False
        if export.sha256 in self.lists[name]:
            return False
        return 2 * len(reading.records) < len(known[-1].reading.records)
