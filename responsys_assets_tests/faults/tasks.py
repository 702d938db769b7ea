"""What a child of the fork server does: a sync under faults, a look at the lake, reruns."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import resource
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gnupg  # noqa: F401 - late imports, here so that forks have them
import pyarrow.compute  # noqa: F401

from responsys_assets.config.loader import load
from responsys_assets.config.project import Project
from responsys_assets.deliveries.plans import Plans
from responsys_assets.errors import ResponsysError
from responsys_assets.lake.exports import read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot, SnapshotStore
from responsys_assets.lake.verify import verify
from responsys_assets.sync import sync
from responsys_assets_tests.faults.projects import write_project

ACTIONS = {"count": 0, "kill": 1, "fail": 2, "full": 3, "short": 4}
Document = dict[str, Any]
_SNAPSHOT = re.compile(r"\d{8}T\d{12}Z_[0-9a-f]{8}")


def run(request: Document) -> Document:
    """One task, with temporary files and homes of gpg inside the project's folder."""
    os.umask(0o077)
    folder = Path(request["folder"])
    tempfile.tempdir = str(folder / "t")
    os.chdir(folder)
    return TASKS[request["task"]](folder, request)


def warm_up() -> None:
    """What a sync otherwise does again in every fork; it leaves no thread behind."""
    with tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder))
        load(Path(folder, "responsys.yaml"), {})


def arm(folder: Path, *, at: int, action: str, error: int, trace: str | None) -> ctypes.CDLL:
    """Set the shim; it must have been preloaded."""
    shim = ctypes.CDLL(None)
    descriptor = -1
    if trace is not None:
        descriptor = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    shim.faults_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, *(ctypes.c_int,) * 3]
    shim.faults_count.restype = ctypes.c_long
    shim.faults_arm(os.fsencode(folder), at, ACTIONS[action], error, descriptor)
    return shim


def synced(folder: Path) -> Document:
    """A sync: what it said, or its error; anything but an error of ours is `raw`."""
    try:
        result = sync(load(folder / "responsys.yaml", dict(os.environ)))
    except ResponsysError as error:
        return {"error": error.as_json(), "exit_code": int(error.exit_code), "said": str(error)}
    return {
        "changed": result.changed,
        "exit_code": int(result.exit_code),
        "deliveries": {name: each.state for name, each in result.deliveries.items()},
        "details": [
            *(
                each.detail
                for report in result.lists.values()
                for each in report.exports
                if each.detail
            ),
            *(str(error) for error in result.errors.values()),
        ],
    }


def _sync(folder: Path, request: Document) -> Document:
    """A sync in which operation `at` meets `action`, or no file may be larger than so."""
    if "largest_file" in request:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"],) * 2)
    shim = arm(
        folder,
        at=request.get("at", 0),
        action=request.get("action", "count"),
        error=getattr(errno, request.get("error", "EIO")),
        trace=request.get("trace"),
    )
    try:
        said = synced(folder)
    finally:
        count = shim.faults_count()
        shim.faults_arm(b"", 0, 0, 0, -1)
    return {**said, "count": count}


def _look(folder: Path, request: Document) -> Document:
    """What any reader finds now, without the lock."""
    project = load(folder / "responsys.yaml", dict(os.environ))
    lake = Lake(project.lake_path)
    return {
        "problems": [f"{each.problem} {each.file}" for each in verify(lake).findings],
        "state": state(project, lake),
    }


def _recover(folder: Path, request: Document) -> Document:
    """What a reader finds, then a sync as the next start would make it, then the state again."""
    before = _look(folder, request)
    return {"before": before, "rerun": synced(folder), "after": _look(folder, request)}


def _fail(folder: Path, request: Document) -> Document:
    """A sync that meets an error, and what the same process then finds and makes of it."""
    return {"failed": _sync(folder, request), **_recover(folder, request)}


def _reruns(folder: Path, request: Document) -> Document:
    """Syncs one after the other, and what each of them left."""
    done = []
    for _ in range(request["times"]):
        said = synced(folder)
        done.append({**said, "tree": tree(folder)})
    return {"runs": done}


def _hold(folder: Path, request: Document) -> Document:
    """Hold the lake's lock until the end comes from outside."""
    project = load(folder / "responsys.yaml", dict(os.environ))
    with Lake(project.lake_path).writing():
        (folder / "held").touch()
        signal.pause()
    return {}


def tree(folder: Path) -> Document:
    """Every file and folder: type, size, times, inode, digest."""
    found = {}
    for path in sorted(folder.rglob("*")):
        shown = path.stat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        found[str(path.relative_to(folder))] = [
            shown.st_mode, shown.st_size, shown.st_mtime_ns, shown.st_ctime_ns, content,
        ]  # fmt: skip
    return found


def state(project: Project, lake: Lake) -> Document:
    """What the lake holds, but for names and times of snapshots."""
    deliveries: Document = {}
    for name, delivery in project.config.deliveries.items():
        base = Plans(project, lake, name).delivered()
        deliveries[name] = base and {
            **{key: base.manifest[key] for key in ("rows", "added", "updated", "removed", "seq")},
            "files": base.manifest["delivery_files"],
            "bytes": [] if delivery.encrypt_for else _files(base),
        }
    return {
        "exports": {name: _exports(lake, name) for name in project.config.lists},
        "profiles": _files(SnapshotStore(lake.profiles()).current()),
        "segments": {
            name: _files(SnapshotStore(lake.segment(name)).current())
            for name in project.config.segments
        },
        "deliveries": deliveries,
        "files": sorted(
            _SNAPSHOT.sub("(snapshot)", str(path.relative_to(lake.root)))
            for path in lake.root.rglob("*")
            if path.is_file()
        ),
    }


def _exports(lake: Lake, name: str) -> list[Document]:
    times = {"decided_at": True, "evidence": True}
    return [
        {
            "file": each.file,
            "state": each.state,
            "arrivals": len(each.arrivals),
            "outcome": each.outcome and each.outcome.model_dump(mode="json", exclude=times),
        }
        for each in read_exports(lake, name)
    ]


def _files(snapshot: Snapshot | None) -> list[list[str]] | None:
    if snapshot is None:
        return None
    return [[entry["name"], entry["sha256"]] for entry in snapshot.manifest["files"]]


TASKS: dict[str, Callable[[Path, Document], Document]] = {
    "sync": _sync,
    "look": _look,
    "recover": _recover,
    "fail": _fail,
    "hold": _hold,
    "reruns": _reruns,
}
