"""What the documentation shows can be typed: its snippets load, its commands exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.works import WORKS
from responsys_assets.commands.main import COMMANDS
from responsys_assets.config.loader import load
from responsys_assets_tests.scorecard import FAULTS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BASE: dict[str, Any] = {
    "account": {"name": "acme", "timezone": "UTC"},
    "lake": "lake",
    "servers": {
        "responsys": {"type": "local", "path": "in"},
        "outbox": {"type": "local", "path": "out"},
    },
    "keys": {"decrypt": {"private_key_file": "${KEY}"}},
    "lists": {
        "core": {"server": "responsys", "files": "CORE_{YYYYMMDD}.csv"},
        "web": {"server": "responsys", "files": "WEB_{YYYYMMDD}.csv"},
    },
    "profiles": {"match_on": "CUSTOMER_ID_"},
}


def blocks(language: str) -> list[Any]:
    return [
        pytest.param(text, id=f"{page.name}-{number}")
        for page in PAGES
        for number, text in enumerate(
            re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)
        )
    ]


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_configuration_snippet_loads(text: str, tmp_path: Path) -> None:
    config = dict(BASE)
    for key, value in yaml.safe_load(text).items():
        config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
    file = tmp_path / "responsys.yaml"
    file.write_text(json.dumps(config))
    load(file, {})


@pytest.mark.parametrize("text", blocks("sh"))
def test_every_command_shown_exists(text: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"^responsys ([a-z]+)", text, re.MULTILINE)) <= set(COMMANDS)
    assert set(re.findall(r"^make ([a-z]+)", text, re.MULTILINE)) <= set(targets)


def test_every_link_leads_to_a_file() -> None:
    for page in (*PAGES, ROOT / "CONTRIBUTING.md", *(ROOT / "docs" / "decisions").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_scorecard_shown_has_passed_and_has_the_rows_that_are_tested() -> None:
    """Fails when a row is added, renamed or dropped without `make trust` and its table."""
    page = (ROOT / "docs" / "guarantees.md").read_text()
    shown = re.findall(r"^\| (\d+) \| (.*?) \| [\d,]+ passed, (\d+) failed", page, re.MULTILINE)
    marked = {
        int(row)
        for test in (ROOT / "responsys_assets_tests").rglob("test_*.py")
        for rows in re.findall(r"mark\.scorecard\(([\d, ]+)\)", test.read_text())
        for row in rows.split(",")
    }
    assert {int(row) for row, _, _ in shown} == marked
    for row, fault, failed in shown:
        assert FAULTS[int(row)] == fault
        assert failed == "0"


def test_the_performance_shown_is_that_of_every_way_that_is_measured() -> None:
    """Fails when a way is added, renamed or dropped without `make bench` and its table."""
    page = (ROOT / "docs" / "performance.md").read_text()
    shown = re.findall(r"^\| (\w+) \| `(\w+)` \|", page, re.MULTILINE)
    measured = {(name, way) for name, work in WORKS.items() for way in (*work.ways, *work.others)}
    assert {*shown} == measured
