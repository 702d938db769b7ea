"""Something in the lake is damaged: what the message advises brings everything back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from responsys_assets_tests.commands.conftest import CSV, Small

PRUNED = {"exported": "30d"}  # the exports of these tests are of January 2026


def only(small: Small, pattern: str) -> Path:
    (path,) = (small.folder / "lake").glob(pattern)
    return path


def advice(small: Small, code: str, file: Path) -> str:
    """The message of a sync that stops at a damaged file; `verify` says the same."""
    synced = small("sync", "--json")
    assert (synced.code, synced.error["code"]) == (1, code)
    assert synced.error["file"] == str(file)
    message = str(synced.error["message"])
    problems = small("verify", "--json").json["problems"]
    assert [each["advice"] for each in problems if message.endswith(each["advice"])]
    return message


def rows(small: Small) -> int:
    synced = small("sync", "--json")
    assert synced.code == 0, synced.out
    return int(synced.json["profiles"]["rows"])


def send_again(small: Small) -> None:
    """The same export, as its sender writes it once more."""
    for path in (small.folder / "files").iterdir():
        path.unlink()
    small.export()


def test_a_damaged_staging_receipt_is_made_anew_from_the_lake(small: Small) -> None:
    small.export()
    assert rows(small) == 3
    shutil.rmtree(small.folder / "files")
    (small.folder / "files").mkdir()
    receipt = only(small, "staged/core/*/*.json")
    receipt.write_text("{")
    assert "or delete it: the next sync reads the export anew" in advice(
        small, "receipt_damaged", receipt
    )
    receipt.unlink()
    assert rows(small) == 3


def test_a_damaged_staging_receipt_is_not_to_be_deleted_once_the_export_is_pruned(
    small: Small,
) -> None:
    """Deleted as the message advised, it took the opt-outs of its export with it."""
    small.configure(keep=PRUNED)
    small.export()
    assert rows(small) == 3
    receipt = only(small, "staged/core/*/*.json")
    receipt.write_text("{")
    said = advice(small, "receipt_damaged", receipt)
    assert "do not delete it" in said
    assert "have the export sent again, and delete this receipt then" in said
    small.configure()
    send_again(small)
    receipt.unlink()
    assert rows(small) == 3


@pytest.mark.parametrize("pruned", [False, True])
def test_a_lost_staged_file_comes_back_without_deleting_anything(
    small: Small, pruned: bool
) -> None:
    small.configure(**({"keep": PRUNED} if pruned else {}))
    small.export()
    assert rows(small) == 3
    staged = next(
        path
        for path in (small.folder / "lake").glob("staged/core/*/*.parquet")
        if not path.name.endswith(".holds.parquet")
    )
    staged.unlink()
    (small.folder / "lake/profiles/CURRENT").unlink()
    said = advice(small, "staged_missing", staged)
    assert "delete" not in said
    assert "`responsys exports core retry CORE_20260102.csv --why TEXT`" in said
    if pruned:
        assert "have CORE_20260102.csv sent again" in said
        small.configure()
        send_again(small)
    small.json("exports", "core", "retry", "CORE_20260102.csv", "--why", "lost")
    assert rows(small) == 3


def test_a_damaged_receipt_of_an_arrival_is_not_to_be_deleted_unless_it_can_come_again(
    small: Small,
) -> None:
    small.export()
    assert rows(small) == 3
    receipt = only(small, "exported/core/*/*/*.arrival.json")
    receipt.write_text("{")
    said = advice(small, "receipt_damaged", receipt)
    assert "delete it only if the server of core still has the export, or once it was sent" in said
    receipt.unlink()
    assert rows(small) == 3


def test_a_damaged_decision_is_to_be_taken_again_and_replaces_no_other(small: Small) -> None:
    small.export()
    small.export(CSV.replace("3,three", "4,four"), day="20260103", count=9)
    small("sync")
    for action in ("accept", "withdraw"):
        small.json("exports", "core", action, "CORE_20260103.csv", "--why", "seen")
    first, second = sorted((small.folder / "lake").glob("exported/core/*/*/*.verdict.json"))
    first.write_text("{")
    said = advice(small, "receipt_damaged", first)
    assert "decide again before the next sync" in said
    first.unlink()
    before = second.read_bytes()
    small.json("exports", "core", "accept", "CORE_20260103.csv", "--why", "seen")
    assert second.read_bytes() == before
    assert rows(small) == 3


def test_a_damaged_snapshot_of_profiles_is_made_anew(small: Small) -> None:
    small.export()
    assert rows(small) == 3
    manifest = only(small, "profiles/*/manifest.json")
    manifest.write_text("{")
    said = advice(small, "snapshot_damaged", manifest)
    assert "delete this snapshot and CURRENT beside it" in said
    shutil.rmtree(manifest.parent)
    (small.folder / "lake/profiles/CURRENT").unlink()
    assert rows(small) == 3


def test_a_damaged_snapshot_of_a_delivery_says_that_nothing_else_knows_what_was_sent(
    small: Small,
) -> None:
    small.export()
    assert rows(small) == 3
    manifest = only(small, "deliveries/to_partner/*/manifest.json")
    manifest.write_text("{")
    said = advice(small, "snapshot_damaged", manifest)
    assert "it says what the receiver has, and nothing else does" in said
    assert "empty the receiver's copy, then delete" in said


def test_a_damaged_entry_of_the_consent_ledger_is_never_to_be_deleted(small: Small) -> None:
    small.export()
    assert rows(small) == 3
    entry = only(small, "consent/core/*/*.json")
    entry.write_text("{")
    synced = small("sync", "--json")
    assert (synced.code, synced.error["file"]) == (1, str(entry))
    assert "from a backup of the lake; nothing else holds what it says" in synced.error["message"]
    assert "delete" not in synced.error["message"]
