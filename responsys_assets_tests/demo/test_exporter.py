"""The demo's exports: the same bytes for the same seed, and the dirt that was promised."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from responsys_assets.demo.exporter import DemoExport, Exporter

FIRST = dt.date(2026, 1, 5)


def exporter(*, rows: int = 1000, seed: int = 1, folder: Path = Path()) -> Exporter:
    return Exporter(folder, Path("none"), rows, FIRST, ZoneInfo("America/New_York"), seed)


def content(export: DemoExport) -> bytes:
    return b"".join(export.plaintext())


def digests(made: Exporter) -> list[tuple[str, str]]:
    return [
        (export.name, hashlib.sha256(content(export)).hexdigest())
        for day in range(3)
        for export in made.exports(day)
    ]


def named(made: Exporter, day: int, start: str) -> DemoExport:
    (found,) = [e for e in made.exports(day) if e.name.startswith(start)]
    return found


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    assert digests(exporter()) == digests(exporter())
    other = digests(exporter(seed=2))
    assert [name for name, _ in other] == [name for name, _ in digests(exporter())]
    assert all(one != two for one, two in zip(digests(exporter()), other, strict=True))


def test_the_bytes_are_those_of_the_first_release() -> None:
    text = "".join(f"{name} {digest}\n" for name, digest in digests(exporter(rows=200)))
    assert (
        hashlib.sha256(text.encode()).hexdigest()
        == "f63a0ea0d968b27700d00cf12ba7e24ca826d81b453798502b2c70e39dae0945"
    )


def test_names_stamps_and_ready_files_are_those_of_connect() -> None:
    assert [(e.name, e.ready_name) for e in exporter().exports(0)] == [
        ("CORE_20260105_001500.csv.gpg", "CORE_20260105_001500.csv.gpg.ready"),
        ("LOYALTY_20260105_002000.txt.gpg", "LOYALTY_20260105_002000.ready"),
        ("WEB_FULL_20260105_003000.csv.gpg", "WEB_FULL_20260105_003000.csv.ready"),
        ("WEB_DELTA_20260105_004500.csv.gpg", "WEB_DELTA_20260105_004500.csv.ready"),
        ("LOYALTY_20260105_005000.txt.gpg", "LOYALTY_20260105_005000.ready"),
    ]
    assert [e.name.rsplit("_", 2)[0] for e in exporter().exports(1)] == [
        "CORE",
        "LOYALTY",
        "WEB_DELTA",
    ]


def test_only_the_export_that_stopped_early_promises_another_count() -> None:
    wrong = [e for day in range(3) for e in exporter().exports(day) if e.promised is not None]
    assert [e.name for e in wrong] == ["LOYALTY_20260105_005000.txt.gpg"]
    assert wrong[0].promised != wrong[0].records


@pytest.mark.parametrize("day", [0, 1])
@pytest.mark.parametrize("start", ["CORE", "WEB_DELTA"])
def test_the_count_is_that_of_the_records(day: int, start: str) -> None:
    export = named(exporter(), day, start)
    rows = csv.reader(io.StringIO(content(export).decode(), newline=""))
    assert sum(1 for row in rows if row) == export.records + 1


def test_core_has_the_dirt_of_real_feeds() -> None:
    text = content(named(exporter(), 0, "CORE")).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    keys = [row["CUSTOMER_ID_"] for row in rows]
    assert len(keys) > len(set(keys))
    assert [row["MODIFIED_DATE_"] for row in rows].count("WS:MERGE") == 1
    assert sum(row["MODIFIED_DATE_"] is None for row in rows) == 1  # the cut record
    assert any('"' in (row["REMARK"] or "") for row in rows)
    assert any("\n" in (row["REMARK"] or "") for row in rows)
    assert any("ü" in (row["REMARK"] or "") for row in rows)
    assert {row["EMAIL_DELIVERABILITY_STATUS_"] for row in rows} >= {"D", "U"}
    assert "\n\n" in text.replace('"\n\n"', "\n\n")
    seen: dict[str, set[str | None]] = {}
    for row in rows:
        seen.setdefault(row["CUSTOMER_ID_"], set()).add(row["MODIFIED_DATE_"])
    assert any(keys.count(key) == 2 and len(times) == 1 for key, times in seen.items())


def test_later_days_are_clean_and_people_come_and_go() -> None:
    first, later = (
        {row["CUSTOMER_ID_"] for row in csv.DictReader(io.StringIO(text, newline=""))}
        for text in (content(named(exporter(), day, "CORE")).decode() for day in (0, 5))
    )
    assert first - later
    assert later - first
    assert all(
        len(r) == 19
        for r in csv.reader(io.StringIO(content(named(exporter(), 5, "CORE")).decode(), newline=""))
    )


def test_loyalty_has_one_record_that_nothing_can_escape() -> None:
    lines = content(named(exporter(), 0, "LOYALTY_20260105_002000")).decode().splitlines()
    assert sorted({line.count("|") for line in lines}) == [7, 8]
    assert sum(line.count("|") == 8 for line in lines) == 1
    assert sum("2025-31-31" in line for line in lines) == 1


def test_web_has_records_without_key_and_a_strange_permission() -> None:
    text = content(named(exporter(), 0, "WEB_FULL")).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert any(row["CUSTOMER_ID_"] == "" for row in rows)
    assert {row["EMAIL_PERMISSION_STATUS_"] for row in rows} == {"I", "O", "", "Y"}


def test_the_mended_increment_differs_in_its_first_record_alone() -> None:
    bad, good = (
        content(exporter().increment(0, mended=mended)).decode().splitlines()
        for mended in (False, True)
    )
    assert [n for n, (one, two) in enumerate(zip(bad, good, strict=True)) if one != two] == [1]


def test_lists_overlap_and_disagree_about_opt_outs() -> None:
    said: dict[str, set[str]] = {}
    for start, key in (("CORE", "CUSTOMER_ID_"), ("WEB_FULL", "CUSTOMER_ID_")):
        text = content(named(exporter(), 0, start)).decode()
        for row in csv.DictReader(io.StringIO(text, newline="")):
            said.setdefault(row[key], set()).add(row["EMAIL_PERMISSION_STATUS_"] or "")
    assert any({"I", "O"} <= values for values in said.values())


def test_nobody_is_real() -> None:
    for export in exporter().exports(0):
        text = content(export).decode()
        addresses = {
            word for word in text.replace('"', ",").replace("|", ",").split(",") if "@" in word
        }
        assert all(address.lower().endswith("@example.com") for address in addresses)
