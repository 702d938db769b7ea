"""A large file is as it was given, whatever is done beside the writing."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from responsys_assets.errors import LakeError
from responsys_assets.lake.sink import Sink, writing_to

MB = 1 << 20
SIZES = [3, 4 * MB, 0, 5 * MB - 1, 1, 40 * MB, 7]  # below, at and above what is handed on at once


def test_a_file_is_what_was_written_in_its_order(tmp_path: Path) -> None:
    blocks = [bytes([number]) * size for number, size in enumerate(SIZES)]
    target = tmp_path / "file"
    with writing_to(target) as sink:
        for block in blocks:
            sink.write(block)
        sha256 = sink.finish()
    content = b"".join(blocks)
    assert target.read_bytes() == content
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert sink.size == len(content)


def test_an_abandoned_file_ends_its_threads_and_is_not_overwritten(tmp_path: Path) -> None:
    before = threading.active_count()
    sink = Sink(tmp_path / "file")
    sink.write(b"x" * 40 * MB)
    sink.abandon()
    sink.abandon()
    assert sink.closed
    assert threading.active_count() == before
    with pytest.raises(LakeError, match="cannot write file"):
        Sink(tmp_path / "file")
