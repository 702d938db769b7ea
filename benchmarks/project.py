"""A folder with everything that the ways need: the lists as CSV and as encrypted exports on a
server, and two projects over them.

`responsys.yaml` is the whole line: encrypted incremental exports over SFTP, a segment that is
delivered encrypted. `plain.yaml` reads the CSV files where they are.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks.data import KEY, ROWS, UPDATED_AT, write_csv
from benchmarks.server import HOST, free_port, make_keys, serving, user
from responsys_assets.config.loader import load
from responsys_assets.config.project import Project
from responsys_assets.demo.sender import encrypt
from responsys_assets.ingest import ingest
from responsys_assets.lake.lake import Lake
from responsys_assets.pgp.keys import new_pgp_key

STAMP = "20260601_000000"
LATER = "20260602_000000"
WHOLE_LINE, PLAIN = "responsys.yaml", "plain.yaml"
_LARGE = 1.0  # above it, nothing is kept that merging does not need


def csv_of(folder: Path, name: str) -> Path:
    """The CSV of a list."""
    return folder / "csv" / f"{name.upper()}_{STAMP}.csv"


def message_of(folder: Path, name: str, stamp: str = STAMP) -> Path:
    """An encrypted export of a list, on the server."""
    return folder / "server/download" / f"{name.upper()}_{stamp}.csv.gpg"


def make(folder: Path, size: float, seed: int) -> None:
    """Write data, keys and configuration, and stage the lists, unless that was done."""
    if (folder / "made").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    for each in ("csv", "server/download", "server/out"):
        (folder / each).mkdir(parents=True)
    pair = new_pgp_key("bench", "bench@example.com")
    (folder / "public.asc").write_text(pair.public)
    (folder / "private.asc").write_text(pair.private)
    host_key = make_keys(folder)
    _write(folder / WHOLE_LINE, _whole_line(folder, free_port(), host_key))
    _write(folder / PLAIN, _plain())
    for name in ROWS:
        csv = csv_of(folder, name)
        rows = write_csv(name, csv, size=size, seed=seed)
        _ready(csv, rows)
        _send(folder, name, csv, rows)
        if size > _LARGE:
            csv.unlink()
        _stage(folder, name)
        if size > _LARGE:
            for message in folder.rglob(message_of(folder, name).name):
                message.unlink()  # that of the lake, too
    (folder / "made").write_text(f"{size} {seed}")


def make_increments(folder: Path, size: float, seed: int, share: float) -> None:
    """Put an export with a share of the keys of each list on the server, all of them newer."""
    for name in ROWS:
        csv = folder / "increment.csv"
        rows = write_csv(name, csv, size=size, seed=seed, share=share)
        _send(folder, name, csv, rows, LATER)
        csv.unlink()


def opened(folder: Path, name: str = WHOLE_LINE) -> tuple[Project, Lake]:
    """A project and its lake."""
    project = load(folder / name, {})
    return project, Lake(project.lake_path)


def port_of(folder: Path) -> int:
    """Where the server is to listen."""
    port: int = yaml.safe_load((folder / WHOLE_LINE).read_text())["servers"]["far"]["port"]
    return port


@contextmanager
def server_of(folder: Path) -> Iterator[None]:
    """The server of the whole line."""
    with serving(folder, port_of(folder)):
        yield


def staged_files(folder: Path) -> list[str]:
    """The staged Parquet of the three lists, staged first if they are not."""
    _, lake = opened(folder)
    for name in ROWS:
        if not lake.staged(name).exists():
            _stage(folder, name)
    return [str(path) for name in ROWS for path in lake.staged(name).rglob("*.parquet")]


def _stage(folder: Path, name: str) -> None:
    with server_of(folder):
        ingest(*opened(folder), [name])


def _send(folder: Path, name: str, csv: Path, rows: int, stamp: str = STAMP) -> None:
    """Encrypt as the sender does; a large one without compressing, which takes it long."""
    message = message_of(folder, name, stamp)
    with csv.open("rb") as plain:
        pieces = iter(lambda: plain.read(1 << 20), b"")
        compress = csv.stat().st_size < 1 << 30
        encrypt(pieces, message, folder / "public.asc", compress=compress)
    _ready(message, rows)


def _ready(data: Path, rows: int) -> None:
    data.with_name(f"{data.name}.ready").write_text(str(rows))


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def _whole_line(folder: Path, port: int, host_key: str) -> dict[str, Any]:
    far = {
        "type": "sftp",
        "host": HOST,
        "port": port,
        "username": user(),
        "private_key_file": "client",
        "host_keys": [host_key],
    }
    places = {name: str(folder.resolve() / "server" / name) for name in ("download", "out")}
    return {
        **_common("lake", {"far": far}),
        "keys": {
            "decrypt": {"private_key_file": "private.asc"},
            "recipients": {"partner": {"public_key_file": "public.asc"}},
        },
        "lists": {
            name: {
                **_list("far", f"{name.upper()}_{{YYYYMMDD}}_{{HHMISS}}.csv.gpg"),
                "folder": places["download"],
                "export": "incremental",
                "encrypted": True,
            }
            for name in ROWS
        },
        "segments": {
            "rome": {"where": "CITY_ = 'Rome'", "channel": "email", "columns": "all"},
        },
        "deliveries": {
            "rome": {
                "segment": "rome",
                "to": "far",
                "folder": places["out"],
                "file": "rome_{YYYYMMDD}.csv.gz.gpg",
                "compression": "gzip",
                "encrypt_for": ["partner"],
                "ready": {"suffix": ".ready", "count": True},
            }
        },
    }


def _plain() -> dict[str, Any]:
    return {
        **_common("plain_lake", {"here": {"type": "local", "path": "./csv"}}),
        "lists": {
            name: _list("here", f"{name.upper()}_{{YYYYMMDD}}_{{HHMISS}}.csv") for name in ROWS
        },
    }


def _common(lake: str, servers: dict[str, Any]) -> dict[str, Any]:
    return {
        "account": {"name": "bench", "timezone": "America/New_York"},
        "lake": f"./{lake}",
        "servers": servers,
        "profiles": {"match_on": KEY},
    }


def _list(server: str, files: str) -> dict[str, Any]:
    return {"server": server, "files": files, "updated_at": UPDATED_AT}
