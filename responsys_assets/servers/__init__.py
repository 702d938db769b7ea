"""Servers: where exports come from and deliveries go to.

A new kind of server is one class with the methods of `base.Server` and one line in `_KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from responsys_assets.config.models import LocalServer, SftpServer
from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError
from responsys_assets.servers.base import Server
from responsys_assets.servers.local import Local
from responsys_assets.servers.sftp import Sftp

_KINDS: dict[type, Callable[[Project, str, Any], Server]] = {
    SftpServer: Sftp,
    LocalServer: Local,
}


def open_server(project: Project, name: str) -> Server:
    """The server of that name in the configuration; use it in a `with` statement.

    Raises:
        ConfigError: if there is no such server, or a variable or key file of it is missing.
        ServerError: on entering, if it cannot be reached, refuses us or shows a wrong key.
    """
    config = project.config.servers.get(name)
    if config is None:
        known = ", ".join(project.config.servers)
        raise ConfigError("unknown_server", f"there is no server {name}; the servers are {known}")
    return _KINDS[type(config)](project, name, config)


__all__ = ["Server", "open_server"]
