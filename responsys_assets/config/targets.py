"""Where a delivery goes: what a receiver has belongs to this place, not to a delivery's name."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

from responsys_assets.config.models import Config, Delivery, LocalServer, SftpServer
from responsys_assets.config.patterns import FilePattern, have_common


@dataclass(frozen=True, order=True)
class Target:
    """A server, a folder on it (normalised) and a pattern of file names.

    `was_at` is the place that the server's name meant when a plan was made.
    """

    server: str
    folder: str
    file: str
    was_at: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls.at(delivery.to, delivery.folder, delivery.file)

    @classmethod
    def at(cls, server: str, folder: str, pattern: FilePattern) -> Self:
        """Files of a pattern in a folder, as the configuration names it."""
        return cls(server, _normalised(folder), pattern.text)

    @classmethod
    def of_manifest(cls, manifest: Mapping[str, Any]) -> Self:
        """Where the plan with this manifest goes, or went."""
        to = manifest["to"]
        return cls(
            to["server"],
            _normalised(to["folder"]),
            manifest["shape"]["file"],
            tuple(to.get("place", ())),
        )

    @property
    def key(self) -> str:
        """A short name for it in the lake."""
        return hashlib.sha256(str(self).encode()).hexdigest()[:16]

    def place(self, config: Config) -> tuple[str, ...]:
        """The folder itself: the same for two servers that are one machine or one folder."""
        server = config.servers.get(self.server)
        if isinstance(server, LocalServer):
            return ("local", posixpath.normpath(posixpath.join(server.path, self.folder)))
        if isinstance(server, SftpServer):
            login = (server.host.lower(), str(server.port), server.username)
            return ("sftp", *login, self.folder)
        return ("unknown", self.server, self.folder)

    def shares_place(self, other: Target, config: Config) -> bool:
        """Whether both are one folder, as servers are called now or were when plans were made."""
        same_name = (self.server, self.folder) == (other.server, other.folder)
        return same_name or not self._places(config).isdisjoint(other._places(config))

    def same_receiver(self, other: Target, config: Config) -> bool:
        """Whether both are one folder and could write the same name there."""
        return self.shares_place(other, config) and _have_common_name(self.file, other.file)

    def _places(self, config: Config) -> set[tuple[str, ...]]:
        return {self.place(config), *([self.was_at] if self.was_at else [])}

    def __str__(self) -> str:
        return f"{self.server}:{posixpath.normpath(posixpath.join(self.folder, self.file))}"


@lru_cache(maxsize=1_000)
def _have_common_name(one: str, other: str) -> bool:
    shapes = FilePattern(one).shapes, FilePattern(other).shapes
    return any(have_common(ours, theirs) for ours in shapes[0] for theirs in shapes[1])


def _normalised(folder: str) -> str:
    """A folder written one way: no `.`, no doubled or final slash."""
    return posixpath.normpath(folder or ".").replace("//", "/")


def names_of(delivery: Delivery) -> list[str]:
    """The shapes of all names that a delivery may write, ready files included."""
    shapes = delivery.file.shapes
    if delivery.ready == "none":
        return shapes
    return [*shapes, *(shape + delivery.ready.suffix.lower() for shape in shapes)]


def may_collide(first: Delivery, second: Delivery) -> bool:
    """Whether two deliveries into one folder could write the same name."""
    return any(have_common(ours, theirs) for ours in names_of(first) for theirs in names_of(second))
