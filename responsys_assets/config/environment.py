"""The variables that a configuration may refer to: `.env` beside it, then the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from responsys_assets.errors import ConfigError

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


def environment(config_file: Path) -> Mapping[str, str]:
    """The environment, and what `.env` beside the configuration adds to it.

    A line is `NAME=value`; quotes around a value are dropped, `#` begins a comment line. What
    the environment sets wins.

    Raises:
        ConfigError: for a line that is something else; its text is not repeated.
    """
    path = config_file.parent / ".env"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return os.environ
    except (OSError, UnicodeDecodeError):
        raise ConfigError("env_unreadable", "cannot be read as text", file=str(path)) from None
    found = {}
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line.startswith("#"):
            continue
        if not (match := _LINE.fullmatch(line)):
            raise ConfigError("env_syntax", "expected NAME=value", file=str(path), line=number)
        found[match[1]] = _unquoted(match[2])
    return {**found, **os.environ}


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
