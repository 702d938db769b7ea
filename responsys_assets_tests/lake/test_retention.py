"""Retention lets go what `keep` says and nothing else; verify knows what was let go."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from responsys_assets.config.project import Project
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.receipts import Action, Arrival, Outcome, RemoteFile, Verdict
from responsys_assets.lake.retention import prune
from responsys_assets.lake.snapshots import MANIFEST, Snapshot, SnapshotStore
from responsys_assets.lake.verify import verify

MakeProject = Callable[..., Project]
NOW = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def project(make_project: MakeProject) -> Callable[[dict[str, Any]], Project]:
    """A project with a retention and a clock that stands still."""

    def make(keep: dict[str, Any]) -> Project:
        made = make_project(keep=keep)
        return Project(made.config, made.file, made.env, lambda: NOW)

    return make


def add_export(lake: Lake, days_old: int, *, state: str | None = "staged") -> Export:
    """An export with ciphertext, staged file and quarantine, as fetch and staging leave it."""
    content = f"export of {days_old} days ago, {state}".encode()
    stamp = NOW - dt.timedelta(days=days_old)
    seen = Arrival(
        list="core",
        server="files",
        folder="",
        kind="full",
        stamp=stamp,
        data=RemoteFile(name=f"CORE_{days_old}.csv", size=len(content), mtime=stamp.timestamp()),
        ready=None,
        ready_text=None,
        sha256=hashlib.sha256(content).hexdigest(),
        fetched_at=NOW,
    )
    export = Export(lake, "core", (seen,), (), None)
    with lake.writing(), lake.workspace() as work:
        work.publish_bytes(content, export.ciphertext)
        seen.write(work, export.folder / f"{seen.identity}.arrival.json")
        if state is not None:
            work.publish_bytes(b"staged", export.parquet)
            work.publish_bytes(b"rejects", export.rejects)
            outcome = Outcome.model_validate(
                {
                    "list": "core",
                    "file": export.file,
                    "export_id": export.export_id,
                    "state": state,
                    "settings": "s",
                    "evidence": export.evidence,
                    "parquet_sha256": hashlib.sha256(b"staged").hexdigest(),
                    "rejects_sha256": hashlib.sha256(b"rejects").hexdigest(),
                    "decided_at": stamp,
                }
            )
            outcome.write(work, export.receipt)
    return export


def add_snapshot(
    lake: Lake, store: SnapshotStore, minute: int, *, current: bool = True, **inputs: str
) -> Snapshot:
    with lake.writing(), lake.workspace() as work:
        folder = work.folder("snapshot")
        (folder / "part-0.parquet").write_bytes(f"rows {minute}".encode())
        return store.publish(
            work,
            folder,
            inputs={"minute": minute, **inputs},
            rows=1,
            now=NOW + dt.timedelta(minutes=minute),
            make_current=current,
        )


def files_of(root: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in root.rglob("*") if p.is_file()}


def test_old_ciphertext_goes_and_its_receipts_and_staged_records_stay(
    project: Callable[..., Project], tmp_path: Path
) -> None:
    lake = Lake(tmp_path / "lake")
    old, young = add_export(lake, 91), add_export(lake, 89)
    done = prune(project({"exported": "90d"}), lake)
    assert done.exported == 1
    assert not old.ciphertext.exists()
    assert old.parquet.exists()
    assert old.rejects.exists()
    assert young.ciphertext.exists()
    assert [e.state for e in read_exports(lake, "core")] == ["staged", "staged"]


def test_without_keep_nothing_goes(project: Callable[..., Project], tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    add_export(lake, 5000)
    before = files_of(lake.root)
    assert prune(project({}), lake).files == []
    assert files_of(lake.root) == before


def test_a_second_prune_writes_nothing(project: Callable[..., Project], tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    add_export(lake, 91)
    keep = {"exported": "90d", "rejects": "30d", "snapshots": 1}
    prune(project(keep), lake)
    before = files_of(lake.root)
    assert prune(project(keep), lake).files == []
    assert files_of(lake.root) == before


@pytest.mark.parametrize("state", ["held", "failed"])
def test_what_a_person_must_still_decide_on_is_never_let_go(
    project: Callable[..., Project], tmp_path: Path, state: str
) -> None:
    """The only copy of a held increment was pruned, and `accept` could not read it any more."""
    lake, keep = Lake(tmp_path / "lake"), {"exported": "90d", "rejects": "30d"}
    export = add_export(lake, 5000, state=state)
    assert prune(project(keep), lake).files == []
    assert export.ciphertext.exists()
    assert export.rejects.exists()
    decide(lake, export, "accept")  # and not staged yet
    assert prune(project(keep), lake).files == []
    decide(lake, export, "withdraw")
    done = prune(project(keep), lake)
    assert (done.exported, done.rejects) == (1, 1)


def test_an_accepted_export_whose_newer_reading_is_held_keeps_its_file(
    project: Callable[..., Project], tmp_path: Path
) -> None:
    lake = Lake(tmp_path / "lake")
    export = add_export(lake, 5000)
    (known,) = read_exports(lake, "core")
    assert known.outcome is not None
    newer = known.outcome.model_copy(update={"state": "held", "edition": 1, "settings": "new"})
    with lake.writing(), lake.workspace() as work:
        newer.write(work, export.refused_receipt)
    assert prune(project({"exported": "90d"}), lake).files == []


def decide(lake: Lake, export: Export, action: Action) -> None:
    number = len(list(export.folder.glob("*.verdict.json"))) + 1
    verdict = Verdict(export_id=export.export_id, action=action, who="ann", when=NOW, why="checked")
    with lake.writing(), lake.workspace() as work:
        verdict.write(work, export.folder / f"{number:04}.verdict.json")


def test_a_file_that_was_not_staged_yet_is_never_let_go(
    project: Callable[..., Project], tmp_path: Path
) -> None:
    lake = Lake(tmp_path / "lake")
    fetched = add_export(lake, 5000, state=None)
    prune(project({"exported": "90d"}), lake)
    assert fetched.ciphertext.exists()


def test_an_old_quarantine_goes(project: Callable[..., Project], tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    old, young = add_export(lake, 31), add_export(lake, 29)
    assert prune(project({"rejects": "30d"}), lake).rejects == 1
    assert not old.rejects.exists()
    assert young.rejects.exists()


def test_the_newest_snapshots_stay(project: Callable[..., Project], tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    stores = [SnapshotStore(lake.profiles()), SnapshotStore(lake.segment("gone_from_config"))]
    for store in stores:
        made = [add_snapshot(lake, store, minute) for minute in range(5)]
        prune(project({"snapshots": 2}), lake)
        assert store.names() == [s.name for s in made[-2:]]


def test_the_current_snapshot_and_what_it_refers_to_stay(
    project: Callable[..., Project], tmp_path: Path
) -> None:
    lake = Lake(tmp_path / "lake")
    profiles, delivery = SnapshotStore(lake.profiles()), SnapshotStore(lake.delivery("d"))
    used = add_snapshot(lake, profiles, 0)
    for minute in range(1, 4):
        add_snapshot(lake, profiles, minute)
    delivered = add_snapshot(lake, delivery, 10, profiles=used.name)
    for minute in range(11, 14):
        add_snapshot(lake, delivery, minute, current=False)
    prune(project({"snapshots": 1}), lake)
    assert profiles.names() == [used.name, profiles.names()[-1]]
    assert len(profiles.names()) == 2
    assert delivered.name in delivery.names()
    assert len(delivery.names()) == 2


def test_verify_finds_nothing_in_a_sound_lake(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    add_export(lake, 1)
    add_snapshot(lake, SnapshotStore(lake.profiles()), 0)
    done = verify(lake)
    assert done.findings == []
    assert done.files == 4


@pytest.mark.parametrize("what", ["ciphertext", "parquet", "rejects", "snapshot"])
@pytest.mark.parametrize("how", ["missing", "differs"])
def test_verify_names_a_file_that_is_missing_or_differs(
    tmp_path: Path, what: str, how: str
) -> None:
    lake = Lake(tmp_path / "lake")
    export = add_export(lake, 1)
    snapshot = add_snapshot(lake, SnapshotStore(lake.profiles()), 0)
    path: Path = snapshot.files[0] if what == "snapshot" else getattr(export, what)
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(b"other")
    assert [(f.file, f.problem) for f in verify(lake).findings] == [(path, how)]


def test_verify_does_not_miss_what_retention_let_go(
    project: Callable[..., Project], tmp_path: Path
) -> None:
    lake = Lake(tmp_path / "lake")
    add_export(lake, 91)
    prune(project({"exported": "90d", "rejects": "30d"}), lake)
    done = verify(lake)
    assert done.findings == []
    assert done.pruned == 2


@pytest.mark.parametrize("what", ["arrival", "outcome", "manifest"])
def test_verify_names_a_damaged_receipt_or_manifest(tmp_path: Path, what: str) -> None:
    lake = Lake(tmp_path / "lake")
    export = add_export(lake, 1)
    snapshot = add_snapshot(lake, SnapshotStore(lake.profiles()), 0)
    path = {
        "arrival": next(export.folder.glob("*.arrival.json")),
        "outcome": export.receipt,
        "manifest": snapshot.path / MANIFEST,
    }[what]
    path.write_text("{")
    findings = verify(lake).findings
    assert findings
    assert {f.problem for f in findings} == {"damaged"}
