"""Small projects that use every step of a sync, before and after a day's new exports."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from responsys_assets_tests.conftest import PgpKeys

Scenario = Literal["first", "next", "restaged"]
Row = tuple[str, ...]

HEADER = (
    "CUSTOMER_ID_",
    "EMAIL_ADDRESS_",
    "EMAIL_PERMISSION_STATUS_",
    "CITY_",
    "POINTS",
    "MODIFIED_DATE_",
)
PEOPLE = 50


def write_project(folder: Path, *, encrypted: bool = False, keep: bool = True) -> None:
    """Three lists, a segment, two deliveries to a local outbox, one suppression file."""
    for name in ("files", "outbox", "t"):
        (folder / name).mkdir()
    (folder / "suppressed.csv").write_text("EMAIL_ADDRESS_\np7@example.com\n")
    configure(folder, encrypted=encrypted, keep=keep)


def configure(folder: Path, *, encrypted: bool, keep: bool, points: str = "integer") -> None:
    """Write the configuration; `keep`: not even exports and rejects stay for long."""
    suffix = ".gpg" if encrypted else ""
    ready = {"suffix": ".ready", "count": True}
    common = {"server": "files", "updated_at": "MODIFIED_DATE_", "columns": {"POINTS": points}}
    config: dict[str, Any] = {
        "account": {"name": "acme", "timezone": "America/New_York"},
        "lake": "./lake",
        "servers": {
            "files": {"type": "local", "path": "./files"},
            "outbox": {"type": "local", "path": "./outbox"},
        },
        "lists": {
            "core": {
                **common,
                "files": f"CORE_{{YYYYMMDD}}.csv{suffix}",
                "encrypted": encrypted,
                "max_rejected": "50%",
            },
            "loyalty": {**common, "files": "LOYALTY_{YYYYMMDD}.csv"},
            "web": {
                **common,
                "files": "WEB_{YYYYMMDD}_{HHMISS}.csv",
                "export": "incremental",
                "ready": "none",
                "settle": "0s",
            },
        },
        "profiles": {"match_on": "CUSTOMER_ID_", "columns": HEADER[1:-1]},
        "suppressions": [{"file": "suppressed.csv", "column": "EMAIL_ADDRESS_"}],
        "segments": {
            "rome": {
                "where": "CITY_ = 'Rome'",
                "channel": "email",
                "columns": ["CUSTOMER_ID_", "EMAIL_ADDRESS_", "POINTS"],
            },
        },
        "deliveries": {
            "partner": {
                "segment": "rome",
                "to": "outbox",
                "file": f"rome_{{seq}}.csv.gz{suffix}",
                "compression": "gzip",
                "ready": ready,
                **({"encrypt_for": ["partner"]} if encrypted else {}),
            },
            "cities": {
                "segment": "profiles",
                "columns": ["CUSTOMER_ID_", "CITY_"],
                "to": "outbox",
                "folder": "cities",
                "file": "{change}_{seq}.csv",
                "mode": "changes",
                "ready": ready,
            },
        },
    }
    if encrypted:
        config["keys"] = {
            "decrypt": {"private_key_file": "keys/own.key"},
            "recipients": {"partner": {"public_key_file": "keys/partner.asc"}},
        }
    config["keep"] = {"snapshots": 1, **({"exported": "30d", "rejects": "30d"} if keep else {})}
    (folder / "responsys.yaml").write_text(json.dumps(config, indent=1))


def people(numbers: Iterable[int], *, city: str, day: int) -> list[Row]:
    """Rows of a list; every seventh person has opted out, every fifth lives in Rome."""
    return [
        (
            f"c{n:03}",
            f"p{n}@example.com",
            "O" if n % 7 == 3 else "I",
            "Rome" if n % 5 == 0 else city,
            str(n * 10 + day),
            f"2024-03-{day:02} 10:00:{n % 60:02}",
        )
        for n in numbers
    ]


def export(folder: Path, name: str, rows: list[Row], keys: PgpKeys | None) -> None:
    """An export and its ready file; encrypted if there are keys."""
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([HEADER, *rows])
    target = folder / "files" / name
    if keys is None:
        target.write_text(text.getvalue())
    else:
        subprocess.run(
            ["gpg", "--homedir", keys.folder, "--batch", "--quiet", "--trust-model", "always",
             "--recipient-file", keys.public("own"), "-o", target, "--encrypt"],
            input=text.getvalue().encode(),
            check=True,
        )  # fmt: skip
    target.with_name(f"{name}.ready").write_text(str(len(rows)))
    for path in (target, target.with_name(f"{name}.ready")):
        os.utime(path, (1_710_000_000, 1_710_000_000))


def day(folder: Path, number: int, keys: PgpKeys | None) -> None:
    """The exports of a day: people come, go, move and opt out; one record is bad."""
    suffix = ".gpg" if keys else ""
    rows = people(range(number, PEOPLE + number), city="Oslo", day=number)
    rows.append(("c900", "bad@example.com", "O", "Rome", "many", f"2024-03-{number:02} 11:00:00"))
    export(folder, f"CORE_2024030{number}.csv{suffix}", rows, keys)
    loyal = people(range(10 * number, PEOPLE + 5), city="Rome", day=number)
    export(folder, f"LOYALTY_2024030{number}.csv", loyal, None)
    seen = people(range(30, 40 + number), city="Bergen", day=number)
    export(folder, f"WEB_2024030{number}_120000.csv", seen, None)


def copy_keys(folder: Path, keys: PgpKeys) -> None:
    (folder / "keys").mkdir()
    (folder / "keys" / "own.key").write_bytes(keys.private("own").read_bytes())
    (folder / "keys" / "partner.asc").write_bytes(keys.public("partner").read_bytes())


class Receiver:
    """Takes every announced file away, as a partner's job would."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.taken: list[tuple[str, bytes]] = []

    def take(self) -> None:
        for ready in sorted((self._folder / "outbox").rglob("[!.]*.ready")):
            data = ready.with_name(ready.name.removesuffix(".ready"))
            self.taken.append((data.name, data.read_bytes()))
            assert ready.read_bytes(), ready.name
            ready.unlink()
            data.unlink()

    @property
    def left(self) -> list[str]:
        """What it was not told of, or what is not whole."""
        return [p.name for p in (self._folder / "outbox").rglob("*") if p.is_file()]

    def contents(self) -> list[tuple[str, bytes]]:
        """What was taken, in order of names; ciphertext differs each time and is left out."""
        return sorted((n, b"" if n.endswith(".gpg") else c) for n, c in self.taken)
