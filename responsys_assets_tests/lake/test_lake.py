"""Publishing, locking and snapshots of the lake."""

from __future__ import annotations

import datetime as dt
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from responsys_assets.errors import LakeError
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import CURRENT, SnapshotStore, digest

NOW = dt.datetime(2026, 11, 1, 6, 0, tzinfo=dt.UTC)


def tree(root: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in [root, *root.rglob("*")]
    }


def publish(lake: Lake, content: str) -> None:
    with lake.writing(), lake.workspace() as work:
        folder = work.folder("new")
        (folder / "part-0.parquet").write_text(content)
        SnapshotStore(lake.profiles()).publish(
            work, folder, inputs={"content": content}, rows=1, now=NOW
        )


def test_a_snapshot_is_read_back_with_its_manifest(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    store = SnapshotStore(lake.profiles())
    assert store.current() is None
    publish(lake, "a")
    current = store.current()
    assert current is not None
    assert current.inputs_digest == digest({"content": "a"})
    assert [path.read_text() for path in current.files] == ["a"]


def test_everything_in_the_lake_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        publish(Lake(tmp_path / "lake"), "a")
    finally:
        os.umask(before)
    for path in (tmp_path / "lake", *(tmp_path / "lake").rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_what_a_dead_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    leftover = lake.root / "tmp" / "x" / "half.parquet"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("half")
    with lake.writing():
        assert not leftover.exists()


def test_taking_the_lock_again_changes_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    publish(lake, "a")
    before = tree(lake.root)
    with lake.writing(), lake.writing():
        pass
    assert tree(lake.root) == before


def test_the_lake_is_written_only_under_its_lock(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        Lake(tmp_path).workspace()


HOLD = """
import sys
from pathlib import Path
from responsys_assets.lake.lake import Lake
with Lake(Path(sys.argv[1])).writing():
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_second_writer_waits_and_takes_over_from_a_dead_one(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lake")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    said: list[str] = []

    def kill(message: str) -> None:
        said.append(message)
        holder.send_signal(signal.SIGKILL)

    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with Lake(tmp_path / "lake").writing(on_wait=kill):
        pass
    holder.communicate()
    assert len(said) == 1
    assert f"process {holder.pid}" in said[0]


def test_a_damaged_manifest_says_which_and_what_to_do(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    publish(lake, "a")
    current = SnapshotStore(lake.profiles()).current()
    assert current is not None
    (current.path / "manifest.json").write_text("{")
    with pytest.raises(LakeError, match=CURRENT):
        SnapshotStore(lake.profiles()).current()
