"""The line by its commands: sync, status, exports, rejects, path, plan, apply, prune, verify."""

from __future__ import annotations

import csv
import getpass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from responsys_assets_tests.commands.conftest import CSV, Small

DAMAGED = CSV + "4,four@example.com,I\n"  # three fields of five


def snapshot_of(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def delivered(small: Small, name: str = "to_partner") -> list[dict[str, str]]:
    (path,) = small.json("path", f"deliveries/{name}")["files"]
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def test_sync_says_what_it_did(small: Small) -> None:
    name = small.export()
    document = small.json("sync")
    (export,) = document["lists"]["core"]["exports"]
    assert {key: export[key] for key in ("file", "records", "staged", "rejected", "state")} == {
        "file": name,
        "records": 3,
        "staged": 3,
        "rejected": 0,
        "state": "staged",
    }
    assert {"blank", "unidentified", "reason"} <= set(export)
    assert document["lists"]["core"]["known"] == 0
    assert document["profiles"]["rows"] == 3
    assert document["segments"] == {"rome": {"rows": 1}}
    sent = document["deliveries"]["to_partner"]
    assert {key: sent[key] for key in ("state", "added", "updated", "removed", "rows")} == {
        "state": "delivered",
        "added": 1,
        "updated": 0,
        "removed": 0,
        "rows": 1,
    }
    assert (small.folder / "outbox" / sent["files"][0]).exists()


def test_a_second_sync_does_nothing_and_says_so(small: Small) -> None:
    small.export()
    small.json("sync")
    before = snapshot_of(small.folder / "lake")
    people = small("sync")
    assert people.code == 0
    assert "Nothing new" in people.out
    document = small.json("sync")
    assert document["lists"]["core"] == {"known": 1, "exports": []}
    assert document["deliveries"]["to_partner"]["state"] == "unchanged"
    assert snapshot_of(small.folder / "lake") == before


def test_sync_before_any_export_is_no_failure(small: Small) -> None:
    document = small.json("sync")
    assert document["profiles"] == {"rows": 0, "snapshot": None}


def test_a_wrong_count_holds_the_file_until_a_person_decides(small: Small) -> None:
    name = small.export(count=99)
    result = small("sync", "--json")
    assert result.code == 3
    (export,) = result.json["lists"]["core"]["exports"]
    assert (export["file"], export["state"], export["staged"]) == (name, "held", 0)
    assert export["reason"]
    assert small.json("status")["lists"]["core"]["held"][0]["file"] == name
    said = small.json("exports", "core", "accept", name, "--why", "the sender confirmed 3")
    assert said["action"] == "accept"
    assert said["who"] == getpass.getuser()
    assert Path(said["receipt"]).name == "0001.verdict.json"
    document = small.json("sync")
    assert document["profiles"]["rows"] == 3
    (listed,) = small.json("exports", "core")["exports"]
    assert listed["state"] == "staged"
    assert [v["why"] for v in listed["verdicts"]] == ["the sender confirmed 3"]


def test_a_held_file_that_has_gone_stays_in_status_and_is_no_reason_to_wait(small: Small) -> None:
    name = small.export(count=99)
    assert small("sync").code == 3
    assert small("sync").code == 3
    for path in (small.folder / "files").iterdir():
        path.unlink()
    assert small("sync").code == 0
    assert [held["file"] for held in small.json("status")["lists"]["core"]["held"]] == [name]


def test_a_withdrawn_export_leaves_the_profiles(small: Small) -> None:
    small.export(day="20260102")
    late = small.export(CSV + "5,five@example.com,I,Rome,2026-01-02 10:00:00\n", day="20260103")
    assert small.json("sync")["profiles"]["rows"] == 4
    small.json("exports", "core", "withdraw", late, "--why", "a test export")
    assert small.json("sync")["profiles"]["rows"] == 3
    assert len(small.json("path", "staged/core")["files"]) == 1
    small.json("exports", "core", "retry", late, "--why", "it was right")
    assert small.json("sync")["profiles"]["rows"] == 4


def test_a_decision_needs_a_known_file_and_a_reason(small: Small) -> None:
    name = small.export()
    small.json("sync")
    unknown = small("exports", "core", "withdraw", "nothing.csv", "--why", "x", "--json")
    assert unknown.code == 2
    assert name in unknown.error["message"]
    assert small("exports", "core", "withdraw", name, "--json").code == 2
    assert small("exports", "core", "withdraw", "--why", "x", "--json").code == 2
    staged = small("exports", "core", "accept", name, "--why", "x", "--json")
    assert (staged.code, staged.error["code"]) == (2, "not_applicable")


def test_rejects_are_named_without_their_text_unless_asked(small: Small) -> None:
    small.configure(lists={"core": small.list_config(max_rejected="50%")})
    small.export(DAMAGED)
    small.json("sync")
    (reject,) = small.json("rejects", "core")["rejects"]
    assert (reject["record"], reject["line"], reject["byte"]) == (4, 5, CSV.encode().__len__())
    assert reject["reason"]
    assert "raw" not in reject
    assert "four@" not in small("rejects", "core").out
    (shown,) = small.json("rejects", "core", "--raw")["rejects"]
    assert shown["raw"].strip() == "4,four@example.com,I"
    assert small.json("rejects", "core", "--date", "2026-01-02")["rejects"]
    assert small.json("rejects", "core", "--date", "2026-01-03")["rejects"] == []


def test_path_prints_files_that_any_tool_can_read_and_nothing_else(small: Small) -> None:
    small.export()
    small.json("sync")
    for asset, rows in (("profiles", 3), ("staged/core", 3), ("segments/rome", 1)):
        result = small("path", asset)
        assert result.code == 0
        files = result.out.splitlines()
        assert files
        assert all(Path(file).is_absolute() for file in files)
        assert pl.scan_parquet(files).select(pl.len()).collect().item() == rows
    (csv_file,) = small("path", "exported/core").out.splitlines()
    assert Path(csv_file).read_text() == CSV
    assert delivered(small) == [{"CUSTOMER_ID_": "1", "EMAIL_ADDRESS_": "one@example.com"}]


def test_path_of_something_not_made_yet_is_1(small: Small) -> None:
    for asset in ("profiles", "segments/rome", "deliveries/to_partner"):
        result = small("path", asset, "--json")
        assert (result.code, result.error["code"]) == (1, "nothing_yet")


def test_plan_sends_nothing_and_apply_sends_the_plan(small: Small) -> None:
    small.export()
    assert small.json("sync", "--no-deliver")["deliveries"]["to_partner"]["state"] == "planned"
    planned = small.json("plan")["deliveries"]["to_partner"]
    assert (planned["state"], planned["added"]) == ("planned", 1)
    assert all((Path(planned["folder"]) / name).exists() for name in planned["files"])
    assert not (small.folder / "outbox").exists() or not list((small.folder / "outbox").iterdir())
    assert small.json("status")["deliveries"]["to_partner"]["waiting"]["state"] == "planned"
    sent = small.json("apply", "to_partner")["deliveries"]["to_partner"]
    assert sent["state"] == "delivered"
    assert [p.name for p in (small.folder / "outbox").iterdir()] == sent["files"]
    status = small.json("status")["deliveries"]["to_partner"]
    assert status["waiting"] is None
    assert status["delivered"]["files"] == sent["files"]


def guarded(small: Small) -> None:
    small.configure(
        deliveries={
            "to_partner": {
                "segment": "rome",
                "to": "outbox",
                "file": "rome_{YYYYMMDD}.csv",
                "guard": {"min_rows": 2},
            }
        }
    )


def test_a_guard_holds_until_the_plan_that_was_seen_is_released(small: Small) -> None:
    guarded(small)
    small.export()
    held = small("sync", "--json")
    assert held.code == 3
    assert held.json["deliveries"]["to_partner"]["state"] == "held"
    people = small("sync")
    assert people.code == 3
    assert "--release" in people.out
    again = small("apply", "to_partner", "--json")
    assert (again.code, again.json["deliveries"]["to_partner"]["state"]) == (3, "held")
    released = small.json("apply", "to_partner", "--release")
    assert released["deliveries"]["to_partner"]["state"] == "delivered"
    assert small("sync").code == 0


def test_a_plan_that_nobody_saw_is_not_released(small: Small) -> None:
    guarded(small)
    small.export()
    assert small("sync", "--no-deliver").code == 3
    small.export(CSV.replace("one@example.com", "uno@example.com"), day="20260103")
    assert small("sync", "--no-deliver").code == 3
    (small.folder / "suppressed.csv").write_text("EMAIL_ADDRESS_\nnobody@example.com\n")
    small.configure(
        suppressions=[{"file": "suppressed.csv", "column": "EMAIL_ADDRESS_"}],
        deliveries={
            "to_partner": {
                "segment": "rome",
                "to": "outbox",
                "file": "rome_{YYYYMMDD}.csv",
                "guard": {"min_rows": 2},
            }
        },
    )
    result = small("apply", "to_partner", "--release", "--json")
    assert (result.code, result.json["deliveries"]["to_partner"]["state"]) == (3, "held")
    assert small("apply", "--release", "--json").code == 2


def test_prune_applies_retention_and_verify_finds_the_lake_sound(small: Small) -> None:
    small.configure(keep={"exported": "1d", "rejects": "1d", "snapshots": 1})
    small.export()
    small.json("sync")  # which prunes, too
    assert small.json("path", "exported/core")["files"] == []
    assert small.json("prune")["pruned"] == {
        "exported": 0,
        "rejects": 0,
        "snapshots": 0,
        "bytes": 0,
    }
    verified = small.json("verify")
    assert verified["problems"] == []
    assert verified["pruned"] == 1
    assert small.json("sync")["lists"]["core"]["known"] == 1


def test_verify_is_1_for_a_file_that_differs(small: Small) -> None:
    small.export()
    small.json("sync")
    (path,) = small.json("path", "staged/core")["files"]
    Path(path).write_bytes(b"other")
    result = small("verify", "--json")
    assert result.code == 1
    assert [(p["file"], p["problem"]) for p in result.json["problems"]] == [(path, "differs")]
    assert path in small("verify").out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"suppressions": [{"file": "gone.csv", "column": "EMAIL_ADDRESS_"}]}, "gone.csv"),
        ({"segments": {"rome": {"where": "CITTY_ = 'x'", "channel": "none"}}}, "CITTY_"),
        (
            {
                "servers": {
                    "files": {"type": "local", "path": "${NOT_SET_ANYWHERE}"},
                    "outbox": {"type": "local", "path": "outbox"},
                }
            },
            "NOT_SET_ANYWHERE",
        ),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_delivered(
    small: Small, change: dict[str, Any], said: str
) -> None:
    small.export()
    small.configure(**change)
    result = small("sync", "--json")
    assert result.code in (1, 2)
    assert said in result.out
    people = small("sync")
    assert people.err.count("\n") == 1
    assert said in people.err
    assert not (small.folder / "outbox").exists()


def test_variables_come_from_a_file_beside_the_configuration(small: Small) -> None:
    small.configure(
        servers={
            "files": {"type": "local", "path": "${SMALL_FILES}"},
            "outbox": {"type": "local", "path": "outbox"},
        }
    )
    small.export()
    (small.folder / ".env").write_text("# where\nexport SMALL_FILES='files'\n")
    assert small.json("sync")["profiles"]["rows"] == 3
    (small.folder / ".env").write_text("SMALL_FILES files\n")
    result = small("sync", "--json")
    assert (result.code, result.error["line"]) == (2, 1)
