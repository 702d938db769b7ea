"""A temporary folder of a test's own, in which every gpg home must come and go."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from responsys_assets_tests.pgp.letters import ended, processes, readable


@pytest.fixture
def private_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder that no other test uses, short enough for gpg's sockets.

    When the test ends, nothing is in it, no process knows it, and nothing of the plaintext can be
    read in it or in `tmp_path`.
    """
    folder = Path(tempfile.mkdtemp(prefix="ra-"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    left = [*folder.iterdir()]
    readable_files = readable(folder, tmp_path)
    shutil.rmtree(folder)
    assert ended(processes(str(folder)))
    assert (left, readable_files) == ([], [])
