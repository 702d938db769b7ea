"""What no list takes is shown, with a pattern that would take it."""

from __future__ import annotations

import pytest

from responsys_assets.config.models import ProfileList
from responsys_assets.config.patterns import FilePattern
from responsys_assets.exported.unmatched import printable, suggest_pattern, unmatched
from responsys_assets.lake.receipts import RemoteFile

CORE = ProfileList.model_validate_json(
    '{"server": "s", "files": "CORE_{YYYYMMDD}.csv.gpg", "ready": {"suffix": ".done"}}'
)


def names(*listed: str) -> list[tuple[str, str, str | None]]:
    listing = [RemoteFile(name=name, size=1, mtime=0) for name in listed]
    return [(u.name, u.kind, u.pattern) for u in unmatched({"core": CORE}, listing)]


def test_data_and_their_ready_files_are_not_shown() -> None:
    assert names("CORE_20260101.csv.gpg", "CORE_20260101.csv.done", "CORE_20260101.done") == []


def test_an_unknown_file_is_shown_with_a_pattern_and_without_its_ready_file() -> None:
    assert names("LOYALTY_20260101_0530.csv", "LOYALTY_20260101_0530.csv.ready") == [
        ("LOYALTY_20260101_0530.csv", "unknown", "LOYALTY_{YYYYMMDD}_{HHMI}.csv")
    ]


def test_a_ready_file_without_data_is_called_so() -> None:
    assert names("CORE_20260102.csv.gpg.done", "CORE_20260103.done") == [
        ("CORE_20260102.csv.gpg.done", "ready_without_data", None),
        ("CORE_20260103.done", "ready_without_data", None),
    ]


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("CORE_20240131.csv.gpg", "CORE_{YYYYMMDD}.csv.gpg"),
        ("CORE_20240131_02.csv", "CORE_{YYYYMMDD}_{HH}.csv"),
        ("CORE_20240131_0215.csv", "CORE_{YYYYMMDD}_{HHMI}.csv"),
        ("CORE_20240131_021502.csv", "CORE_{YYYYMMDD}_{HHMISS}.csv"),
        ("CORE-2024-01-31_02-15-02.txt", "CORE-{YYYY-MM-DD}_{HH-MI-SS}.txt"),
        ("20240131021502Contacts.csv", "{YYYYMMDD}{HHMISS}Contacts.csv"),
        ("Contacts_01312024.csv", "Contacts_{MMDDYYYY}.csv"),
        ("Contacts_31.01.2024.csv", "Contacts_{DD.MM.YYYY}.csv"),
        ("12345_SENT_20240131_021502.txt", "12345_SENT_{YYYYMMDD}_{HHMISS}.txt"),
        ("Contacts_20240131_021502_EMEA.csv", "Contacts_{YYYYMMDD}_{HHMISS}_EMEA.csv"),
        ("WIS_All.csv.zip", "WIS_All.csv.zip"),
        ("Contacts_2024.csv", "Contacts_2024.csv"),
        ("bad-\ufffd.csv", None),
        ("a{b}.csv", None),
    ],
)
def test_a_pattern_is_suggested_for_each_form_of_name(name: str, pattern: str | None) -> None:
    assert suggest_pattern(name) == pattern
    assert pattern is None or FilePattern(pattern).match(name)


def test_a_name_is_shown_without_what_a_terminal_would_obey() -> None:
    assert printable("a\x1b[31m\nb") == "a\\x1b[31m\\x0ab"
