"""Where a delivery goes: what a receiver has belongs to this place, not to a delivery's name."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from responsys_assets.config.models import Config, Delivery, LocalServer, SftpServer


@dataclass(frozen=True, order=True)
class Target:
    """A server, a folder on it (normalised) and a pattern of file names."""

    server: str
    folder: str
    file: str

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls(delivery.to, _normalised(delivery.folder), delivery.file.text)

    @classmethod
    def of_manifest(cls, manifest: Mapping[str, Any]) -> Self:
        """Where the plan with this manifest goes, or went."""
        to = manifest["to"]
        return cls(to["server"], _normalised(to["folder"]), manifest["shape"]["file"])

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

    def __str__(self) -> str:
        return f"{self.server}:{posixpath.normpath(posixpath.join(self.folder, self.file))}"


def _normalised(folder: str) -> str:
    """A folder written one way: no `.`, no doubled or final slash."""
    return posixpath.normpath(folder or ".").replace("//", "/")
