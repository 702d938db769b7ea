"""Writing, compressing and encrypting the list CORE as a delivery."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from benchmarks.project import csv_of, opened
from benchmarks.ways.stage import CORE
from responsys_assets.config.models import Delivery
from responsys_assets.deliveries.render import write_file

_DELIVERY = {
    "segment": "profiles",
    "to": "far",
    "file": "x_{YYYYMMDD}.csv.gz.gpg",
    "compression": "gzip",
    "encrypt_for": ["partner"],
}


def encrypt_ours(folder: Path) -> Iterator[None]:
    """From rows in memory."""
    project, _ = opened(folder)
    rows = pl.read_csv(csv_of(folder, CORE), infer_schema=False)
    delivery = Delivery.model_validate_json(json.dumps(_DELIVERY))
    target = folder / "out.gpg"
    target.unlink(missing_ok=True)
    yield
    write_file(project, delivery, target, rows.columns, rows.iter_slices(100_000))


def encrypt_gpg(folder: Path) -> Iterator[None]:
    """gpg as it is, on the finished CSV."""
    yield
    gpg(folder, csv_of(folder, CORE))


def gpg(folder: Path, source: Path, *options: str) -> None:
    """Encrypt a file by gpg alone."""
    home = folder / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--yes", "--no-autostart"]
    command += ["--trust-model", "always", "--recipient-file", str(folder / "public.asc")]
    command += [*options, "--output", str(folder / "out.gpg"), "--encrypt", str(source)]
    subprocess.run(command, check=True)
