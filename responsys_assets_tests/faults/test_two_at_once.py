"""Two processes on one lake: one works, the other waits; a dead one holds nothing."""

from __future__ import annotations

import signal
import time

import dagster as dg
import pytest

from responsys_assets.config.loader import load
from responsys_assets.orchestration.build import build_definitions
from responsys_assets.orchestration.jobs import REFRESH, ingest_name
from responsys_assets_tests.faults.laboratory import Laboratory
from responsys_assets_tests.scorecard import FULL, Cases

SHARES = 2 if FULL else 1


@pytest.mark.timeout(600)
@pytest.mark.scorecard(32)
@pytest.mark.parametrize("share", range(SHARES))
def test_of_two_syncs_at_once_one_does_the_work_and_the_other_finds_it_done(
    laboratory: Laboratory, cases: Cases, share: int
) -> None:
    """Fails without the `flock` of `Lake._acquire`."""
    template = laboratory.template("next")
    for numbers in cases.draw(3, 50):
        with laboratory.case(template) as case:
            first = laboratory.forks.start("sync", case.folder)
            first.ends_within(numbers.uniform(0, 0.05))
            second = laboratory.forks.start("sync", case.folder)
            assert (first.wait(), second.wait()) == (0, 0)
            said = [first.said, second.said]
            assert [each["exit_code"] for each in said] == [0, 0], said
            assert sorted(each["changed"] for each in said) == [False, True]
            found = laboratory.forks.run("look", case.folder)
            assert found["problems"] == []
            case.expect_new(found["state"])


@pytest.mark.timeout(600)
@pytest.mark.scorecard(32)
def test_who_waits_for_a_process_that_is_killed_gets_in_at_once(
    laboratory: Laboratory, cases: Cases
) -> None:
    """Fails when the lock is a file that is there, and not one that is locked."""
    template = laboratory.template("next")
    for numbers in cases.draw(1, 20):
        with laboratory.case(template) as case:
            holder = laboratory.forks.start("hold", case.folder)
            lock = case.folder / "held"
            deadline = time.monotonic() + 20
            while not lock.exists():
                assert time.monotonic() < deadline
                holder.ends_within(0.01)
            waiting = laboratory.forks.start("sync", case.folder)
            assert not waiting.ends_within(numbers.uniform(0, 0.3))
            holder.kill()
            assert holder.wait() == -signal.SIGKILL
            assert waiting.wait() == 0
            assert waiting.said["exit_code"] == 0
            case.expect_new(laboratory.forks.run("look", case.folder)["state"])


@pytest.mark.timeout(600)
@pytest.mark.scorecard(32)
def test_a_sync_beside_dagster_runs_of_the_same_work_does_nothing_twice(
    laboratory: Laboratory, cases: Cases
) -> None:
    """Fails without the `flock` of `Lake._acquire`."""
    template = laboratory.template("next")
    for numbers in cases.draw(1, 5):
        with laboratory.case(template) as case, dg.DagsterInstance.ephemeral() as instance:
            project = load(case.folder / "responsys.yaml", {})
            jobs = build_definitions(project)
            beside = laboratory.forks.start("sync", case.folder)
            beside.ends_within(numbers.uniform(0, template.seconds))
            for name in project.config.lists:
                ingest = jobs.resolve_job_def(ingest_name(name))
                assert ingest.execute_in_process(
                    instance=instance, partition_key="2024-03-02"
                ).success
            assert jobs.resolve_job_def(REFRESH).execute_in_process(instance=instance).success
            assert beside.wait() == 0
            assert beside.said["exit_code"] == 0
            case.expect_new(laboratory.forks.run("look", case.folder)["state"])
