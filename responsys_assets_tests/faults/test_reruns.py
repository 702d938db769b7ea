"""A sync with nothing new is a sync that did not happen."""

from __future__ import annotations

import pytest

from responsys_assets_tests.faults.laboratory import Laboratory
from responsys_assets_tests.scorecard import Cases


@pytest.mark.timeout(600)
@pytest.mark.scorecard(33)
@pytest.mark.parametrize("encrypted", [False, True])
def test_syncs_with_nothing_new_touch_no_file_and_deliver_nothing(
    laboratory: Laboratory, cases: Cases, encrypted: bool
) -> None:
    """Fails when `profiles.refresh` does not compare the digest of its inputs."""
    template = laboratory.template("next", encrypted=encrypted)
    with laboratory.case(template) as case:
        assert laboratory.forks.run("sync", case.folder)["exit_code"] == 0
        case.receiver.take()
        case.receiver.taken.clear()
        first, *again = laboratory.forks.run("reruns", case.folder, times=26)["runs"]
        for said in cases.each(again):
            assert not said["changed"]
            assert said["deliveries"] == {"partner": "unchanged", "cities": "unchanged"}
            assert said["tree"] == first["tree"]
        case.receiver.take()
        assert case.receiver.taken == []
