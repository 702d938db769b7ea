"""A checked configuration with the folder and the environment that give it meaning."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from responsys_assets.config.models import Config, ProfileList
from responsys_assets.errors import ConfigError

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class Project:
    """Paths are relative to the configuration's folder; `${NAME}` is resolved when asked for."""

    config: Config
    file: Path
    env: Mapping[str, str] = field(repr=False)
    now: Callable[[], dt.datetime] = field(default=_now, repr=False, compare=False)

    def text(self, value: str, key: str) -> str:
        """`value` with its `${NAME}`s replaced; `key` is the key path for the error.

        Raises:
            ConfigError: if a variable is not set.
        """

        def variable(match: re.Match[str]) -> str:
            name = match[1]
            if name not in self.env:
                raise ConfigError(
                    "missing_variable",
                    f"the environment variable {name} is not set; set it and run this again",
                    file=str(self.file),
                    key=key,
                )
            return self.env[name]

        return _REFERENCE.sub(variable, value)

    def path(self, value: str, key: str) -> Path:
        """A path of the configuration, absolute."""
        return self.file.parent / Path(self.text(value, key)).expanduser()

    @property
    def lake_path(self) -> Path:
        return self.path(self.config.lake, "lake")

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.config.account.timezone)

    @property
    def country(self) -> str | None:
        """Where mobile numbers without a calling code are from."""
        return self.config.account.country

    def today(self) -> dt.date:
        """The day in account time."""
        return self.now().astimezone(self.zone).date()

    def list_config(self, name: str) -> ProfileList:
        """The configuration of a list.

        Raises:
            ConfigError: if there is no such list.
        """
        if name not in self.config.lists:
            known = ", ".join(self.config.lists)
            raise ConfigError("unknown_list", f"there is no list {name}; the lists are {known}")
        return self.config.lists[name]

    def staging_settings(self, name: str) -> str:
        """Digest of all that decides how an export of this list is read and judged.

        When it changes, what was staged with other settings is staged anew.
        """
        # dict order is kept: without a header line the order of `columns` is their order
        document = json.dumps(self.staging_document(name))
        return hashlib.sha256(document.encode()).hexdigest()[:16]

    def staging_document(self, name: str) -> dict[str, Any]:
        """All that decides how an export of this list is read and judged, by setting."""
        # the engine is loaded by those who stage, and not by whoever reads the configuration
        from responsys_assets.normalise import rules  # noqa: PLC0415

        source = self.list_config(name).model_dump(
            mode="json",
            include={
                "ready",
                "delimiter",
                "enclosure",
                "header",
                "charset",
                "encrypted",
                "updated_at",
                "timestamp_format",
                "columns",
                "rename",
                "max_rejected",
                "max_shrink",
                "max_odd_permissions",
            },
        )
        return {
            "list": source,
            "match_on": self.config.profiles.match_columns,
            "zone": self.config.account.timezone,
            "normaliser": rules(self.country),
            "signers": sorted(self.config.keys.signers),
        }
