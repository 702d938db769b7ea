"""The shim, compiled; the fork server; the laboratory."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from responsys_assets_tests.conftest import PgpKeys
from responsys_assets_tests.faults.laboratory import ForkServer, Laboratory


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that makes file operations fail, built from shim.c."""
    if sys.platform != "linux":
        pytest.fail("faults of the disk are injected by LD_PRELOAD: run these tests on Linux")
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        pytest.fail(
            "there is no C compiler for faults/shim.c; run scripts/packages, or install one"
        )
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).with_name("shim.c")
    built = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-o", library, source, "-lpthread"],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        pytest.fail(f"faults/shim.c does not compile; is libc6-dev installed?\n{built.stderr}")
    return library


@pytest.fixture(scope="session")
def forks(shim: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    server = ForkServer(shim, tmp_path_factory.mktemp("forks"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def laboratory(forks: ForkServer, pgp_keys: PgpKeys) -> Iterator[Laboratory]:
    # what a process wrote before it died is there on any file system; in memory it is fast
    with tempfile.TemporaryDirectory(prefix="lab-", dir="/dev/shm") as scratch:
        yield Laboratory(forks, pgp_keys, Path(scratch))
