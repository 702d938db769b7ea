"""A company with two lists: `core` says that K1 opted out, `web` that K1 opted in later."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from responsys_assets_tests.commands.conftest import Result

HEADER = ["CUSTOMER_ID_", "EMAIL_ADDRESS_", "EMAIL_PERMISSION_STATUS_", "CITY_", "MODIFIED_DATE_"]
OUT = ["K1", "k1@x.com", "O", "Rome", "2026-01-01 10:00:00"]
IN = ["K2", "k2@x.com", "I", "Paris", "2026-01-01 10:00:00"]
WEB = [
    ["K1", "k1@x.com", "I", "Rome", "2026-01-02 01:00:00"],
    ["K3", "k3@x.com", "I", "Oslo", "2026-01-02 01:00:00"],
]


@dataclass
class Company:
    """A project on local files; `lists` and `more` go into its configuration."""

    folder: Path
    call: Callable[..., Result]
    lists: dict[str, dict[str, Any]] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "in").mkdir()
        self.lists = {"core": self.list_config("CORE"), "web": self.list_config("WEB")}
        self.configure()

    @staticmethod
    def list_config(name: str, **keys: Any) -> dict[str, Any]:
        files = f"{name}_{{YYYYMMDD}}.csv"
        return {"server": "in", "files": files, "updated_at": "MODIFIED_DATE_", **keys}

    def configure(self, **more: Any) -> None:
        """Write the configuration, with these top-level keys from now on."""
        self.more |= more
        config = {
            "account": {"name": "acme", "timezone": "America/New_York"},
            "lake": "./lake",
            "servers": {
                "in": {"type": "local", "path": "in"},
                "out": {"type": "local", "path": "out"},
            },
            "lists": self.lists,
            "profiles": {"match_on": "CUSTOMER_ID_"},
            "segments": {
                "people": {
                    "where": "1 = 1",
                    "channel": "email",
                    "columns": ["CUSTOMER_ID_", "EMAIL_ADDRESS_"],
                }
            },
            "deliveries": {
                "partner": {
                    "segment": "people",
                    "to": "out",
                    "file": "people_{YYYYMMDD}.csv",
                    "guard": "none",  # a company of three people
                }
            },
            **self.more,
        }
        (self.folder / "responsys.yaml").write_text(json.dumps(config, indent=1))

    def edit(self, list_name: str, **keys: Any) -> None:
        """Change settings of a list."""
        self.lists[list_name] |= keys
        self.configure()

    def send(
        self,
        name: str,
        rows: Sequence[Sequence[str]],
        day: str = "20260102",
        header: Sequence[str] = HEADER,
    ) -> str:
        """Put an export and its ready file on the server; returns its name."""
        file = f"{name}_{day}.csv"
        text = "".join(",".join(row) + "\n" for row in (header, *rows))
        (self.folder / "in" / file).write_text(text)
        (self.folder / "in" / f"{file}.ready").write_text(str(len(rows)))
        return file

    def __call__(self, *arguments: str) -> Result:
        return self.call(*arguments, "--config", self.folder / "responsys.yaml")

    def sync(self) -> Result:
        """A sync, whose document is the result's `json`."""
        return self("sync", "--json")

    def decide(self, *arguments: str) -> None:
        """A person's decision on exports or rejects."""
        result = self(*arguments, "--why", "because")
        assert result.code == 0, result.err

    def people(self) -> set[str]:
        """Who is in the segment now."""
        current = (self.folder / "lake/segments/people/CURRENT").read_text().strip()
        part = self.folder / "lake/segments/people" / current / "part-0.parquet"
        return {*pl.read_parquet(part)["CUSTOMER_ID_"].to_list()}

    def profiles(self) -> set[str]:
        """Whose profiles there are now."""
        current = (self.folder / "lake/profiles/CURRENT").read_text().strip()
        files = sorted((self.folder / "lake/profiles" / current).glob("part-*.parquet"))
        return {*pl.read_parquet(files).to_series().to_list()}

    def delivered(self) -> set[str]:
        """Whom the receiver of the full delivery believes active."""
        files = sorted((self.folder / "out").glob("*.csv"))
        lines = files[-1].read_text().splitlines() if files else []
        return {row["CUSTOMER_ID_"] for row in csv.DictReader(lines)}
