"""A company whose settings, headers, lists and lake change between exports: random histories.

Each kind of change is a generator of phases; between them the feeds go on sending and the
project goes on syncing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from responsys_assets_tests.change.reading import EMAIL, KEY, PERMISSION
from responsys_assets_tests.change.steps import (
    BackUp,
    Block,
    CleanServer,
    Decide,
    Document,
    Edit,
    History,
    Lose,
    Move,
    Release,
    Restore,
    Reverse,
    Send,
    Step,
    Sync,
)

FIRST = dt.date(2026, 10, 29)  # a few days before the clocks of New York go back
COLUMNS = (KEY, EMAIL, PERMISSION, "CITY_", "POINTS", "MODIFIED_DATE_", "CREATED_DATE_")
CITIES = ("Rome", "Oslo", "Paris")
WHERES: dict[str, Callable[[Mapping[str, str]], bool]] = {
    f"{KEY} <> ''": lambda row: True,
    "CITY_ <> 'Oslo'": lambda row: row["CITY_"] != "Oslo",
}
Phases = Iterator[list[Step]]


@dataclass
class Company:
    """The vendor's side: what the feeds look like by now.

    `calm`: no autumn hour, no missing time, no odd permission, so that nothing is in doubt.
    """

    chance: Random
    feeds: list[str]
    config: Document
    day: dict[str, int] = field(default_factory=dict)
    delimiter: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    both: set[str] = field(default_factory=set)  # feeds of full and incremental exports
    sent: list[Send] = field(default_factory=list)
    recipient: str = ""
    dirt: bool = False
    calm: bool = False

    def send(
        self,
        feed: str,
        *,
        again: bool = False,
        late: bool = False,
        header: Sequence[str] = COLUMNS,
        people: int | None = None,
        leave_out: str = "",
    ) -> list[Step]:
        """The next export of a feed, or the last one in another version."""
        chance = self.chance
        if again and not any(each.feed == feed for each in self.sent):
            again = False
        if again:
            before = next(each for each in reversed(self.sent) if each.feed == feed)
            kind, day = before.kind, before.day
        else:
            number = self.day.get(feed, 0) + 1
            if late:
                number = max(number - 2, 0)
            else:
                self.day[feed] = number
            day = f"{FIRST + dt.timedelta(days=number):%Y%m%d}"
            kind = self.config["lists"].get(feed, {}).get("export", "full")
            if feed in self.both:
                kind = chance.choice(["full", "incremental"])
        versions = [e for e in self.sent if (e.feed, e.day, e.kind) == (feed, day, kind)]
        least = 1 if kind == "incremental" else 4
        count = chance.randint(least, 8) if people is None else people
        keys = sorted(chance.sample(range(1, 9), count))
        rows = [self._record(feed, key, day) for key in keys]
        if self.dirt and rows:
            self._spoil(rows)
        if leave_out:
            place = COLUMNS.index(leave_out)
            header = [name for n, name in enumerate(header) if n != place]
            rows = [[value for n, value in enumerate(row) if n != place] for row in rows]
        lines = [[*header], *rows]
        separator = self.delimiter.get(feed, ",")
        content = "".join(f"{separator.join(line)}\n" for line in lines)
        moment = dt.datetime.strptime(day, "%Y%m%d").replace(tzinfo=dt.UTC)
        mtime = moment.timestamp() + 6 * 3600 + 60 * len(versions)
        made = Send(feed, day, content, str(len(rows)), kind, mtime, self.recipient)
        self.sent.append(made)
        return [made]

    def _record(self, feed: str, key: int, day: str) -> list[str]:
        chance = self.chance
        known = f"k{key}{chance.choice(['', '', '', '.old'])}@x.com"
        address = chance.choice([known] * 12 + [known.upper(), "shared@x.com", ""])
        if self.calm:
            permission = chance.choice(["I", "I", "I", "i", "O", ""])
        else:
            permission = chance.choice(["I"] * 10 + ["O"] * 5 + ["", "o", "i", "out", "Yes"])
        modified = self._time(feed, day)
        record = [f"K{key}", address, permission, chance.choice(CITIES), str(chance.randint(1, 9))]
        record += [modified, self._text(feed, dt.datetime(2026, 9, 1, 12, key))]  # noqa: DTZ001
        return record

    def _spoil(self, records: list[list[str]]) -> None:
        """Some records are damaged, or of nobody."""
        for record in records:
            match self.chance.choice(
                ["number", "time", "more", "less", "future", "key", *[""] * 12]
            ):
                case "number":
                    record[COLUMNS.index("POINTS")] = "many"
                case "time":
                    record[COLUMNS.index("MODIFIED_DATE_")] = "soon"
                case "future":
                    record[COLUMNS.index("MODIFIED_DATE_")] = "2027-06-01 00:00:00"
                case "key":
                    record[COLUMNS.index(KEY)] = ""
                case "more":
                    record.append("more")
                case "less":
                    del record[self.chance.choice([0, 0, 1, 3])]

    def _time(self, feed: str, day: str) -> str:
        chance = self.chance
        moment = dt.datetime.strptime(day, "%Y%m%d") - dt.timedelta(  # noqa: DTZ007 - local
            hours=chance.choice([1, 3, 20, 30, 60]), minutes=chance.randrange(60)
        )
        drawn = chance.random()
        if not self.calm and drawn < 0.08:
            return ""
        if not self.calm and drawn < 0.16 and day >= "20261102":
            moment = dt.datetime(2026, 11, 1, 1, chance.randrange(60))  # noqa: DTZ001 - local
        if self.calm and moment.date() == dt.date(2026, 11, 1):
            moment -= dt.timedelta(days=1)
        return self._text(feed, moment)

    def _text(self, feed: str, moment: dt.datetime) -> str:
        return moment.strftime(self.form.get(feed, "%Y-%m-%d %H:%M:%S"))

    def some(self) -> str:
        return self.chance.choice(self.feeds)


def _key(name: str) -> Document:
    return {"decrypt": {"private_key_file": f"${{{name}}}"}}


def key_replaced(company: Company) -> Phases:
    """What was sent before cannot be decrypted any more; then a setting is edited."""
    company.recipient = "partner"
    yield [Edit(("keys",), _key("partner"))]
    yield from KINDS[company.chance.choice(AFTER_PRUNING)](company)


def a_config(chance: Random, feeds: Sequence[str], both: set[str]) -> Document:
    """Lists on a local server, a segment of a channel, a delivery of it."""
    lists = {}
    for name in feeds:
        files: Any = f"{name.upper()}_{{YYYYMMDD}}.csv"
        source: Document = {"server": "files", "files": files}
        source |= {"updated_at": "MODIFIED_DATE_", "columns": {"POINTS": "integer"}}
        source |= {"max_rejected": chance.choice(["100%", "100%", "40%"])}
        if name in both:
            incremental = f"{name.upper()}_INC_{{YYYYMMDD}}.csv"
            source["files"] = {"full": files, "incremental": incremental}
        if chance.random() < 0.1:
            source |= {"ready": "none", "settle": "0s"}
        lists[name] = source
    file, mode = chance.choice(
        [
            ("mail_{YYYYMMDD}_{HHMISS}.csv", "full"),
            ("mail_{seq}.csv", "changes"),
            ("mail_{seq}_{change}.csv", "changes"),
        ]
    )
    config: Document = {
        "account": {"name": "acme", "timezone": "America/New_York"},
        "lake": "lake",
        "servers": {
            "files": {"type": "local", "path": "files"},
            "outbox": {"type": "local", "path": "outbox"},
            "other": {"type": "local", "path": "other"},
        },
        "lists": lists,
        "profiles": {"match_on": KEY},
        "segments": {
            "mail": {
                "where": chance.choice([*WHERES]),
                "channel": "email",
                "columns": [KEY, EMAIL, "CITY_"],
            }
        },
        "deliveries": {"partner": {"segment": "mail", "to": "outbox", "file": file, "mode": mode}},
    }
    if chance.random() < 0.15:
        config["profiles"] |= {"insert_new": False, "primary": feeds[0]}
    if chance.random() < 0.1:
        config["segments"]["all"] = {"where": f"{KEY} <> ''", "channel": "none"}
    return config


def _set(feed: str, key: str, value: Any) -> list[Step]:
    return [Edit(("lists", feed, key), value)]


def _edited(key: str, *values: Any) -> Callable[[Company], Phases]:
    """A setting of a list is set, and perhaps put back."""

    def phases(company: Company) -> Phases:
        feed = company.some()
        yield _set(feed, key, company.chance.choice(values))
        if company.chance.random() < 0.5:
            yield _set(feed, key, company.config["lists"][feed].get(key))

    return phases


def delimiter(company: Company) -> Phases:
    """The vendor changes it and the setting follows, or the setting alone is edited."""
    feed = company.some()
    if company.chance.random() < 0.6:
        company.delimiter[feed] = ";"
    yield _set(feed, "delimiter", ";")
    yield company.send(feed)


def timestamp_format(company: Company) -> Phases:
    feed, form = company.some(), "%d.%m.%Y %H:%M:%S"
    if company.chance.random() < 0.6:
        company.form[feed] = form
    yield _set(feed, "timestamp_format", form)
    yield company.send(feed)


def encrypted(company: Company) -> Phases:
    feed = company.some()
    key = Edit(("keys",), {"decrypt": {"private_key_file": "no.key"}})
    yield [key, *_set(feed, "encrypted", True)]
    yield _set(feed, "encrypted", None)


def signers(company: Company) -> Phases:
    yield [Edit(("keys",), {"signers": ["A" * 40]})]


def ready_count(company: Company) -> Phases:
    feed, chance = company.some(), company.chance
    yield _set(
        feed,
        "ready",
        chance.choice([{"counts_header": True}, {"count": "none"}, {"count": "optional"}]),
    )
    yield _set(feed, "ready", company.config["lists"][feed].get("ready"))


def match_on(company: Company) -> Phases:
    yield [Edit(("profiles", "match_on"), EMAIL)]
    if company.chance.random() < 0.5:
        yield [Edit(("profiles", "match_on"), KEY)]


def zone(company: Company) -> Phases:
    away = company.chance.choice(["Europe/Rome", "Asia/Tokyo", "UTC"])
    yield [Edit(("account", "timezone"), away)]
    if company.chance.random() < 0.3:
        yield [Edit(("account", "timezone"), "America/New_York")]


def list_renamed(company: Company) -> Phases:
    feed = company.some()
    if company.chance.random() < 0.5:
        yield [CleanServer("20261120")]
    yield [Move("lists", feed, f"{feed}_2")]
    yield company.send(feed)
    if company.chance.random() < 0.3:
        yield [Decide(feed, "forget")]


def list_removed(company: Company) -> Phases:
    feed = company.feeds[-1]
    source = company.config["lists"][feed]
    yield [Edit(("lists", feed), None)]
    drawn = company.chance.random()
    if drawn < 0.4:
        yield [Edit(("lists", feed), source)]
    elif drawn < 0.6:
        yield [Decide(feed, "forget")]


def list_order(company: Company) -> Phases:
    yield [Reverse()]


def where(company: Company) -> Phases:
    yield [Edit(("segments", "mail", "where"), company.chance.choice([*WHERES]))]


def delivery(company: Company) -> Phases:
    """It goes elsewhere, or has another name."""
    chance = company.chance
    match chance.choice(["to", "folder", "file", "name", "guard"]):
        case "to":
            yield [Edit(("deliveries", "partner", "to"), "other")]
        case "folder":
            yield [Edit(("deliveries", "partner", "folder"), "audience")]
        case "file":
            pattern = company.config["deliveries"]["partner"]["file"]
            yield [Edit(("deliveries", "partner", "file"), f"new_{pattern}")]
        case "name":
            yield [Move("deliveries", "partner", "mailing")]
        case "guard":
            yield [Edit(("deliveries", "partner", "guard"), {"max_removed": "10%"})]
            yield company.send(company.some())
            yield [Release("partner")]


def withdraw(company: Company) -> Phases:
    sent = company.chance.choice(company.sent)
    yield [Decide(sent.feed, "withdraw", sent.file)]
    if company.chance.random() < 0.3:
        yield [Decide(sent.feed, company.chance.choice(["retry", "accept"]), sent.file)]


def withdraw_opt_outs(company: Company) -> Phases:
    sent = company.chance.choice(company.sent)
    yield [Decide(sent.feed, "withdraw", sent.file, "--opt-outs")]


def accept(company: Company) -> Phases:
    """A count that does not fit, and a person who takes the file all the same."""
    feed = company.some()
    (sent,) = company.send(feed)
    assert isinstance(sent, Send)
    yield [replace(sent, announced="77")]
    yield [Decide(feed, "accept", sent.file)]
    if company.chance.random() < 0.5:
        yield [Decide(feed, "retry", sent.file)]


def retry(company: Company) -> Phases:
    sent = company.chance.choice(company.sent)
    yield [Decide(sent.feed, "retry", sent.file)]


def prune(company: Company) -> Phases:
    keep = company.chance.choice([{"exported": "1d"}, {"exported": "1d", "snapshots": 1}])
    yield [Edit(("keep",), keep)]
    yield [CleanServer("20261120")]
    yield from KINDS[company.chance.choice(AFTER_PRUNING)](company)


def header_drift(company: Company) -> Phases:
    """A name of a column is no longer quite what it was, or the column has gone."""
    feed, chance = company.some(), company.chance
    column = chance.choice([PERMISSION, PERMISSION, EMAIL, "MODIFIED_DATE_"])
    drift = chance.choice(["space", "no-break", "underscore", "words", "gone"])
    names = {
        "space": f"{column} ",
        "no-break": f"{column}\u00a0",
        "underscore": column.rstrip("_"),
        "words": column.replace("_", " ").title().strip(),
    }
    if drift == "gone":
        yield company.send(feed, leave_out=column)
    else:
        yield company.send(feed, header=[names[drift] if c == column else c for c in COLUMNS])


def header_only(company: Company) -> Phases:
    yield company.send(company.some(), people=0)


def sent_again(company: Company) -> Phases:
    yield company.send(company.some(), again=True)


def late(company: Company) -> Phases:
    """An export of an older day arrives, perhaps with what was there already."""
    feed = company.some()
    company.day[feed] = company.day.get(feed, 0) + 1
    yield company.send(feed)
    yield company.send(feed, late=True)


def delivery_fails(company: Company) -> Phases:
    """The receiver's server refuses some files for a while."""
    chance = company.chance
    if chance.random() < 0.7:
        file = {"file": "mail_{seq}_{change}.csv", "mode": "changes"}
        company.config["deliveries"]["partner"] |= file
    words = chance.choice(["_update", "_update", "_add", "mail"])
    yield [Block(words)]
    yield company.send(company.some())
    yield company.send(company.some())
    yield [Block(words, ends=True)]


def dirt(company: Company) -> Phases:
    """Rejected records, and records without a key."""
    company.dirt = True
    yield company.send(company.some())
    if company.chance.random() < 0.5:
        yield company.send(company.some(), again=True)


def autumn(company: Company) -> Phases:
    """Times that are in doubt are common; here nothing else is."""
    yield company.send(company.some())


def lose_current(company: Company) -> Phases:
    yield [Lose("profiles/CURRENT")]


def lose_snapshot(company: Company) -> Phases:
    yield [Lose("profiles/2*"), Lose("profiles/CURRENT")]


def lose_receipt(company: Company) -> Phases:
    yield [Lose(f"staged/{company.some()}/*/*.json")]


def restore(part: str) -> Callable[[Company], Phases]:
    def phases(company: Company) -> Phases:
        yield [BackUp()]
        yield company.send(company.some())
        yield [Restore(part)]

    return phases


KINDS: dict[str, Callable[[Company], Phases]] = {
    "delimiter": delimiter,
    "timestamp_format": timestamp_format,
    "updated_at": _edited("updated_at", None, "CREATED_DATE_"),
    "types": _edited("columns", {"CITY_": "integer"}, {}, {"POINTS": "number"}),
    "max_rejected": _edited("max_rejected", "0%", "100%"),
    "rename_permission": _edited("rename", {PERMISSION: "PERM"}),
    "encrypted": encrypted,
    "signers": signers,
    "ready_count": ready_count,
    "match_on": match_on,
    "zone": zone,
    "list_renamed": list_renamed,
    "list_removed": list_removed,
    "list_order": list_order,
    "where": where,
    "delivery": delivery,
    "withdraw": withdraw,
    "withdraw_opt_outs": withdraw_opt_outs,
    "accept": accept,
    "retry": retry,
    "prune": prune,
    "header_drift": header_drift,
    "header_only": header_only,
    "sent_again": sent_again,
    "late": late,
    "delivery_fails": delivery_fails,
    "dirt": dirt,
    "autumn": autumn,
    "lose_current": lose_current,
    "lose_snapshot": lose_snapshot,
    "lose_receipt": lose_receipt,
    **{
        f"restore_{part}": restore(part) for part in ("staged", "profiles", "deliveries", "consent")
    },
}
AFTER_PRUNING = (
    "delimiter timestamp_format updated_at types match_on zone list_renamed list_removed withdraw "
    "retry encrypted max_rejected"
).split()
# after these the law says exactly who may be mailed, if the records themselves are in order
EXACT = (
    "delimiter timestamp_format ready_count encrypted signers list_renamed "
    "list_removed list_order where delivery withdraw accept retry sent_again late delivery_fails "
    "lose_current lose_snapshot restore_profiles"
).split()
LAKE = {name for name in KINDS if name.startswith(("lose_", "restore_"))}


def a_history(chance: Random, kinds: Sequence[str], *, calm: bool = False) -> History:
    """A history with these kinds of change, on calm days perhaps."""
    company = _a_company(chance, calm=calm)
    return _happens(company, kinds, [KINDS[kind](company) for kind in kinds])


def an_encrypted_history(chance: Random) -> History:
    """A history in which the key is replaced by which exports are decrypted."""
    company = _a_company(chance, calm=False)
    company.recipient = "own"
    company.config["keys"] = _key("own")
    for source in company.config["lists"].values():
        source["encrypted"] = True
        files = source["files"]
        if isinstance(files, str):
            source["files"] = f"{files}.gpg"
        else:
            source["files"] = {kind: f"{name}.gpg" for kind, name in files.items()}
    return _happens(company, ["key_replaced"], [key_replaced(company)])


def _a_company(chance: Random, *, calm: bool) -> Company:
    feeds = chance.sample(["core", "web", "shop"], chance.choice([2, 2, 3]))
    both = {name for name in feeds if chance.random() < 0.25}
    config = a_config(chance, feeds, both)
    for source in config["lists"].values() if calm else ():
        source["max_rejected"] = "40%"  # or what is read with wrong settings would be accepted
    return Company(chance, feeds, config, both=both, calm=calm)


def _happens(company: Company, kinds: Sequence[str], changes: list[Phases]) -> History:
    """The phases of all changes between exports and syncs."""
    chance, feeds = company.chance, company.feeds
    steps: list[Step] = [step for feed in feeds for step in company.send(feed, people=6)]
    steps.append(Sync())
    for _ in range(40):
        if not changes and len([s for s in steps if isinstance(s, Send)]) >= len(feeds) + 2:
            break
        phase: list[Step] | None = None
        if changes and chance.random() < 0.6:
            change = chance.choice(changes)
            phase = next(change, None)
            if phase is None:
                changes.remove(change)
                continue
        steps += company.send(company.some()) if phase is None else phase
        if chance.random() < 0.5:
            steps.append(Sync())
    if not isinstance(steps[-1], Sync):
        steps.append(Sync())
    return History(company.config, tuple(steps), quiet=company.calm, kinds=tuple(kinds))


def some_kinds(chance: Random, among: Sequence[str] = (*KINDS,)) -> list[str]:
    """One to three kinds of change; the lake is damaged by one at most, or facts may be gone."""
    kinds = chance.sample(sorted(among), chance.choice([1, 2, 2, 3]))
    damage = [kind for kind in kinds if kind in LAKE]
    return [kind for kind in kinds if kind not in damage[1:]]
