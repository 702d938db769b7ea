"""Random histories: exports, syncs, and some kinds of change between them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from responsys_assets_tests.change.changes import KINDS, LAKE, Phases, key_replaced
from responsys_assets_tests.change.company import Company, a_config, key_of
from responsys_assets_tests.change.steps import History, Send, Step, Sync


def a_history(chance: Random, kinds: Sequence[str], *, calm: bool = False) -> History:
    """A history with these kinds of change, on calm days perhaps."""
    company = _a_company(chance, calm=calm)
    return _happens(company, kinds, [KINDS[kind](company) for kind in kinds])


def an_encrypted_history(chance: Random) -> History:
    """A history in which the key is replaced by which exports are decrypted."""
    company = _a_company(chance, calm=False)
    company.recipient = "own"
    company.config["keys"] = key_of("own")
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
