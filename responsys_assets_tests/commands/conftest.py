"""Commands called as a shell would call them, on a small project of plain local files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from responsys_assets.commands.main import run

CSV = """\
CUSTOMER_ID_,EMAIL_ADDRESS_,EMAIL_PERMISSION_STATUS_,CITY_,MODIFIED_DATE_
1,one@example.com,I,Rome,2026-01-01 10:00:00
2,two@example.com,O,Rome,2026-01-01 10:00:00
3,three@example.com,I,Paris,2026-01-01 10:00:00
"""


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be exactly one JSON document."""
        assert self.err == ""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The `error` of the document."""
        document = self.json
        assert list(document) == ["error"]
        assert list(document["error"]) == ["code", "message", "file", "line", "key"]
        error: dict[str, Any] = document["error"]
        return error


Call = Callable[..., Result]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run `responsys` with these arguments."""

    def calling(*arguments: str | Path) -> Result:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return calling


@dataclass(frozen=True)
class Small:
    """A project with one list on a local server, one segment and one delivery to `outbox`."""

    folder: Path
    call: Call

    @property
    def file(self) -> Path:
        return self.folder / "responsys.yaml"

    def configure(self, **keys: Any) -> None:
        """Write the configuration with these top-level keys instead of the usual ones."""
        config: dict[str, Any] = {
            "account": {"name": "acme", "timezone": "America/New_York"},
            "lake": "./lake",
            "servers": {
                "files": {"type": "local", "path": "files"},
                "outbox": {"type": "local", "path": "outbox"},
            },
            "lists": {"core": self.list_config()},
            "profiles": {"match_on": "CUSTOMER_ID_"},
            "segments": {
                "rome": {
                    "where": "CITY_ = 'Rome'",
                    "channel": "email",
                    "columns": ["CUSTOMER_ID_", "EMAIL_ADDRESS_"],
                }
            },
            "deliveries": {
                "to_partner": {"segment": "rome", "to": "outbox", "file": "rome_{YYYYMMDD}.csv"}
            },
            **keys,
        }
        self.file.write_text(json.dumps(config, indent=1))

    @staticmethod
    def list_config(**keys: Any) -> dict[str, Any]:
        return {
            "server": "files",
            "files": "CORE_{YYYYMMDD}.csv",
            "updated_at": "MODIFIED_DATE_",
            **keys,
        }

    def export(self, content: str = CSV, *, day: str = "20260102", count: int | None = None) -> str:
        """Put an export and its ready file on the server; returns its name."""
        name = f"CORE_{day}.csv"
        files = self.folder / "files"
        (files / name).write_text(content)
        records = len(content.splitlines()) - 1 if count is None else count
        (files / f"{name}.ready").write_text(str(records))
        return name

    def __call__(self, *arguments: str | Path) -> Result:
        """Run a command on this project."""
        return self.call(*arguments, "--config", self.file)

    def json(self, *arguments: str | Path) -> Any:
        """Run a command that must succeed; its document."""
        result = self(*arguments, "--json")
        assert result.code == 0, result.out
        return result.json


@pytest.fixture
def small(tmp_path: Path, call: Call) -> Small:
    """The project, with no export yet."""
    (tmp_path / "files").mkdir()
    made = Small(tmp_path, call)
    made.configure()
    return made
