"""Parts of the lake that are lost, pruned or restored from yesterday undo no opt-out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from responsys_assets_tests.commands.conftest import Call
from responsys_assets_tests.consent.company import HEADER, IN, OUT, Company

LATER = [[*OUT[:2], "I", "Rome", "2026-01-02 02:00:00"], IN]


def lose(company: Company, pattern: str) -> None:
    """Remove what a pattern of the lake names."""
    paths = [*(company.folder / "lake").glob(pattern)]
    assert paths
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_pruned_files_and_lost_snapshots_change_nothing(company: Company) -> None:
    lose(company, "profiles")
    lose(company, "exported/*/*/*/*.csv")
    for file in (company.folder / "in").iterdir():
        file.unlink()
    assert company.sync().code == 0
    assert company.people() == company.delivered() == {"K2", "K3"}


@pytest.mark.parametrize("pattern", ["profiles/CURRENT", "profiles/*Z_*", "consent", "settings"])
def test_what_can_be_derived_is_made_anew(pattern: str, company: Company) -> None:
    lose(company, pattern)
    if pattern == "profiles/*Z_*":
        lose(company, "profiles/CURRENT")
    assert company.sync().code == 0
    assert company.people() == {"K2", "K3"}


@pytest.mark.parametrize("pattern", ["staged/core", "staged/core/*/*.json", "exported/core"])
def test_an_opt_out_outlives_the_receipts_of_its_export(pattern: str, company: Company) -> None:
    """Fails when permission is worked out from staged exports and not from the ledger."""
    lose(company, pattern)
    lose(company, "exported/core/*/*/*.csv") if "exported" not in pattern else None
    for file in (company.folder / "in").glob("CORE*"):
        file.unlink()
    company.sync()
    assert "K1" not in company.people() | company.delivered()


@pytest.mark.parametrize("part", ["staged", "profiles", "consent", "segments"])
def test_a_part_that_is_restored_from_yesterday_takes_nothing_back(
    part: str, company: Company
) -> None:
    lake, backup = company.folder / "lake", company.folder / "backup"
    shutil.copytree(lake / part, backup)
    company.send("CORE", [OUT, [*IN[:2], "O", *IN[3:]]], day="20260103")
    assert company.sync().code == 0
    assert company.people() == {"K3"}
    shutil.rmtree(lake / part)
    shutil.copytree(backup, lake / part)
    assert company.sync().code == 0
    assert company.people() == company.delivered() == {"K3"}


def test_an_opt_out_closes_every_address_that_its_person_has_or_had(company: Company) -> None:
    """The opt-out is said without an address; another key of another list has it."""
    company.send("CORE", [[OUT[0], "", "O", *OUT[3:]], IN], day="20260103")
    company.send("WEB", [["K9", "k1@x.com", "I", "Bern", "2026-01-02 00:00:00"]], day="20260103")
    assert company.sync().code == 0
    assert company.people() == {"K2"}


def test_an_opt_out_at_the_second_of_two_equal_times_is_not_ended_by_an_opt_in_of_the_first(
    tmp_path: Path, company: Company
) -> None:
    """In New York 01:10 and 01:40 happened twice on 2025-11-02; nobody knows which was meant."""
    person = ["K8", "k8@x.com", "I", "Paris", "2025-11-02 01:40:00"]
    company.send("CORE", [OUT, IN, person], day="20260103")
    assert company.sync().code == 0
    assert "K8" in company.people()
    person[2:] = ["O", "Paris", "2025-11-02 01:10:00"]
    company.send("CORE", [OUT, IN, person], day="20260104")
    assert company.sync().code == 0
    assert company.people() == {"K2", "K3"}


def test_a_zone_that_changes_between_readings_counts_for_the_opt_out(company: Company) -> None:
    """The opt-out keeps its reading, the opt-in is read in the new zone: their order is in doubt.

    Fails when `instants.latest` does not look at the zone of today."""
    out = [*IN[:2], "O", "Paris", "2026-01-02 10:30:00"]
    company.send("CORE", [OUT, [*IN[:2], "I", "Paris", "2026-01-02 10:00:00"]], day="20260103")
    company.sync()
    lose(company, "exported/*/*/*/*.csv")
    for file in (company.folder / "in").iterdir():
        file.unlink()
    company.configure(account={"name": "acme", "timezone": "UTC"})
    company.send("CORE", [OUT, out], day="20260104")
    assert company.sync().code == 0
    assert company.people() == {"K3"}


def test_profiles_older_than_an_accepted_opt_out_are_not_sent(company: Company) -> None:
    """Two columns that differ in case stop the merge; nothing goes out until that is settled."""
    header = [*HEADER[:3], "City_", HEADER[4]]
    rows = [[*WEB_OUT, "Oslo", "2026-01-02 03:00:00"]]
    company.send("WEB", rows, day="20260103", header=header)
    assert company.sync().code == 2
    assert company.people() == {"K2", "K3"}
    result = company("apply", "--json")
    assert result.code == 2
    assert result.error["code"] == "columns_do_not_fit"
    assert company.delivered() == {"K2", "K3"}


WEB_OUT = ["K3", "k3@x.com", "O"]


def test_without_an_export_of_the_primary_list_nothing_is_sent(company: Company) -> None:
    company.configure(profiles={"match_on": "CUSTOMER_ID_", "insert_new": False, "primary": "core"})
    company.sync()
    company.decide("exports", "core", "withdraw", "CORE_20260102.csv")
    result = company.sync()
    assert result.code == 3
    assert "primary list core" in result.json["profiles"]["waits"]
    assert result.json["deliveries"] == {}
    assert company("apply", "--json").error["code"] == "profiles_wait"


def test_verify_tells_a_ledger_that_is_not_what_was_recorded(company: Company) -> None:
    files = sorted((company.folder / "lake/consent").rglob("*.parquet"))
    files[0].write_bytes(files[0].read_bytes() + b"x")
    files[1].unlink()
    problems = company("verify", "--json").json["problems"]
    assert [problem["problem"] for problem in problems] == ["differs", "missing"]
    assert all("consent" in problem["file"] for problem in problems)


def test_a_postal_opt_out_closes_its_address_and_not_the_street_in_every_city(
    tmp_path: Path, call: Call
) -> None:
    company = Company(tmp_path, call)
    header = ["CUSTOMER_ID_", "POSTAL_STREET_1_", "CITY_", "POSTAL_CODE_"]
    header += ["POSTAL_PERMISSION_STATUS_", "MODIFIED_DATE_"]
    street, time = "Main Street 1", "2026-01-01 10:00:00"
    people = [
        ["K1", street, "Rome", "00184", "O", time],
        ["K2", street.upper(), " rome", "00184", "I", time],
        ["K3", street, "Milan", "20121", "I", time],
    ]
    company.send("CORE", people, header=header)
    del company.lists["web"]
    segment = {"where": "1 = 1", "channel": "postal", "columns": header[:2]}
    company.configure(segments={"people": segment})
    assert company.sync().code == 0
    assert company.people() == {"K3"}


def test_a_staged_file_that_is_lost_before_it_was_recorded_comes_back_by_a_retry(
    company: Company,
) -> None:
    lose(company, "consent/core")
    (staged,) = (company.folder / "lake/staged/core").rglob("*.parquet")
    staged.write_bytes(b"PAR1")
    assert company.sync().error["code"] == "staged_unreadable"
    company.decide("exports", "core", "retry", "CORE_20260102.csv")
    assert company.sync().code == 0
    assert company.people() == {"K2", "K3"}


def test_profiles_with_an_address_wait_unless_the_permission_of_its_channel_goes_along(
    tmp_path: Path, call: Call
) -> None:
    company = Company(tmp_path, call)
    del company.lists["web"]
    header = [*HEADER[:3], "MOBILE_PERMISSION_STATUS_", HEADER[4]]
    company.send("CORE", [["K1", "k1@x.com", "O", "I", IN[4]]], header=header)
    delivery = {"segment": "profiles", "to": "out", "file": "all_{YYYYMMDD}.csv", "guard": "none"}
    columns = ["CUSTOMER_ID_", "EMAIL_ADDRESS_", "MOBILE_PERMISSION_STATUS_"]
    company.configure(deliveries={"all": {**delivery, "columns": columns}})
    result = company.sync()
    assert result.code == 3
    assert result.json["deliveries"]["all"]["reason"] == "consent_not_delivered"
    columns.append("EMAIL_PERMISSION_STATUS_")
    company.configure(deliveries={"all": {**delivery, "columns": columns}})
    assert company.sync().json["deliveries"]["all"]["state"] == "delivered"
