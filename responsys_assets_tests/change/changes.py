"""What changes around a company's exports, kind by kind.

Each kind of change is a generator of phases; between them the feeds go on sending and the
project goes on syncing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from responsys_assets_tests.change.company import COLUMNS, WHERES, Company, key_of
from responsys_assets_tests.change.reading import EMAIL, KEY, PERMISSION
from responsys_assets_tests.change.steps import (
    BackUp,
    Block,
    CleanServer,
    Decide,
    Edit,
    Lose,
    Move,
    Release,
    Restore,
    Reverse,
    Send,
    Step,
)

Phases = Iterator[list[Step]]


def key_replaced(company: Company) -> Phases:
    """What was sent before cannot be decrypted any more; then a setting is edited."""
    company.recipient = "partner"
    yield [Edit(("keys",), key_of("partner"))]
    yield from KINDS[company.chance.choice(AFTER_PRUNING)](company)


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
