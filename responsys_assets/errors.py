"""Errors written for the person who must act: what, where, why, what to do.

Messages never hold a record's values: names of lists, files, columns and numbers only.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """What a command tells the shell."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    WAITING = 3


class ResponsysError(Exception):
    """A failure that a person can act on.

    `code` is stable and machine-readable; `file`, `line` and `key` locate it when known.
    """

    exit_code = ExitCode.FAILED

    def __init__(
        self,
        code: str,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.file = file
        self.line = line
        self.key = key

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        prefix = ": ".join(part for part in (place, self.key) if part)
        return f"{prefix}: {self.message}" if prefix else self.message

    def as_json(self) -> dict[str, Any]:
        """The `error` document of `--json`."""
        return {
            "code": self.code,
            "message": self.message,
            "file": self.file,
            "line": self.line,
            "key": self.key,
        }


class ConfigError(ResponsysError):
    """The configuration, or the way a command was called, is wrong."""

    exit_code = ExitCode.USAGE


class ServerError(ResponsysError):
    """A server cannot be reached, refuses us, or is not the one it should be."""


class TransientServerError(ServerError):
    """A server fault that may pass: worth another attempt."""


class PgpError(ResponsysError):
    """A message cannot be trusted, read or written, or a key is missing."""


class ExportError(ResponsysError):
    """An export cannot be taken as it is; its file is held or failed, others go on."""


class LakeError(ResponsysError):
    """The lake cannot be read or written: locked, full, damaged."""


class DeliveryError(ResponsysError):
    """A delivery cannot be made or sent."""
