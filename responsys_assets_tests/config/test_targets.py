"""Delivered names keep their word, and no two deliveries have one target name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from responsys_assets.config.loader import load as load_file
from responsys_assets.config.models import Guard
from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError
from responsys_assets_tests.conftest import MakeProject

OUTBOX = {"type": "local", "path": "./outbox"}


def load(make_project: MakeProject, tmp_path: Path, **deliveries: Any) -> Project:
    return make_project(
        {},
        servers={
            "files": {"type": "local", "path": str(tmp_path / "files")},
            "outbox": OUTBOX,
            "same": {"type": "local", "path": "./outbox/."},
            "other": {"type": "local", "path": "./other"},
        },
        keys={"recipients": {"partner": {"public_key_file": "p.asc"}}},
        segments={"all": {"where": "true", "channel": "email"}},
        deliveries={
            name: {"segment": "all", "to": "outbox", **keys} for name, keys in deliveries.items()
        },
    )


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("x.csv.gpg", "plain text"),
        ("x.csv.PGP", "plain text"),
        ("x.asc", "plain text"),
        ("x.csv.gpg.gz", "plain text"),
        ("x_{YYYYMMDD}.csv.gz", "not be compressed"),
        ("x.csv.gz.gpg", "plain text"),
        ("x.csv.zip", "cannot be kept"),
        ("x.csv.Zst", "cannot be kept"),
        ("x.csv.bz2", "cannot be kept"),
        ("x.csv.lzo", "cannot be kept"),
        ("x.tgz", "cannot be kept"),
    ],
)
def test_a_name_that_promises_what_the_file_is_not_is_refused(
    make_project: MakeProject, tmp_path: Path, file: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        load(make_project, tmp_path, partner={"file": file})
    assert caught.value.key == "deliveries.partner.file"


def test_every_ending_of_a_name_is_a_promise(make_project: MakeProject, tmp_path: Path) -> None:
    for file, says in (("x.csv.gz.gpg", "not be compressed"), ("x.zip.gpg", "cannot be kept")):
        with pytest.raises(ConfigError, match=says):
            load(make_project, tmp_path, partner={"file": file, "encrypt_for": ["partner"]})


def test_a_name_that_keeps_its_word_is_accepted(make_project: MakeProject, tmp_path: Path) -> None:
    encrypted = {"encrypt_for": ["partner"], "compression": "gzip"}
    load(make_project, tmp_path, partner={"file": "x.csv.gz.gpg", **encrypted})
    load(make_project, tmp_path, partner={"file": "x.csv", **encrypted})
    load(make_project, tmp_path, partner={"file": "gpg.gz.csv"})
    load(make_project, tmp_path, partner={"file": "x.csv.gz", "compression": "gzip"})


READY = {"suffix": ".done"}
SEQ = {"mode": "changes", "file": "x_{seq}.csv"}


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ({"file": "x.csv"}, {"file": "x.csv"}, True),
        ({"file": "x.csv"}, {"file": "X.csv"}, True),
        ({"file": "x.csv"}, {"file": "y.csv"}, False),
        ({"file": "x_1.csv"}, {"file": "x_2.csv"}, False),
        ({"file": "x.csv"}, {"file": "x.csv", "folder": "a"}, False),
        ({"file": "x.csv", "folder": "a/./b/"}, {"file": "x.csv", "folder": "a//b"}, True),
        ({"file": "x.csv", "to": "other"}, {"file": "x.csv"}, False),
        ({"file": "x.csv", "to": "same"}, {"file": "x.csv"}, True),
        ({"file": "x_{YYYYMMDD}.csv"}, {"file": "x_{DDMMYYYY}.csv"}, True),
        ({"file": "x_{YYYYMMDD}.csv"}, {"file": "x_{YYYYMMDD_HH}.csv"}, False),
        ({"file": "x_{YYYYMMDD}.csv"}, {"file": "x_20261101.csv"}, True),
        (SEQ, {"file": "x_7.csv"}, True),
        (SEQ, {"file": "x_{YYYYMMDD}.csv"}, True),
        (SEQ, {"file": "x_y.csv"}, False),
        ({"mode": "changes", "file": "{change}_{seq}.csv"}, {"file": "add_1.csv"}, True),
        ({"mode": "changes", "file": "{change}_{seq}.csv"}, {"file": "all_1.csv"}, False),
        ({"file": "x.csv", "ready": READY}, {"file": "x.csv.done"}, True),
    ],
)
def test_two_deliveries_may_not_have_one_target_name(
    make_project: MakeProject,
    tmp_path: Path,
    one: dict[str, Any],
    other: dict[str, Any],
    clash: bool,
) -> None:
    for first, second in ((one, other), (other, one)):
        if not clash:
            load(make_project, tmp_path, one=first, two=second)
            continue
        with pytest.raises(ConfigError, match="one and two could write the same file"):
            load(make_project, tmp_path, one=first, two=second)


def test_a_delivery_has_a_guard_unless_it_says_none(
    make_project: MakeProject, tmp_path: Path
) -> None:
    project = load(
        make_project,
        tmp_path,
        usual={"file": "a.csv"},
        bare={"file": "b.csv", "guard": "none"},
        partly={"file": "c.csv", "guard": {"min_rows": 1}},
    )
    guards = {name: each.guard for name, each in project.config.deliveries.items()}
    assert guards["usual"] == Guard()
    assert (str(Guard().max_removed), str(Guard().max_added)) == ("50%", "200%")
    assert guards["bare"] == "none"
    assert isinstance(guards["partly"], Guard)
    assert (str(guards["partly"].max_removed), guards["partly"].min_rows) == ("50%", 1)


def test_only_deliveries_of_profiles_say_channel_none(
    make_project: MakeProject, tmp_path: Path
) -> None:
    load(make_project, tmp_path, crm={"file": "a.csv", "segment": "profiles", "channel": "none"})
    with pytest.raises(ConfigError, match="a segment has its own"):
        load(make_project, tmp_path, crm={"file": "a.csv", "channel": "none"})


def test_a_delivery_that_could_write_over_an_export_of_a_list_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "responsys.yaml"
    file.write_text(
        """
account: {name: acme, timezone: UTC}
lake: ./lake
servers: {here: {type: local, path: ./files}, there: {type: local, path: files}}
lists: {core: {server: here, folder: in, files: "CORE_{YYYYMMDD}.csv"}}
profiles: {match_on: ID}
segments: {all: {where: "1 = 1", channel: none}}
deliveries: {d: {segment: all, to: there, folder: ./in, file: "CORE_{YYYY}{MMDD}.csv"}}
"""
    )
    with pytest.raises(ConfigError, match="write over an export of list core"):
        load_file(file)
