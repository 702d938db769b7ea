"""A list that is late: in `status`, in `sync` and in `doctor`."""

from __future__ import annotations

import datetime as dt

from responsys_assets_tests.commands.conftest import Small

YEAR = dt.datetime.now(dt.UTC).year
NEW_YEAR = f"{YEAR}0101"  # its deadline has passed on every day of this year


def test_a_late_list_is_3_in_status_and_sync_until_its_export_comes(small: Small) -> None:
    small.configure(
        account={"name": "acme", "timezone": "UTC"},
        lists={"core": small.list_config(deadline="0 0 1 1 *")},
    )
    status = small("status", "--json")
    assert status.code == 3
    assert status.json["lists"]["core"]["late"] == {
        "day": f"{YEAR}-01-01",
        "deadline": f"{YEAR}-01-01T00:00:00+00:00",
        "why": f"no export of core for {YEAR}-01-01 has arrived",
    }
    assert f"core is late since {YEAR}-01-01 00:00 (UTC)" in small("status").out
    synced = small("sync", "--json")
    assert (synced.code, [*synced.json["late"]]) == (3, ["core"])
    assert "core is late" in small("sync").out
    doctor = small("doctor", "--json")
    assert doctor.code == 1
    assert [each["subject"] for each in doctor.json["checks"] if each["check"] == "deadline"]
    small.export(day=NEW_YEAR)
    synced = small("sync", "--json")
    assert (synced.code, synced.json["late"]) == (0, {})
    assert small.json("status")["lists"]["core"]["late"] is None


def test_a_list_without_deadline_and_cadence_is_never_late(small: Small) -> None:
    assert small.json("status")["lists"]["core"]["late"] is None
    assert small.json("sync")["late"] == {}


def test_a_feed_that_stopped_is_3_in_status_and_sync_and_a_problem_for_doctor(small: Small) -> None:
    """Its name changed: all was green while the people of before were mailed on."""
    small.configure(lists={"core": small.list_config()})
    today = dt.datetime.now(dt.UTC).date()
    for ago in range(9, 4, -1):
        small.export(day=f"{today - dt.timedelta(days=ago):%Y%m%d}")
    synced = small("sync", "--json")
    assert (synced.code, [*synced.json["late"]]) == (3, ["core"])
    assert "came at most 24 h apart" in synced.json["late"]["core"]["why"]
    said = " ".join(small("sync").out.split())
    assert "No delivery knows of opt-outs in core since the last export there." in said
    assert small("status").code == 3
    doctor = small("doctor", "--json")
    assert [each["subject"] for each in doctor.json["checks"] if each["check"] == "deadline"]
    small.configure(lists={"core": small.list_config(deadline="none")})
    assert small("status").code == 0
    assert small.json("sync")["late"] == {}
