"""A disk that is full or broken at any operation: a sentence, the old state, and it goes on."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from responsys_assets_tests.faults.laboratory import Case, Laboratory
from responsys_assets_tests.scorecard import FULL, Cases

SHARES = 2 if FULL else 1
ADVICE = ("run this again", "run it again", "reads it again", "and run sync", "plan again")


def expect_a_sentence(failed: dict[str, Any]) -> None:
    """An error of ours that says what to do, or a fault that was made up for on the way."""
    if "error" not in failed:
        if failed["exit_code"] == 1:
            assert any(advice in text for text in failed["details"] for advice in ADVICE), failed
        return
    assert failed["exit_code"] == 1
    assert failed["error"]["code"] not in ("internal", "engine", "merge_failed"), failed
    assert any(advice in failed["said"] for advice in ADVICE), failed["said"]
    assert "p1@example.com" not in failed["said"]


def expect_no_harm(case: Case, said: dict[str, Any]) -> None:
    """Readers find the old or the new state, and a sync on a good disk makes up for it."""
    assert said["before"]["problems"] == []
    case.expect_old_or_new(said["before"]["state"])
    assert said["rerun"].get("exit_code") == 0, said["rerun"]
    assert said["after"]["problems"] == []
    case.expect_new(said["after"]["state"])


@pytest.mark.timeout(1800)
@pytest.mark.scorecard(30)
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize(
    ("action", "error"),
    [("fail", "EIO"), ("full", "ENOSPC"), ("full", "EDQUOT"), ("short", "ENOSPC")],
)
def test_a_fault_at_any_operation_is_said_and_leaves_the_old_state(
    laboratory: Laboratory, cases: Cases, action: str, error: str, share: int
) -> None:
    """EIO: once. A full disk or quota stays so; `short` writes half before it is full.

    Fails when `Lake.writing` lets an OSError through.
    """
    template = laboratory.template("next")
    points = range(1, template.count + 1)
    if FULL:
        # half a write first differs from none only where there is a write
        chosen = [*points[share::SHARES]][:: 1 if error in ("EIO", "ENOSPC") else 3]
        chosen = [n for n in chosen if action != "short" or n in template.writes]
    else:
        chosen = random.Random(cases.seed).sample(points, 2)  # noqa: S311
    for at in cases.each(chosen):
        with laboratory.case(template) as case:
            said = laboratory.forks.run("fail", case.folder, at=at, action=action, error=error)
            expect_a_sentence(said["failed"])
            expect_no_harm(case, said)


@pytest.mark.timeout(600)
@pytest.mark.scorecard(30)
def test_a_disk_that_really_is_full_is_said_and_leaves_the_old_state(
    laboratory: Laboratory, cases: Cases
) -> None:
    """A file system of 1 MB with little room left; where none can be mounted, a limit on the
    size of files.

    Fails when `Lake.writing` lets an OSError through.
    """
    template = laboratory.template("next")
    for numbers in cases.draw(2, 20):
        with laboratory.case(template) as case, crowded(case, numbers) as limit:
            failed = laboratory.forks.run("sync", case.folder, **limit.request)
            assert "error" in failed
            expect_a_sentence(failed)
            limit.lift()
            expect_no_harm(case, laboratory.forks.run("recover", case.folder))


class Limit:
    """Little room in the lake of a case."""

    def __init__(self, ballast: Path, request: dict[str, Any]) -> None:
        self._ballast = ballast
        self.request = request

    def lift(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def crowded(case: Case, numbers: random.Random) -> Iterator[Limit]:
    lake, ballast = case.folder / "lake", case.folder / "lake" / "ballast"
    if not mounted(lake):
        yield Limit(ballast, {"largest_file": numbers.randrange(100, 2000)})
        return
    try:
        shutil.copytree(case.template.folder / "lake", lake, dirs_exist_ok=True)
        left = os.statvfs(lake).f_bavail * os.statvfs(lake).f_frsize
        ballast.write_bytes(bytes(left - 4096 * numbers.randrange(1, 30)))
        yield Limit(ballast, {})
    finally:
        subprocess.run(["umount", lake], check=True)


def mounted(folder: Path) -> bool:
    """Whether an empty file system of 1 MB could be put there."""
    command = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
