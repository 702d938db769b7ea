"""Words that must never be seen, and the search for them."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PEOPLE = 10
FIELDS = 4  # of each person
_CHILD = "subprocess.Popen"


def _word(seed: int, number: int) -> str:
    letters = random.Random(f"{seed} {number}").choices("bcdfghjklmnpqrstvwxz", k=12)  # noqa: S311
    return f"kanari{''.join(letters)}"


@dataclass(frozen=True)
class Canaries:
    """50 of them: secrets, people in suppression files, people in exports."""

    passphrase: str
    wrong_passphrase: str
    literal: str  # a secret that somebody wrote into the configuration
    variable: str  # a secret that is none of our business
    broken_line: str  # of .env
    key_file: str  # what stands in a damaged key
    ready: str  # what stands in a wrong ready file
    crash: str  # what a library says when it breaks
    suppressed: tuple[str, str]
    people: tuple[tuple[str, str, str, str], ...]  # key, e-mail, phone, name

    @classmethod
    def of(cls, seed: int) -> Canaries:
        words = [_word(seed, number) for number in range(50)]
        phones = random.Random(seed)  # noqa: S311
        people = tuple(
            (
                words[10 + FIELDS * n],
                f"{words[11 + FIELDS * n]}@example.com",
                f"49{phones.randrange(10**11, 10**12)}",
                words[13 + FIELDS * n],
            )
            for n in range(PEOPLE)
        )
        return cls(
            passphrase=words[0],
            wrong_passphrase=words[1],
            literal=words[2],
            variable=words[3],
            broken_line=words[4],
            key_file=words[5],
            ready=words[6],
            crash=words[7],
            suppressed=(words[8], words[9]),
            people=people,
        )

    def words(self, extra: tuple[str, ...] = ()) -> list[str]:
        secrets = [value for value in vars(self).values() if isinstance(value, str)]
        people = [field.split("@")[0] for person in self.people for field in person]
        found = [*secrets, *self.suppressed, *people]
        assert len(set(found)) == 8 + 2 + PEOPLE * FIELDS == 50
        return [*found, *extra]


def sightings(words: list[str], content: bytes, where: str) -> list[str]:
    """Which of these words are in some bytes, in any case."""
    lower = content.lower()
    return [f"{word} in {where}" for word in words if word.lower().encode() in lower]


def in_files(words: list[str], root: Path, belongs: tuple[str, ...] = ()) -> list[str]:
    """The same in the bytes (and names) of all files below, but those where rows belong."""
    return [
        each
        for path in sorted(root.rglob("*"))
        if not any(path.match(pattern) for pattern in belongs)
        for each in sightings(
            words,
            str(path.relative_to(root)).encode() + (path.read_bytes() if path.is_file() else b""),
            str(path.relative_to(root)),
        )
    ]


_watched: list[bytes] | None = None


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == _CHILD and _watched is not None:
        program, command, folder, environment = arguments
        shown = os.environ if environment is None else environment
        _watched.append(repr((program, command, folder, shown)).encode())


sys.addaudithook(_note)


@contextmanager
def children() -> Iterator[list[bytes]]:
    """Command line and environment of every program that is started meanwhile."""
    global _watched  # noqa: PLW0603 - a hook cannot be taken away
    found: list[bytes] = []
    _watched = found
    try:
        yield found
    finally:
        _watched = None
