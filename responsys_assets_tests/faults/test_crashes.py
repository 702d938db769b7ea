"""kill -9 anywhere in a sync: readers see old or new, and the next sync makes up for it."""

from __future__ import annotations

import random
import signal

import pytest

from responsys_assets_tests.faults.laboratory import Case, Laboratory, Template
from responsys_assets_tests.faults.projects import Scenario
from responsys_assets_tests.scorecard import FULL, Cases

SHARES = 4 if FULL else 1


def points(template: Template, share: int, small: int, seed: str) -> list[int]:
    """Every operation of a share, or a few drawn from all."""
    every = range(1, template.count + 1)
    if FULL:
        return list(every[share::SHARES])
    return sorted(random.Random(seed).sample(every, small))  # noqa: S311


def recover(laboratory: Laboratory, case: Case) -> None:
    """The receiver goes on, somebody reads, and the next sync runs; all of it must be right."""
    case.receiver.take()
    said = laboratory.forks.run("recover", case.folder)
    assert said["before"]["problems"] == []
    case.expect_old_or_new(said["before"]["state"])
    assert said["rerun"]["exit_code"] == 0, said["rerun"]
    assert said["after"]["problems"] == []
    case.expect_new(said["after"]["state"])


@pytest.mark.timeout(1800)
@pytest.mark.scorecard(29)
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("scenario", ["first", "next", "restaged"])
def test_killed_at_any_file_operation_nothing_is_lost_or_done_twice(
    laboratory: Laboratory, cases: Cases, scenario: Scenario, share: int
) -> None:
    """A write is killed half done.

    Fails when an export that is staged anew keeps the names of its files (`Export._edition`).
    """
    template = laboratory.template(scenario)
    for at in cases.each(points(template, share, 5, cases.seed)):
        with laboratory.case(template) as case:
            child = laboratory.forks.start("sync", case.folder, at=at, action="kill")
            assert child.wait() == -signal.SIGKILL, at
            recover(laboratory, case)


@pytest.mark.timeout(1800)
@pytest.mark.scorecard(29)
@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("share", range(SHARES))
def test_killed_at_any_moment_nothing_is_lost_or_done_twice(
    laboratory: Laboratory, cases: Cases, share: int, encrypted: bool
) -> None:
    """With gpg running below it, too: no gpg, no agent and no home of gpg stays.

    Fails when `Lake.writing` does not empty `tmp`.
    """
    template = laboratory.template("next", encrypted=encrypted)
    full = 80 if encrypted else 170
    for numbers in cases.draw(2, full):
        with laboratory.case(template) as case:
            child = laboratory.forks.start("sync", case.folder)
            if not child.ends_within(numbers.uniform(0, template.seconds)):
                child.kill()
            child.wait()
            recover(laboratory, case)
