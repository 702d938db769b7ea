"""A project whose people and secrets are canaries."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from responsys_assets.demo.sender import encrypt
from responsys_assets.lake.lake import Lake
from responsys_assets.pgp.keys import PgpKeyPair
from responsys_assets_tests.conftest import Account
from responsys_assets_tests.privacy.canaries import Canaries

DAY = "2026-01-02"
HEADER = (
    "CUSTOMER_ID_,EMAIL_ADDRESS_,MOBILE_NUMBER_,FIRST_NAME,EMAIL_PERMISSION_STATUS_,"
    "MODIFIED_DATE_,POINTS"
)


@dataclass
class Place:
    """`configure` and `export` make it whole; a fault then spoils something."""

    folder: Path
    canaries: Canaries
    key: PgpKeyPair
    account: Account
    patch: pytest.MonkeyPatch
    config: dict[str, Any] = field(default_factory=dict)
    temporary: Path = Path()
    file_size: int | None = None  # no file may grow beyond it

    def __post_init__(self) -> None:
        for name in ("files", "outbox", "keys"):
            (self.folder / name).mkdir()
        (self.folder / "keys" / "own.key").write_text(self.key.private)
        (self.folder / "keys" / "own.asc").write_text(self.key.public)
        self.variables()
        people = "\n".join(f"{word}@example.com" for word in self.canaries.suppressed)
        (self.folder / "suppressed.csv").write_text(f"EMAIL_ADDRESS_\n{people}\n")
        self.configure()

    @property
    def file(self) -> Path:
        return self.folder / "responsys.yaml"

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / "lake")

    @property
    def rows(self) -> list[str]:
        return [
            f"{key},{mail},{phone},{name},I,2026-01-01 10:00:00,7"
            for key, mail, phone, name in self.canaries.people
        ]

    def variables(self, passphrase: str | None = None, more: str = "") -> None:
        (self.folder / ".env").write_text(
            f"PGP_PASSPHRASE={passphrase or self.canaries.passphrase}\n"
            f"OTHER_PASSWORD={self.canaries.variable}\n{more}"
        )

    def configure(self, **keys: Any) -> None:
        self.config = {
            "account": {"name": "acme", "timezone": "UTC"},
            "lake": "./lake",
            "servers": {
                "files": {"type": "local", "path": "files"},
                "outbox": {"type": "local", "path": "outbox"},
            },
            "keys": {
                "decrypt": {
                    "private_key_file": "keys/own.key",
                    "passphrase": "${PGP_PASSPHRASE}",
                },
                "recipients": {"partner": {"public_key_file": "keys/own.asc"}},
            },
            "lists": {"core": self.core()},
            "profiles": {"match_on": "CUSTOMER_ID_"},
            "suppressions": [{"file": "suppressed.csv", "column": "EMAIL_ADDRESS_"}],
            "segments": {"all": {"where": "true", "channel": "email"}},
            "deliveries": {"partner": self.partner()},
            **keys,
        }
        self.write()

    def write(self) -> None:
        self.file.write_text(json.dumps(self.config, indent=1))

    @staticmethod
    def core(**keys: Any) -> dict[str, Any]:
        return {
            "server": "files",
            "files": "CORE_{YYYYMMDD}.csv.gpg",
            "encrypted": True,
            "updated_at": "MODIFIED_DATE_",
            "deadline": "0 0 2 1 *",
            **keys,
        }

    @staticmethod
    def partner(**keys: Any) -> dict[str, Any]:
        return {
            "segment": "all",
            "to": "outbox",
            "file": "all_{YYYYMMDD}.csv",
            "columns": ["CUSTOMER_ID_", "EMAIL_ADDRESS_", "FIRST_NAME"],
            **keys,
        }

    def export(
        self,
        rows: list[str] | None = None,
        *,
        header: str | None = HEADER,
        content: bytes | None = None,
        ready: str | None = None,
        encrypted: bool = True,
    ) -> Path:
        rows = self.rows if rows is None else rows
        lines = ([header] if header else []) + rows
        data = "\n".join([*lines, ""]).encode() if content is None else content
        path = self.folder / "files" / "CORE_20260102.csv.gpg"
        if encrypted:
            encrypt([data], path, self.folder / "keys" / "own.asc", compress=True)
        else:
            path.write_bytes(data)
        path.with_name(f"{path.name}.ready").write_text(str(len(rows)) if ready is None else ready)
        return path
