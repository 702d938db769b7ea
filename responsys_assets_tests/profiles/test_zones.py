"""Local times mean the same whatever the machine's own time zone and language."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from responsys_assets_tests.scorecard import Cases, size

ZONES = [
    "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "America/St_Johns",
    "America/Havana", "America/Santiago", "Europe/Rome", "Europe/Dublin", "Africa/Casablanca",
    "Asia/Tehran", "Asia/Jerusalem", "Asia/Beirut", "Pacific/Chatham", "Pacific/Apia",
]  # fmt: skip
ENVIRONMENTS = {
    "UTC": {"TZ": "UTC", "LC_ALL": "C"},
    "Kathmandu": {"TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8"},
    "ASCII": {"TZ": "America/St_Johns", "LC_ALL": "POSIX", "PYTHONUTF8": "0",
              "PYTHONCOERCECLOCALE": "0"},
    "Turkish": {"TZ": "Pacific/Apia", "LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"},
}  # fmt: skip
SECOND = dt.timedelta(seconds=1)


def offset(zone: ZoneInfo, utc: dt.datetime) -> dt.timedelta:
    return utc.astimezone(zone).utcoffset() or dt.timedelta()


def edges(name: str) -> list[dt.datetime]:
    """The last change forward and the last one back: local times before, in and after each."""
    zone, step = ZoneInfo(name), dt.timedelta(hours=1)
    found: dict[bool, list[dt.datetime]] = {}
    moment = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
    while len(found) < 2:
        old, new = offset(zone, moment - step), offset(zone, moment)
        if old != new and (new > old) not in found:
            before = moment - step
            while offset(zone, before) == old:
                before += SECOND * 60
            first = before.replace(tzinfo=None) + min(old, new)
            middle = first + abs(new - old) / 2
            found[new > old] = [first - SECOND, middle, first + abs(new - old)]
        moment -= step
    return found[True] + found[False]


@cache
def results(environment: str) -> dict[str, Any]:
    """What one environment makes of all zones."""
    moments = {zone: [str(local) for local in edges(zone)] for zone in ZONES[: size(2, 14)]}
    root = Path(__file__).parents[2]
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "TZ"))}
    done = subprocess.run(
        [sys.executable, "-m", "responsys_assets_tests.profiles.zones"],
        input=json.dumps(moments),
        env=keep | {"PYTHONPATH": str(root)} | ENVIRONMENTS[environment],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.scorecard(25)
@pytest.mark.timeout(600)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_zone_and_change_of_clocks_reads_alike_in_every_environment(
    environment: str, cases: Cases
) -> None:
    """The rule is zoneinfo's with fold=0. Fails when `_offset` reads times with fold=1."""
    found, other = results(environment), results("UTC")
    for zone, (sums, times) in found.items():
        assert sums == other[zone][0]
        for number, local in cases.each(enumerate(edges(zone))):
            aware = local.replace(tzinfo=ZoneInfo(zone), fold=0)
            assert times[str(number)] == aware.timestamp() * 1_000_000
