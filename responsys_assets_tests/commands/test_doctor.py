"""`doctor` says of each thing whether it works, and what to do; bad servers are 1 in `sync`."""

from __future__ import annotations

import os
from typing import Any

import pytest

from responsys_assets.servers.ssh_keys import new_ssh_key
from responsys_assets_tests.commands.conftest import Small
from responsys_assets_tests.conftest import Account, PgpKeys


def findings(small: Small, check: str, code: int = 0) -> list[dict[str, str]]:
    result = small("doctor", "--json")
    assert result.code == code, result.out
    document = result.json
    problems = [c for c in document["checks"] if c["state"] == "problem"]
    assert document["problems"] == len(problems)
    return [c for c in document["checks"] if c["check"] == check]


def test_a_sound_project_has_no_problem(small: Small) -> None:
    small.export()
    (found,) = findings(small, "files")
    assert (found["state"], found["subject"]) == ("ok", "core")
    assert "CORE_20260102.csv" in found["detail"]
    people = small("doctor")
    assert people.code == 0
    assert "No problem" in people.out


def test_the_newest_file_is_that_of_the_newest_stamp_whatever_was_written_last(
    small: Small,
) -> None:
    for day in ("20260103", "20260101", "20260102"):
        small.export(day=day)
    os.utime(small.folder / "files/CORE_20260103.csv", (1, 1))
    (found,) = findings(small, "files")
    said = "3 data files match, the newest by its stamp is CORE_20260103.csv"
    assert found["detail"] == said
    small.configure(lists={"core": small.list_config(since="2026-01-03")})
    (found,) = findings(small, "files")
    assert (
        found["detail"] == f"{said}; 2 are ignored, for their stamps are before since (2026-01-03)"
    )
    small.configure(lists={"core": small.list_config(since="2026-02-01")})
    (found,) = findings(small, "files", code=1)
    assert "nothing is left, check `since`" in found["detail"]


def test_what_waits_for_a_person_is_noted_and_what_cannot_be_read_is_a_problem(
    small: Small,
) -> None:
    small.export(count=9)
    small("sync")
    (found,) = findings(small, "exports")
    said = "1 wait for a person: CORE_20260102.csv; see `responsys exports core`"
    assert (found["state"], found["detail"]) == ("note", said)
    (receipt,) = small.folder.glob("lake/staged/core/*/*.json")
    receipt.write_text("{")
    (found,) = findings(small, "exports", code=1)
    assert "this receipt cannot be read" in found["detail"]
    assert [each["state"] for each in findings(small, "files", code=1)] == ["ok"]


def test_a_folder_of_this_machine_has_no_pinned_key(small: Small) -> None:
    small.export()
    details = {each["subject"]: each["detail"] for each in findings(small, "server")}
    assert details["files"] == "can be read"


def test_a_list_without_files_is_a_problem_with_its_pattern(small: Small) -> None:
    (found,) = findings(small, "files", code=1)
    assert found["state"] == "problem"
    assert "CORE_{YYYYMMDD}.csv" in found["detail"]


def test_files_that_no_list_takes_are_noted_with_a_pattern(small: Small) -> None:
    small.export()
    for day in (1, 2, 3):
        (small.folder / "files" / f"WEB_2026010{day}.csv.gpg").touch()
    (small.folder / "files" / "CORE_20260109.csv.ready").touch()
    found = {f["state"]: f["detail"] for f in findings(small, "other files")}
    assert set(found) == {"note"}
    details = " / ".join(f["detail"] for f in findings(small, "other files"))
    assert 'and 2 more: no list takes it; files: "WEB_{YYYYMMDD}.csv.gpg" would' in details
    assert "a ready file whose data file is not there" in details


def test_a_missing_variable_and_a_missing_suppression_file_are_named(small: Small) -> None:
    small.export()
    small.configure(
        suppressions=[{"file": "gone.csv", "column": "EMAIL_ADDRESS_"}],
        keys={"recipients": {"partner": {"public_key_file": "${PARTNER_KEY_OF_NOBODY}"}}},
    )
    (variable,) = findings(small, "variable", code=1)
    assert (variable["subject"], variable["state"]) == ("PARTNER_KEY_OF_NOBODY", "problem")
    (suppressions,) = findings(small, "suppressions", code=1)
    assert suppressions["state"] == "problem"
    assert "gone.csv" in suppressions["detail"]


def test_keys_are_tried_not_only_looked_at(small: Small, pgp_keys: PgpKeys) -> None:
    small.export()
    keys: dict[str, Any] = {
        "decrypt": {"private_key_file": str(pgp_keys.private("own"))},
        "recipients": {"partner": {"public_key_file": str(pgp_keys.public("partner"))}},
    }
    small.configure(keys=keys)
    assert [f["state"] for f in findings(small, "key")] == ["ok", "ok"]
    keys["decrypt"] = {"private_key_file": str(pgp_keys.private("locked"))}
    keys["recipients"]["partner"] = {"public_key_file": str(small.file)}
    small.configure(keys=keys)
    assert [f["state"] for f in findings(small, "key", code=1)] == ["problem", "problem"]


def on_server(small: Small, config: dict[str, Any], folder: str) -> None:
    small.configure(
        servers={"far": config, "outbox": {"type": "local", "path": "outbox"}},
        lists={"core": small.list_config(server="far", folder=folder)},
    )


@pytest.fixture
def far(small: Small, sftp_account: Account) -> dict[str, Any]:
    """The entry of a real SFTP server with an export in the folder `core`."""
    small.export()
    target = sftp_account.folder / small.folder.name
    (small.folder / "files").rename(target)
    on_server(small, sftp_account.config, target.name)
    return sftp_account.config


def test_a_real_server_is_reached(small: Small, far: dict[str, Any]) -> None:
    states = {f["subject"]: f["state"] for f in findings(small, "server")}
    assert states == {"far": "ok", "outbox": "ok"}
    assert small.json("sync")["profiles"]["rows"] == 3


@pytest.mark.parametrize("fault", ["host_key", "unreachable", "login"])
def test_a_server_that_is_wrong_or_away_is_1_and_names_itself(
    small: Small, far: dict[str, Any], fault: str, sftp_account: Account
) -> None:
    changes: dict[str, dict[str, Any]] = {
        "host_key": {"host_keys": [" ".join(new_ssh_key(kind="ed25519").public.split()[:2])]},
        "unreachable": {"port": 1},
        "login": {"username": "somebody_else"},
    }
    on_server(small, far | changes[fault], small.folder.name)
    before = sftp_account.logins().count("login")
    result = small("sync", "--json")
    assert result.code == 1
    assert "far" in result.error["message"]
    assert small("sync").err.count("\n") == 1
    (server,) = [f for f in findings(small, "server", code=1) if f["subject"] == "far"]
    assert server["state"] == "problem"
    assert sftp_account.logins().count("login") == before
