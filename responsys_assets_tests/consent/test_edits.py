"""An edit of the settings undoes no opt-out and removes nobody."""

from __future__ import annotations

from typing import Any

import pytest

from responsys_assets_tests.consent.company import HEADER, IN, OUT, WEB, Company

_DECRYPT = {"keys": {"decrypt": {"private_key_file": "no.asc"}}}


@pytest.mark.parametrize(
    "keys",
    [
        {"delimiter": ";"},
        {"updated_at": "CITY_"},
        {"timestamp_format": "%d.%m.%Y"},
        {"columns": {"CITY_": "integer"}},
        {"ready": {"counts_header": True}},
        {"enclosure": "none", "delimiter": "|"},
        {"header": False, "columns": dict.fromkeys(HEADER[:4], "text")},
        {"charset": "utf-16"},
    ],
    ids=str,
)
def test_a_setting_that_makes_a_reading_fail_changes_nothing_but_its_own_report(
    keys: dict[str, Any], company: Company
) -> None:
    company.edit("core", **keys)
    result = company.sync()
    (report,) = result.json["lists"]["core"]["exports"]
    assert result.code == 3
    assert report["state"] in ("held", "failed")
    assert report["in_force"]
    assert company.people() == company.delivered() == {"K2", "K3"}
    assert company.profiles() == {"K1", "K2", "K3"}
    again = company.sync()
    assert again.code == 3
    assert again.json["lists"] == result.json["lists"] | {"web": again.json["lists"]["web"]}
    assert "stays in force" in company("exports", "core").out


def test_doctor_and_plan_say_before_a_sync_what_an_edit_will_have_read_anew(
    company: Company,
) -> None:
    company.edit("core", delimiter=";")
    findings = company("doctor", "--json").json["checks"]
    notes = [finding for finding in findings if finding["check"] == "settings"]
    assert [note["subject"] for note in notes] == ["core"]
    assert "1 export of core anew (delimiter changed)" in notes[0]["detail"]
    plan = company("plan", "--json").json
    assert plan["read_anew"]["core"] == {
        "changed": ["delimiter"],
        "anew": ["CORE_20260102.csv"],
        "kept": [],
    }


def test_a_count_that_becomes_required_holds_the_reading_and_not_the_export(
    company: Company,
) -> None:
    company.edit("web", ready={"count": "optional"})
    company.send("WEB", [[*IN[:2], "O", *IN[3:]]], day="20260103")
    (company.folder / "in/WEB_20260103.csv.ready").write_text("")
    assert company.sync().code == 0
    assert company.people() == set()
    company.edit("web", ready={"count": "required"})
    assert company.sync().code == 3
    assert company.people() == set()


@pytest.mark.parametrize("change", ["encrypted", "signers"])
def test_a_key_that_is_demanded_later_takes_nothing_back(change: str, company: Company) -> None:
    if change == "encrypted":
        company.configure(**_DECRYPT)
        company.edit("core", encrypted=True)
    else:
        company.configure(keys={"signers": ["0" * 40]})
    assert company.sync().code in (0, 1, 3)
    assert company.delivered() == {"K2", "K3"}


def test_a_renamed_permission_column_takes_nothing_back(company: Company) -> None:
    company.edit("core", rename={"EMAIL_PERMISSION_STATUS_": "PERM"})
    company.sync()
    assert "K1" not in company.people() | company.delivered()


@pytest.mark.parametrize("name", ["crm", None])
def test_a_list_that_is_renamed_or_removed_keeps_closing_what_it_closed(
    name: str | None, company: Company
) -> None:
    config = company.lists.pop("core")
    if name:
        company.lists = {name: config, **company.lists}
    company.configure()
    result = company.sync()
    assert result.code == 0
    assert result.json["former_lists"] == {"core": 1}
    assert "K1" not in company.people() | company.delivered()
    assert "exports core forget" in company("status").out


def test_a_person_can_have_a_former_list_forgotten(company: Company) -> None:
    del company.lists["core"]
    company.configure()
    company.decide("exports", "core", "forget")
    assert company.sync().json["former_lists"] == {}
    assert company.people() == {"K1", "K3"}


def test_a_list_of_the_configuration_cannot_be_forgotten(company: Company) -> None:
    result = company("exports", "core", "forget", "--why", "x")
    assert result.code == 2
    assert "is in the configuration" in result.err


def test_a_list_that_is_configured_again_says_again_what_it_said(company: Company) -> None:
    config = company.lists.pop("core")
    company.configure()
    company.decide("exports", "core", "forget")
    company.sync()
    company.lists = {"core": config, **company.lists}
    company.configure()
    company.sync()
    assert company.people() == {"K2", "K3"}


def test_another_match_key_finds_the_people_by_what_their_records_said(company: Company) -> None:
    company.configure(profiles={"match_on": "EMAIL_ADDRESS_"})
    assert company.sync().code == 0
    assert "K1" not in company.people()


def test_another_match_key_that_kept_readings_cannot_serve_is_refused(company: Company) -> None:
    for file in (company.folder / "lake/exported").rglob("*.csv"):
        file.unlink()
    for file in (company.folder / "in").iterdir():
        file.unlink()
    company.configure(profiles={"match_on": "EMAIL_ADDRESS_"})
    result = company.sync()
    assert result.code == 2
    assert result.error["code"] == "match_on_does_not_fit"
    assert "withdraw" in result.error["message"]
    assert company.profiles() == {"K1", "K2", "K3"}
    assert company("apply", "--json").code != 0
    assert company.delivered() == {"K2", "K3"}


def test_a_type_that_kept_readings_cannot_serve_is_refused_and_profiles_stay(
    company: Company,
) -> None:
    company.edit("core", columns={"CITY_": "integer"})
    company.send("CORE", [[*OUT[:3], "1", OUT[4]], [*IN[:3], "", IN[4]]], day="20260103")
    assert company.sync().code in (2, 3)
    assert company.delivered() == {"K2", "K3"}


def test_withdraw_takes_back_the_rows_and_keeps_the_opt_outs(company: Company) -> None:
    company.decide("exports", "core", "withdraw", "CORE_20260102.csv")
    company.sync()
    assert company.profiles() == {"K1", "K3"}
    assert company.people() == {"K3"}


def test_an_address_of_a_person_who_is_out_stays_closed_when_its_row_is_withdrawn(
    company: Company,
) -> None:
    """Fails when the address stays closed after `--opt-outs`, or opens without it."""
    moved = ["K1", "shared@x.com", "I", "Rome", "2025-12-31 10:00:00"]  # older than the opt-out
    company.send("CORE", [OUT])
    company.send("CORE", [moved, IN], day="20260103")
    company.send("WEB", [["K3", "shared@x.com", "I", "Oslo", "2026-01-02 01:00:00"]])
    company.sync()
    company.decide("exports", "core", "withdraw", "CORE_20260103.csv")
    company.sync()
    assert "K3" not in company.people()
    company.decide("exports", "core", "withdraw", "CORE_20260103.csv", "--opt-outs")
    company.sync()
    assert "K3" in company.people()


def test_withdraw_with_opt_outs_takes_them_back_too(company: Company) -> None:
    company.decide("exports", "core", "withdraw", "CORE_20260102.csv")
    company.sync()
    company.decide("exports", "core", "withdraw", "CORE_20260102.csv", "--opt-outs")
    company.sync()
    assert company.people() == {"K1", "K3"}


def test_a_retry_after_an_accept_keeps_what_was_accepted(company: Company) -> None:
    file = company.send("CORE", [[*IN[:2], "O", *IN[3:]], OUT], day="20260103")
    (company.folder / "in" / f"{file}.ready").write_text("7")
    assert company.sync().code == 3
    company.decide("exports", "core", "accept", file)
    assert company.sync().code == 0
    company.decide("exports", "core", "retry", file)
    assert company.sync().code == 3
    assert company.people() == {"K3"}


def test_a_new_reading_that_is_held_can_be_accepted_by_a_person(company: Company) -> None:
    columns = {"CITY_": "PLACE"}
    company.edit("core", rename=columns, columns={"PLACE": "integer"}, max_rejected="10%")
    assert company.sync().code == 3
    company.decide("exports", "core", "accept", "CORE_20260102.csv")
    assert company.sync().code == 0
    assert "K1" not in company.people() | company.delivered()


def test_a_reading_that_an_edit_makes_fail_says_which_edit(company: Company) -> None:
    company.edit("core", delimiter=";")
    (report,) = company.sync().json["lists"]["core"]["exports"]
    assert "undo the edit of the settings (delimiter)" in report["detail"]
    assert "withdraw" not in report["detail"]


def test_forget_takes_no_file(company: Company) -> None:
    del company.lists["core"]
    company.configure()
    result = company("exports", "core", "forget", "CORE_20260102.csv", "--why", "that one")
    assert result.code == 2
    company.sync()
    assert "K1" not in company.people()


def test_a_segment_that_fails_keeps_no_other_delivery_from_its_opt_outs(company: Company) -> None:
    people = {"where": "1 = 1", "channel": "email", "columns": ["CUSTOMER_ID_", "EMAIL_ADDRESS_"]}
    company.configure(segments={"broken": {**people, "where": "NO_SUCH = 1"}, "people": people})
    company.send("CORE", [OUT, [*IN[:2], "O", *IN[3:]]], day="20260103")
    result = company.sync()
    assert result.code == 2
    assert list(result.json["errors"]) == ["segments/broken"]
    assert result.json["error"]["code"] == "unknown_column"
    assert company.delivered() == {"K3"}


def test_only_rejected_records_that_there_are_can_be_settled(company: Company) -> None:
    result = company("rejects", "core", "--settle", "CORE_20260102.csv", "--why", "x")
    assert result.code == 2
    assert "has no rejected records" in result.err


def test_a_settled_record_no_longer_counts_as_an_opt_out(company: Company) -> None:
    ragged = ["K2", "k2@x.com", "", "Paris", "", "", "2026-01-02 01:00:00"]
    company.edit("core", max_rejected="100%")
    company.send("CORE", [OUT, ragged, [*IN[:2], "I", *IN[3:]]], day="20260103")
    company.sync()
    assert "K2" not in company.people()
    company.decide("rejects", "core", "--settle", "CORE_20260103.csv", "--record", "2")
    company.sync()
    assert "K2" in company.people()


def test_an_opt_out_whose_record_lacks_the_new_match_key_finds_its_person_by_the_old_one(
    company: Company,
) -> None:
    company.send("CORE", [["K1", "", *OUT[2:]], IN], day="20260103")
    company.send("WEB", [["K1", "z@x.com", *WEB[0][2:]], WEB[1]], day="20260103")
    assert company.sync().code == 0
    company.configure(profiles={"match_on": "EMAIL_ADDRESS_"})
    company.sync()
    assert "K1" not in company.people() | company.delivered()


@pytest.mark.parametrize(
    "cell",
    ["k2@x.com;k3@x.com", '"k2@x.com, k3@x.com"', "k2@x.com k3@x.com", "<k2@x.com> <k3@x.com>"],
)
def test_an_opt_out_closes_every_address_of_its_cell(cell: str, company: Company) -> None:
    company.send("CORE", [["K9", cell, "O", "", IN[4]], OUT, IN], day="20260103")
    company.sync()
    assert company.people() == set()


def test_a_time_without_an_hour_counts_to_the_end_of_its_day_for_an_opt_out(
    company: Company,
) -> None:
    company.edit("core", timestamp_format="%Y-%m-%d")
    company.send("CORE", [["K2", "k2@x.com", "O", "", "2026-01-03"], OUT], day="20260103")
    company.edit("core", max_rejected="100%")
    company.sync()
    assert "K2" not in company.people()
    for file in (company.folder / "in").iterdir():
        file.unlink()
    lose_exported(company)
    company.edit("core", timestamp_format="%Y-%m-%d %H:%M:%S")
    company.send("CORE", [["K2", "k2@x.com", "I", "", "2026-01-03 00:05:00"], OUT], day="20260104")
    company.sync()
    assert "K2" not in company.people()


def lose_exported(company: Company) -> None:
    """As retention does."""
    for path in (company.folder / "lake/exported").glob("*/*/*/*.csv"):
        path.unlink()
