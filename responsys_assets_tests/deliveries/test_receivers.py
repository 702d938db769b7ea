"""What a receiver believes: a state of its place, whatever the delivery is called."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from responsys_assets.config.targets import Target
from responsys_assets.deliveries.close import close
from responsys_assets.deliveries.receivers import Received, Receivers
from responsys_assets.deliveries.send import Release
from responsys_assets.deliveries.status import status
from responsys_assets.errors import ConfigError, LakeError
from responsys_assets.lake.retention import prune
from responsys_assets.lake.verify import verify
from responsys_assets_tests.conftest import PgpKeys
from responsys_assets_tests.deliveries.outbox import Believer, Line
from responsys_assets_tests.pgp.letters import opened
from responsys_assets_tests.segments.small_lake import person

WORD = Release("ann", "the partner has gone")
FIRST = [person(key) for key in "abcde"]
OUT = {"EMAIL_PERMISSION_STATUS_": "O"}
SECOND = [person("a", **OUT), *FIRST[1:]]


def changes(line: Line, **keys: Any) -> None:
    line.configure(**{"mode": "changes", "file": "g_{seq}.csv", **keys})


def left(line: Line) -> list[Received]:
    return Receivers(line.project(), line.lake).left()


def rename(line: Line, name: str) -> None:
    line.keys["deliveries"] = {name: line.keys["deliveries"]["gold"]}


@pytest.mark.parametrize("what", [{"folder": "new"}, {"to": "second"}, {"file": "h_{seq}.csv"}])
def test_a_new_receiver_gets_everybody_and_the_one_that_is_left_is_named(
    line: Line, what: dict[str, str]
) -> None:
    changes(line)
    line.deliver(FIRST)
    assert left(line) == []
    changes(line, **what)
    line.keys["servers"]["second"] = {"type": "local", "path": "./second"}
    (line.folder / "second").mkdir()
    result = line.deliver(SECOND)
    assert (result.state, result.added, result.updated, result.removed) == ("delivered", 4, 0, 0)
    (gone,) = left(line)
    assert gone.as_json() == {
        "target": "outbox:g_{seq}.csv",
        "delivery": "gold",
        "rows": 5,
        "delivered_at": gone.at,
        "beside": ["gold"] if "file" in what else [],
    }


def test_closing_removes_everybody_at_the_receiver_that_was_left(line: Line) -> None:
    changes(line, rename={"CITY_": "TOWN"}, delimiter=";")
    line.deliver(FIRST)
    changes(line, folder="new")
    line.deliver(SECOND)
    (gone,) = left(line)
    done = close(line.project(), line.lake, gone.target, WORD)
    assert (done.state, done.removed, done.files) == ("delivered", 5, ("g_2.csv",))
    text = line.files()["g_2.csv"]
    assert text.startswith('"CUSTOMER_ID_";"TOWN";"POINTS";"CHANGE_"\n"a";"Rome";"1";"remove"\n')
    assert text.count("remove") == 5
    assert left(line) == []
    assert (
        close(line.project(), line.lake, gone.target, WORD).state == "delivered"
    )  # and sends nothing more
    assert set(line.files()) == {"g_1.csv", "g_2.csv"}
    changes(line)  # back again: everybody is new there
    result = line.deliver()
    assert (result.added, result.files) == (4, ("g_3.csv",))


def test_a_full_delivery_is_closed_by_an_empty_file_of_its_own_shape(
    line: Line, pgp_keys: PgpKeys
) -> None:
    line.keys["keys"] = {
        "decrypt": {"private_key_file": str(pgp_keys.private("own"))},
        "recipients": {"own": {"public_key_file": str(pgp_keys.public("own"))}},
    }
    line.configure(file="g.csv.gpg", encrypt_for=["own"], ready={"suffix": ".ready"})
    line.deliver(FIRST)
    line.configure(file="other.csv")
    (gone,) = left(line)
    close(line.project(), line.lake, gone.target, WORD)
    assert opened(line.project(), line.outbox / "g.csv.gpg") == (
        b'"CUSTOMER_ID_","CITY_","POINTS"\n'
    )
    assert (line.outbox / "g.csv.gpg.ready").read_text() == "0"


def test_what_is_in_use_or_cannot_be_written_is_not_closed(line: Line) -> None:
    changes(line)
    line.deliver(FIRST)
    (received,) = Receivers(line.project(), line.lake).all().values()
    with pytest.raises(ConfigError, match="delivery gold goes to outbox:g"):
        close(line.project(), line.lake, received.target, WORD)
    changes(line, to="files")
    del line.keys["servers"]["outbox"]
    with pytest.raises(ConfigError, match="put servers"):
        close(line.project(), line.lake, received.target, WORD)


def test_a_folder_written_another_way_is_the_same_receiver(line: Line) -> None:
    changes(line, folder="a/b")
    line.deliver(FIRST)
    changes(line, folder="./a//b/")
    result = line.deliver(SECOND)
    assert (result.added, result.removed, left(line)) == (0, 1, [])


@pytest.mark.parametrize("keep_old_entry", [True, False])
def test_a_server_entry_that_is_renamed_is_the_same_receiver(
    line: Line, keep_old_entry: bool
) -> None:
    changes(line)
    receiver = Believer(line.outbox)
    line.deliver(FIRST)
    old = Receivers(line.project(), line.lake).all().popitem()[0]
    changes(line, to="second")
    line.keys["servers"]["second"] = {"type": "local", "path": "outbox/../outbox"}
    if not keep_old_entry:
        del line.keys["servers"]["outbox"]
    result = line.deliver(SECOND)
    assert (result.added, result.removed, left(line)) == (0, 1, [])
    assert receiver.look() == set("bcde")
    with pytest.raises(ConfigError, match="delivery gold goes to"):
        close(line.project(), line.lake, old, WORD)
    assert len([*(line.lake.root / "receivers").iterdir()]) == 1


def test_opt_outs_of_a_held_plan_go_to_the_server_under_its_new_name(line: Line) -> None:
    changes(line, guard={"max_removed": 1})
    receiver = Believer(line.outbox)
    line.deliver(FIRST)
    changes(line, guard={"max_removed": 1}, to="second")
    line.keys["servers"] = {
        "files": line.keys["servers"]["files"],
        "second": {"type": "local", "path": "outbox"},
    }
    held = line.deliver(SECOND[:-2])
    assert (held.state, held.opt_outs and held.opt_outs.removed) == ("held", 1)
    assert receiver.look() == set("bcde")


@pytest.mark.parametrize(
    ("mode", "first", "second"),
    [
        ("full", "p_{YYYYMMDD}.csv", "p_{YYYY}{MM}{DD}.csv"),
        ("full", "p_{YYYYMMDD}.csv", "p_20260102.csv"),
        ("changes", "p_{YYYYMMDD}{HHMISS}.csv", "p_{seq}.csv"),
    ],
)
def test_a_pattern_that_could_write_the_same_name_is_the_same_receiver(
    line: Line, mode: str, first: str, second: str
) -> None:
    changes(line, mode=mode, file=first)
    line.deliver(FIRST)
    old = Receivers(line.project(), line.lake).all().popitem()[0]
    changes(line, mode=mode, file=second)
    result = line.deliver(SECOND)
    assert (result.added, result.removed, left(line)) == (0, 1, [])
    with pytest.raises(ConfigError, match="delivery gold goes to"):
        close(line.project(), line.lake, old, WORD)


def test_a_receiver_whose_names_a_ready_file_could_take_is_not_closed(line: Line) -> None:
    changes(line, mode="full", file="p.csv")
    line.deliver(FIRST)
    changes(line, mode="full", file="p", ready={"suffix": ".csv"})
    line.deliver(FIRST)
    (gone,) = left(line)
    with pytest.raises(ConfigError, match="delivery gold goes to"):
        close(line.project(), line.lake, gone.target, WORD)


def test_a_delivery_that_is_renamed_keeps_what_its_receiver_has(line: Line) -> None:
    changes(line)
    receiver = Believer(line.outbox)
    line.deliver(FIRST)
    rename(line, "silver")
    line.profiles(SECOND)
    result = line.deliver(name="silver")
    assert (result.state, result.removed, result.files) == ("delivered", 1, ("g_2.csv",))
    assert receiver.look() == set("bcde")
    assert left(line) == []


@pytest.mark.parametrize(
    "lost",
    [
        ["deliveries/gold/CURRENT"],
        ["deliveries/gold"],
        ["deliveries"],
        ["receivers"],
        ["receivers", "deliveries/gold/CURRENT"],
    ],
)
def test_a_lost_base_does_not_mean_that_nobody_is_to_be_removed(
    line: Line, lost: list[str]
) -> None:
    changes(line)
    receiver = Believer(line.outbox)
    line.deliver(FIRST[:3])
    line.deliver(FIRST)
    assert receiver.look() == set("abcde")
    for name in lost:
        path = line.lake.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    result = line.deliver(SECOND)
    assert (result.state, result.added, result.removed) == ("delivered", 0, 1)
    assert receiver.look() == set("bcde")


@pytest.mark.parametrize("part", ["deliveries", "receivers"])
def test_a_part_of_the_lake_from_yesterday_forgets_nobody(
    line: Line, part: str, tmp_path: Path
) -> None:
    """The example of issue 13: e comes after the backup and opts out after the restore."""
    changes(line)
    receiver = Believer(line.outbox)
    line.deliver(FIRST[:4])
    shutil.copytree(line.lake.root / part, tmp_path / "backup")
    line.deliver(FIRST)
    assert receiver.look() == set("abcde")
    shutil.rmtree(line.lake.root / part)
    shutil.copytree(tmp_path / "backup", line.lake.root / part)
    result = line.deliver([*FIRST[:4], person("e", **OUT)])
    assert (result.state, result.removed, result.files) == ("delivered", 1, ("g_3.csv",))
    assert receiver.look() == set("abcd")


def test_a_lake_of_before_has_its_base_in_its_plans(line: Line) -> None:
    changes(line, folder="in")
    line.deliver(FIRST)
    shutil.rmtree(line.lake.root / "receivers")
    result = line.deliver(SECOND)
    assert (result.removed, result.files) == (1, ("g_2.csv",))


def test_retention_keeps_what_a_receiver_has_and_verify_looks_at_it(line: Line) -> None:
    line.keys["keep"] = {"snapshots": 1}
    changes(line)
    line.deliver(FIRST)
    changes(line, folder="new")
    for people in (FIRST, SECOND, SECOND[1:], FIRST):
        line.deliver(people)
        prune(line.project(), line.lake)
    assert [each.rows for each in left(line)] == [5]
    assert verify(line.lake).findings == []
    rows = left(line)[0].plan.path / "rows.parquet"
    shutil.copyfile(rows, rows.with_suffix(".new"))
    with rows.with_suffix(".new").open("ab") as file:
        file.write(b"x")
    rows.with_suffix(".new").replace(rows)
    assert [each.file for each in verify(line.lake).findings] == [rows]


def test_a_clock_that_goes_back_does_not_bring_an_older_state_back(line: Line) -> None:
    changes(line)
    line.minutes = 100
    line.deliver(FIRST[:2])
    line.minutes = 0
    line.deliver(FIRST)
    shutil.rmtree(line.lake.root / "receivers")
    assert status(line.project(), line.lake, "gold").delivered is not None
    result = line.deliver(SECOND)
    assert (result.added, result.removed, result.files) == (0, 1, ("g_3.csv",))


def test_a_target_is_what_the_manifest_of_any_plan_says() -> None:
    old = {"to": {"server": "s", "folder": "a/"}, "shape": {"file": "x.csv"}}
    assert Target.of_manifest(old) == Target("s", "a", "x.csv")


@pytest.mark.parametrize("part", ["deliveries", "receivers"])
def test_a_damaged_base_is_named_with_the_advice_to_restore_it(line: Line, part: str) -> None:
    changes(line)
    line.deliver(FIRST)
    (other,) = {"deliveries", "receivers"} - {part}
    shutil.rmtree(line.lake.root / other)
    (rows,) = (line.lake.root / part).rglob("rows.parquet")
    rows.write_bytes(rows.read_bytes()[:-20])
    for advice in (each.advice for each in verify(line.lake).findings):
        assert "it says what the receiver has, and nothing else does" in advice
        assert "makes it anew" not in advice
    with pytest.raises(LakeError) as error:
        line.deliver(SECOND)
    assert error.value.file == str(rows)
    assert "`responsys verify`" in error.value.message
    assert "it says what the receiver has, and nothing else does" in error.value.message
    assert "run this again" not in error.value.message
    assert set(line.files()) == {"g_1.csv"}
