"""What is carried from snapshot to snapshot: as if every export had been read each time."""

from __future__ import annotations

import contextlib
import datetime as dt
import tempfile
from dataclasses import replace
from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError
from responsys_assets.lake.exports import Export
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.profiles.carried import PERMISSION
from responsys_assets.profiles.refresh import refresh
from responsys_assets.progress import SILENT
from responsys_assets.system_columns import CHANNELS, PERMISSION_COLUMNS
from responsys_assets_tests.profiles.test_merge_against_oracle import World, histories, worlds
from responsys_assets_tests.profiles.worlds import (
    NOW,
    Row,
    Sent,
    hashes,
    project_of,
    put,
    withdraw,
)
from responsys_assets_tests.scorecard import examples

ADDRESSES = [channel.address for channel in CHANNELS.values()]


class Merges:
    """A lake that is merged now and then; each snapshot a second after the one before."""

    def __init__(self, folder: Path, world: World) -> None:
        self.project: Project = project_of(folder, world.lists, world.profiles)
        self.lake = Lake(self.project.lake_path)
        self._now = NOW

    def merged(self) -> Snapshot | None:
        """None if no snapshot can be made of what there is."""
        self._now += dt.timedelta(seconds=1)
        now = self._now
        with contextlib.suppress(ConfigError):  # a column is named that has not come yet
            return refresh(replace(self.project, now=lambda: now), self.lake, SILENT)[0]
        return None


@pytest.mark.timeout(1800)
@pytest.mark.scorecard(22)
@examples(40, 400)
@given(st.one_of(histories(), worlds()), st.randoms(use_true_random=False), st.integers(0, 2))
def test_what_is_carried_on_is_what_reading_all_exports_would_find(
    world: World, dice: Random, gone: int
) -> None:
    """Exports come in any order, with a merge after each, and some are withdrawn in the end.

    Fails when `carried` does not look whether an export that is held was withdrawn, and when
    `and_rows` forgets the opt-ins of before or ends an opt-out by an opt-in of the same time.
    """
    sent = [*world.sent]
    dice.shuffle(sent)
    with tempfile.TemporaryDirectory() as folder:
        daily, once = Merges(Path(folder, "daily"), world), Merges(Path(folder, "once"), world)
        exports: list[Export] = []
        for each in sent:
            exports.append(put(daily.lake, each))
            daily.merged()
        for export in exports[: min(gone, len(exports) - 1)]:
            withdraw(export, opt_outs=True)
        for each in sent[min(gone, len(exports) - 1) :]:
            put(once.lake, each)
        found, expected = daily.merged(), once.merged()
        if expected is not None:
            assert data(found) == data(expected)


def data(snapshot: Snapshot | None) -> dict[str, str]:
    """The hash of every file, but of those that are carried on."""
    return {
        name: sha256
        for name, sha256 in hashes(snapshot).items()
        if not name.startswith(f"{PERMISSION}/")
    }


def day(number: int, **said: str) -> Sent:
    values = {"EMAIL_ADDRESS_": "k@x.com", "MOBILE_NUMBER_": "391", **said}
    return Sent(
        "core",
        dict.fromkeys([*PERMISSION_COLUMNS, *ADDRESSES], "text"),
        [Row(("k",), values, 5)],
        stamp=NOW + dt.timedelta(days=number),
        content=str(number),
    )


def permissions(snapshot: Snapshot | None) -> dict[str, str]:
    assert snapshot is not None
    (profile,) = pl.read_parquet(snapshot.path / "part-00000.parquet").to_dicts()
    return {name: profile[name] for name in PERMISSION_COLUMNS}


def test_each_channel_is_carried_on_by_itself_and_its_export_is_not_read_again(
    tmp_path: Path,
) -> None:
    """Fails when `_said_of` takes the opt-outs of every channel, or `missing` is all of them."""
    account = Merges(tmp_path, World((), {"core": {}}, {}))
    first = put(account.lake, day(1, EMAIL_PERMISSION_STATUS_="O", MOBILE_PERMISSION_STATUS_="I"))
    for number in (2, 3):
        put(account.lake, day(number))
        account.merged()
    for path in account.lake.consent("core").rglob(f"{first.export_id}*.parquet"):
        path.unlink()
    put(account.lake, day(4))
    assert permissions(account.merged()) == {
        "EMAIL_PERMISSION_STATUS_": "O",
        "MOBILE_PERMISSION_STATUS_": "I",
        "POSTAL_PERMISSION_STATUS_": "",
    }
