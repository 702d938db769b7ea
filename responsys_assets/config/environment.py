"""The variables that a configuration may refer to: `.env` beside it, then the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

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
        found = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ConfigError("env_unreadable", "cannot be read as text", file=str(path)) from None
    values = {name: value for name, value in found.items() if value is not None}
    if len(values) < len(found):
        raise ConfigError("env_syntax", "a line is not NAME=value", file=str(path))
    return {**values, **os.environ}
