"""A project over the data of `data.py`: lists in a local folder, and one more that is encrypted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from benchmarks.data import KEY, ROWS, UPDATED_AT, write_csv
from responsys_assets.config.loader import load
from responsys_assets.config.project import Project
from responsys_assets.demo.sender import encrypt
from responsys_assets.lake.lake import Lake
from responsys_assets.pgp.keys import new_pgp_key
from responsys_assets.sync import ingest

STAMP = "20260601_000000"
ENCRYPTED = "core_encrypted"  # the list `core` again, encrypted


def csv_of(folder: Path, name: str) -> Path:
    """The CSV of a list."""
    return folder / "in" / f"{name.upper()}_{STAMP}.csv"


def make(folder: Path, size: float, seed: int) -> None:
    """Write data, keys and configuration, and stage the lists, unless that was done."""
    if (folder / "responsys.yaml").exists():
        return
    (folder / "in").mkdir(parents=True)
    for name in ROWS:
        _ready(csv_of(folder, name), write_csv(name, csv_of(folder, name), size=size, seed=seed))
    pair = new_pgp_key("bench", "bench@example.com")
    (folder / "public.asc").write_text(pair.public)
    (folder / "private.asc").write_text(pair.private)
    encrypted = folder / "in" / f"{ENCRYPTED.upper()}_{STAMP}.csv.gpg"
    with csv_of(folder, "core").open("rb") as plain:
        pieces = iter(lambda: plain.read(1 << 20), b"")
        encrypt(pieces, encrypted, folder / "public.asc", compress=True)
    _ready(encrypted, round(ROWS["core"] * size))
    (folder / "responsys.yaml").write_text(yaml.safe_dump(_document(), sort_keys=False))
    project, lake = opened(folder)
    ingest(project, lake, [*ROWS])


def opened(folder: Path) -> tuple[Project, Lake]:
    """The project and its lake."""
    project = load(folder / "responsys.yaml", {})
    return project, Lake(project.lake_path)


def _ready(data: Path, rows: int) -> None:
    data.with_name(f"{data.name}.ready").write_text(str(rows))


def _document() -> dict[str, Any]:
    def source(name: str, **more: Any) -> dict[str, Any]:
        files = f"{name.upper()}_{{YYYYMMDD}}_{{HHMISS}}.csv{'.gpg' if more else ''}"
        return {"server": "here", "files": files, "updated_at": UPDATED_AT, **more}

    return {
        "account": {"name": "bench", "timezone": "America/New_York"},
        "lake": "./lake",
        "servers": {"here": {"type": "local", "path": "./in"}},
        "keys": {
            "decrypt": {"private_key_file": "private.asc"},
            "recipients": {"partner": {"public_key_file": "public.asc"}},
        },
        "lists": {
            **{name: source(name) for name in ROWS},
            ENCRYPTED: source(ENCRYPTED, encrypted=True),
        },
        "profiles": {"match_on": KEY},
    }
