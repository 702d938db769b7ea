"""New and gone columns on the command line, and an export that waits because of one."""

from __future__ import annotations

from responsys_assets_tests.commands.conftest import CSV, Small


def with_column(name: str) -> str:
    return (
        CSV.replace("CITY_,", f"CITY_,{name},")
        .replace("Rome,", "Rome,,")
        .replace("Paris,", "Paris,,")
    )


def test_new_and_gone_columns_are_said_by_sync_status_and_exports(small: Small) -> None:
    small.export(with_column("X"))
    small.json("sync")
    name = small.export(with_column("Y"), day="20260103")
    line = f"List core, {name}: new columns Y; gone columns X."
    assert line in small("sync").out
    assert line in small("status").out
    assert line in small("exports", "core").out
    found = [small.json("status")["lists"]["core"]["last"]]
    found += [e for e in small.json("exports", "core")["exports"] if e["file"] == name]
    for export in found:
        assert (export["new_columns"], export["gone_columns"]) == (["Y"], ["X"])


def test_sync_says_new_and_gone_columns_in_its_document(small: Small) -> None:
    small.export()
    small.json("sync")
    small.export(with_column("X"), day="20260103")
    (export,) = small.json("sync")["lists"]["core"]["exports"]
    assert (export["new_columns"], export["gone_columns"]) == (["X"], [])


def test_a_permission_column_under_another_name_delivers_to_nobody_who_opted_out(
    small: Small,
) -> None:
    for day, column in enumerate(
        ("EMAIL_PERMISSION_STATUS", "Email Permission Status", "PERMISSION"), start=3
    ):
        small.export()
        assert small.json("sync")["segments"] == {"rome": {"rows": 1}}
        drifted = CSV.replace("EMAIL_PERMISSION_STATUS_", column)
        name = small.export(drifted, day=f"2026010{day}")
        result = small("sync", "--json")
        assert result.code == 3
        exports = {e["file"]: e for e in result.json["lists"]["core"]["exports"]}
        assert (exports[name]["state"], exports[name]["reason"]) == ("held", "column_gone")
        assert result.json["segments"] == {"rome": {"rows": 1}}
        small("exports", "core", "withdraw", name, "--why", "the vendor mends it")


def test_a_permission_column_with_a_space_after_it_is_read(small: Small) -> None:
    for day, unseen in enumerate((" ", "\u00a0", "\u200b"), start=2):
        drifted = CSV.replace("EMAIL_PERMISSION_STATUS_", f"EMAIL_PERMISSION_STATUS_{unseen}")
        small.export(drifted, day=f"2026010{day}")
        assert small.json("sync")["segments"] == {"rome": {"rows": 1}}
