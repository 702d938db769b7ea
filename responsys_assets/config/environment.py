"""The variables that a configuration may refer to: `.env` beside it, then the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv.parser import parse_stream

from responsys_assets.errors import ConfigError


def environment(config_file: Path) -> Mapping[str, str]:
    """The environment, and what `.env` beside the configuration adds to it.

    What the environment sets wins. Nothing in a value is expanded.

    Raises:
        ConfigError: for a file or a line that cannot be read; its text is not repeated.
    """
    path = config_file.parent / ".env"
    if not path.is_file():
        return os.environ
    try:
        with path.open(encoding="utf-8-sig") as stream:
            found = list(parse_stream(stream))
    except (OSError, UnicodeDecodeError):
        raise ConfigError("env_unreadable", "cannot be read as text", file=str(path)) from None
    values = {}
    for line in found:
        if line.error or (line.key is not None and line.value is None):
            raise ConfigError(
                "env_syntax", "expected NAME=value", file=str(path), line=line.original.line
            )
        if line.key is not None and line.value is not None:
            values[line.key] = line.value
    return {**values, **os.environ}
