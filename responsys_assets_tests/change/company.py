"""A company and its vendor: lists on a local server, and the exports that the feeds send."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from responsys_assets_tests.change.reading import EMAIL, KEY, PERMISSION
from responsys_assets_tests.change.steps import (
    Document,
    Send,
    Step,
)

FIRST = dt.date(2026, 10, 29)  # a few days before the clocks of New York go back
COLUMNS = (KEY, EMAIL, PERMISSION, "CITY_", "POINTS", "MODIFIED_DATE_", "CREATED_DATE_")
CITIES = ("Rome", "Oslo", "Paris")
WHERES: dict[str, Callable[[Mapping[str, str]], bool]] = {
    f"{KEY} <> ''": lambda row: True,
    "CITY_ <> 'Oslo'": lambda row: row["CITY_"] != "Oslo",
}


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


def key_of(name: str) -> Document:
    """What the configuration says of the key that decrypts."""
    return {"decrypt": {"private_key_file": f"${{{name}}}"}}


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
