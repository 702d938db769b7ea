"""A history lived through: after every sync the world is held against the oracle."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from responsys_assets_tests.change.company import WHERES
from responsys_assets_tests.change.oracle import Accepted, Forbidden, Oracle
from responsys_assets_tests.change.reading import EMAIL, KEY, read, tidy
from responsys_assets_tests.change.receiver import Receiver
from responsys_assets_tests.change.steps import (
    Decide,
    History,
    Lose,
    Release,
    Restore,
    Send,
    Step,
    Sync,
)
from responsys_assets_tests.change.world import Synced, World
from responsys_assets_tests.conftest import PgpKeys

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
SETTLED = ("delivered", "unchanged")


class BrokenLawError(AssertionError):
    """The product did what the law forbids; `law` says which in a word, `text` all of it."""

    def __init__(self, law: str, text: str) -> None:
        super().__init__(f"{law}: {text}")
        self.law, self.text = law, text


def live(history: History, keys: PgpKeys | None = None) -> None:
    """Let a history happen; raises BrokenLawError at the first sync that breaks the law."""
    memory = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="history-") as folder:
        judge = Judge(World(Path(folder), history, keys))
        for number, step in enumerate(history.steps):
            try:
                judge.step(step)
            except BrokenLawError as error:
                raise BrokenLawError(error.law, f"at step {number} {error.text}") from None


def shortest(history: History, keys: PgpKeys | None = None) -> History:
    """A failing history without the steps and records that its failure does not need."""
    law = broken(history, keys)

    def fails(shorter: History) -> bool:
        return broken(shorter, keys) == law

    number = len(history.steps)
    while number := number - 1:  # the first step is an export, without which nothing happens
        if fails(shorter := history.without(number)):
            history = shorter
    for number, step in enumerate(history.steps):
        if isinstance(step, Send):
            history = _with_fewer_records(history, number, step, fails)
    return history


def _with_fewer_records(
    history: History, number: int, send: Send, fails: Callable[[History], bool]
) -> History:
    for record in reversed(range(send.records)):
        smaller = send.without(record)
        if fails(shorter := history.without(number, smaller)):
            history, send = shorter, smaller
    return history


def breaks(history: History, keys: PgpKeys | None = None) -> str:
    """How a history breaks the law; empty if it does not."""
    try:
        live(history, keys)
    except BrokenLawError as error:
        return str(error)
    return ""


def broken(history: History, keys: PgpKeys | None = None) -> str:
    """The law that a history breaks; empty if none."""
    return breaks(history, keys).partition(":")[0]


@dataclass
class Judge:
    """The world, the oracle that looks on, and the receivers."""

    world: World
    oracle: Oracle = field(default_factory=Oracle)
    receivers: dict[tuple[str, str, str], Receiver] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)  # what people were known by
    decided: set[str] = field(default_factory=set)  # files that a person has accepted
    before: Mapping[str, str] = field(default_factory=dict)  # of the last sync: who was a profile

    def step(self, step: Step) -> None:
        if isinstance(step, Sync):
            self.sync()
        elif self.world.take(step):
            match step:
                case Decide():
                    self._decide(step)
                case Release():
                    self._look()  # it was sent before whatever the next sync accepts
                case Lose() | Restore():
                    self._damaged(step)

    def _decide(self, step: Decide) -> None:
        if step.action == "forget":
            self.oracle.forget(step.list)
            return
        if step.action == "accept":
            self.decided.add(step.file)
        verdicts = [e for e in self.world.all_exports(step.list) if e.verdicts]
        newest = max(verdicts, key=lambda e: e.verdicts[-1].when)
        export = self.oracle.lists.get(step.list, {}).get(newest.sha256)
        if export is None:
            return
        if step.action == "withdraw":
            export.state = "taken back" if step.flag else "withdrawn"
        else:
            export.wanted_back()

    def _damaged(self, step: Step) -> None:
        part = (
            step.pattern
            if isinstance(step, Lose)
            else step.part
            if isinstance(step, Restore)
            else ""
        )
        if part.startswith("staged"):
            self.oracle.doubtful |= {*self.oracle.lists}

    # Checks

    def sync(self) -> None:
        """Sync, hold everything against the oracle, and sync once more."""
        world = self.world
        profiles, outbox = world.snapshot("profiles"), world.tree("outbox", "other")
        segments = {name: world.snapshot(f"segments/{name}") for name in world.config["segments"]}
        if world.settles:
            world.sync()
        done = world.sync()
        self._note_accepted()
        if done.result is None:
            unchanged = profiles == world.snapshot("profiles")
            later = done.key.startswith(("segments", "deliveries"))
            if done.code == 2 and not unchanged and not later:
                raise BrokenLawError("refused", f"{done.error}, and yet the profiles are new")
            if unchanged and outbox != world.tree("outbox", "other"):
                raise BrokenLawError("refused", f"{done.error}, and yet something was delivered")
        else:
            self.keys.add(world.match_on)
            self._check_rows(done)
        forbidden = self.oracle.forbidden(world.match_on)
        if done.waits and done.code == 0:
            raise BrokenLawError("silent", "nothing is selected and sent, and nobody is told")
        for name, was in segments.items():
            if (done.code in (0, 3) and not done.waits) or was != world.snapshot(
                f"segments/{name}"
            ):
                self._check_segment(name, forbidden, done)
        self._check_receivers(forbidden, done)
        self._check_repetition(done)

    def _note_accepted(self) -> None:
        world = self.world
        for name, export in world.accepted():
            sent = world.sent[export.sha256]
            settings = world.settings(name)
            reading = read(sent.content, settings, export.stamp)
            if not reading.readable:
                raise BrokenLawError(
                    "readable", f"{sent.file} of list {name} was accepted, but has no key"
                )
            known = Accepted(export.stamp, export.mtime, export.sha256, export.kind)
            if sent.file not in self.decided:
                gone = self.oracle.lost_columns(name, export.sha256, reading, settings.updated_at)
                if gone:
                    raise BrokenLawError(
                        "column gone", f"{sent.file} of list {name} was accepted without {gone}"
                    )
                if self.oracle.shrinks(name, known, reading):
                    raise BrokenLawError(
                        "shrunk", f"{sent.file} of list {name} was accepted, so small"
                    )
            self.oracle.accept(name, known, reading)

    def _check_rows(self, done: Synced) -> None:
        """Nobody is lost whom an accepted export has."""
        world = self.world
        column = world.match_on
        must = self.oracle.profiles(column, world.lists, world.primary)
        there = {row[column] for row in world.rows("profiles")}
        if lost := must.keys() - there:
            raise BrokenLawError(
                "lost", f"{sorted(lost)} are in accepted exports and are no profiles"
            )
        # with no export that could be merged, the profiles stay as they are
        if world.history.quiet and not done.waits and (more := there - must.keys()):
            raise BrokenLawError("left", f"{sorted(more)} are profiles and have left every list")

    def _check_segment(self, name: str, forbidden: Forbidden, done: Synced) -> None:
        world = self.world
        segment = world.config["segments"][name]
        if segment["channel"] == "none":
            return
        rows = world.rows(f"segments/{name}")
        for row in rows:
            self._check_person(row, forbidden, f"segment {name}")
        if world.history.quiet:
            chosen = WHERES[segment["where"]]
            must = {
                who
                for who, profile in self.oracle.reachable(
                    world.match_on, world.lists, world.primary
                ).items()
                if chosen(profile.values)
            }
            if lost := must - {row[KEY] for row in rows}:
                raise BrokenLawError(
                    "unreached", f"{sorted(lost)} may be mailed and are not in segment {name}"
                )

    def _check_person(
        self, row: Mapping[str, str], forbidden: Forbidden, where: str, *, opt_in: bool = True
    ) -> None:
        world = self.world
        who, address = tidy(row[world.match_on], world.match_on), tidy(row[EMAIL], EMAIL)
        if why := forbidden.why(who, address):
            raise BrokenLawError("opted out", f"{who} at {address} is in {where}, but {why}")
        if opt_in and not self.oracle.opted_in(world.match_on, who, world.lists):
            raise BrokenLawError("no opt-in", f"{who} is in {where}, but no list says I")

    def _look(self) -> None:
        """The receivers take what is there."""
        for receiver in self.receivers.values():
            receiver.look()

    def _check_receivers(self, forbidden: Forbidden, done: Synced) -> None:
        current = set()
        for name, config in self.world.config["deliveries"].items():
            place = (config["to"], config.get("folder", ""), config["file"])
            current.add(place)
            folder = self.world.folder / place[0] / place[1]
            self.receivers.setdefault(
                place, Receiver(folder, place[2], config.get("mode") == "full")
            )
            named = self.receivers[place].look()
            for person in named:
                self._check_person(person, forbidden, f"a file of delivery {name}")
            state, reason = done.delivery(name)
            guarded = state == "held" and reason == "guard" and config.get("mode") == "changes"
            if len(self.keys) == 1 and (state in SETTLED or guarded):
                for person in self.receivers[place].active.values():
                    # a guard holds people who only left the lists, and no opt-out
                    where = f"what {name}'s receiver believes"
                    self._check_person(person, forbidden, where, opt_in=not guarded)
                self._check_reached(name, self.receivers[place], state)

    def _check_reached(self, name: str, receiver: Receiver, state: str) -> None:
        """On quiet days a receiver has exactly the segment."""
        segment = self.world.config["deliveries"][name]["segment"]
        if self.world.history.quiet and state in SETTLED:
            has = {row[KEY] for row in self.world.rows(f"segments/{segment}")}
            if has != receiver.active.keys():
                raise BrokenLawError(
                    "unreached", f"the receiver has {sorted(receiver.active)}, not {sorted(has)}"
                )

    def _check_repetition(self, done: Synced) -> None:
        """With nothing new a sync writes nothing and ends the same way."""
        world = self.world
        before = world.tree("lake", "outbox", "other")
        again = world.sync()
        if (again.code, again.error) != (done.code, done.error):
            raise BrokenLawError(
                "repeated",
                f"ended with {done.code} {done.error}, repeated with {again.code} {again.error}",
            )
        if done.code in (0, 3) and (after := world.tree("lake", "outbox", "other")) != before:
            changed = sorted({*before.items()} ^ {*after.items()})
            raise BrokenLawError("repeated", f"a sync with nothing new wrote {changed[0][0]}")
