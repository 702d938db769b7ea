"""When a plan is held, people who may not be reached any more do not wait for anybody."""

from __future__ import annotations

from typing import Any

import pytest

from responsys_assets.deliveries.plan import plan
from responsys_assets.errors import ConfigError
from responsys_assets_tests.conftest import PgpKeys
from responsys_assets_tests.deliveries.outbox import SEGMENT, Believer, Line, records
from responsys_assets_tests.segments.small_lake import person, put_profiles

PEOPLE = [person(key) for key in "abcdefghij"]
TIGHT = {"max_removed": "10%"}


def changes(line: Line, **keys: Any) -> None:
    line.configure(**{"mode": "changes", "file": "g_{seq}.csv", "guard": TIGHT, **keys})


def but(**changed: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**each, **changed.get(each["CUSTOMER_ID_"], {})} for each in PEOPLE]


OUT = {"EMAIL_PERMISSION_STATUS_": "O"}
AWAY = {"CITY_": "nowhere"}  # `where` does not match any more


@pytest.mark.parametrize(
    "lost",
    [OUT, {"EMAIL_PERMISSION_STATUS_": ""}, {"EMAIL_DELIVERABILITY_STATUS_": "U"}],
)
def test_an_opt_out_is_removed_while_the_guard_holds_the_rest(
    line: Line, lost: dict[str, str]
) -> None:
    changes(line)
    receiver = Believer(line.outbox)
    line.deliver(PEOPLE)
    assert receiver.look() == set("abcdefghij")
    held = line.deliver(but(a=lost, b=AWAY, c=AWAY, d=AWAY))
    assert (held.state, held.reason, held.removed, held.unreachable) == ("held", "guard", 3, 0)
    assert held.opt_outs is not None
    assert (held.opt_outs.state, held.opt_outs.removed) == ("delivered", 1)
    assert held.as_json()["opt_outs"] == {"removed": 1, "files": ["g_2.csv"]}
    (row,) = records((line.outbox / "g_2.csv").read_text())
    assert row == {"CUSTOMER_ID_": "a", "CITY_": "Rome", "POINTS": "1", "CHANGE_": "remove"}
    assert receiver.look() == set("bcdefghij")
    again = line.deliver()
    assert (again.state, again.snapshot, again.opt_outs) == ("held", held.snapshot, None)
    assert line.send(release=True).removed == 3
    assert receiver.look() == set("efghij")
    assert line.deliver().state == "unchanged"


def test_a_person_who_only_left_the_profiles_or_the_segment_waits_for_the_guard(
    line: Line,
) -> None:
    changes(line)
    line.deliver(PEOPLE)
    held = line.deliver([*PEOPLE[3:8], {**PEOPLE[8], **AWAY}])
    assert (held.state, held.removed, held.opt_outs) == ("held", 5, None)
    assert set(line.files()) == {"g_1.csv"}


def test_with_one_file_a_kind_the_removals_are_a_file_of_removals(line: Line) -> None:
    changes(line, file="{change}_{YYYYMMDD}_{HHMISS}.csv", rename={"CITY_": "TOWN"})
    receiver = Believer(line.outbox)
    line.deliver(PEOPLE)
    receiver.look()
    held = line.deliver(but(a=OUT, b=AWAY, c=AWAY))
    assert held.opt_outs is not None
    (name,) = held.opt_outs.files
    assert records((line.outbox / name).read_text()) == [
        {"CUSTOMER_ID_": "a", "TOWN": "Rome", "POINTS": "1"}
    ]
    # the rest was planned in the same second, and its file may not take the other one's name
    assert held.files != held.opt_outs.files
    line.send(release=True)
    assert receiver.look() == set("defghij")


def test_a_closed_or_suppressed_address_is_removed_too(line: Line) -> None:
    columns = ["CUSTOMER_ID_", "EMAIL_ADDRESS_"]
    entry = {"file": "s.csv", "column": "EMAIL_ADDRESS_", "min_entries": 0}
    line.keys["suppressions"] = [entry]
    (line.folder / "s.csv").write_text("EMAIL_ADDRESS_\n")
    changes(line, segment={**SEGMENT, "columns": columns})
    receiver = Believer(line.outbox)
    line.deliver(PEOPLE)
    receiver.look()
    (line.folder / "s.csv").write_text("EMAIL_ADDRESS_\nA@example.com\nj@example.com\n")
    # j has left, and its address, which the receiver has, is suppressed; so is b's, closed
    put_profiles(
        line.project(),
        but(c=AWAY, d=AWAY, e={"EMAIL_ADDRESS_": "new@example.com"})[:-1],
        closed={"email": ["b@example.com", "e@example.com"]},
    )
    held = line.deliver()
    assert (held.state, held.opt_outs and held.opt_outs.removed) == ("held", 4)
    assert receiver.look() == set("cdfghi")


def test_of_deliveries_without_a_channel_the_suppressed_are_removed(line: Line) -> None:
    entry = {"file": "s.csv", "column": "EMAIL_ADDRESS_", "min_entries": 0}
    line.keys["suppressions"] = [entry]
    (line.folder / "s.csv").write_text("EMAIL_ADDRESS_\n")
    for source, keys in (("profiles", {"channel": "none"}), ("gold", {})):
        (line.folder / "s.csv").write_text("EMAIL_ADDRESS_\n")
        changes(line, segment={**SEGMENT, "channel": "none"}, file=f"{source}_{{seq}}.csv", **keys)
        line.keys["deliveries"]["gold"]["segment"] = source
        line.deliver(PEOPLE)
        (line.folder / "s.csv").write_text("EMAIL_ADDRESS_\na@example.com\n")
        held = line.deliver([*but(b=OUT)[:5]])
        assert (held.state, held.opt_outs and held.opt_outs.removed) == ("held", 1), source


def test_a_held_full_delivery_says_how_many_people_opted_out_since(line: Line) -> None:
    line.configure(guard=TIGHT)
    line.deliver(PEOPLE)
    held = line.deliver(but(a=OUT, b=OUT, c=AWAY))
    assert (held.state, held.unreachable, held.as_json()["unreachable"]) == ("held", 2, 2)
    assert "the receiver still has 2 people who may not be reached any more;" in str(held.detail)
    assert "at once" not in str(held.detail)
    assert len(line.files()) == 1


def test_the_removals_have_the_shape_that_the_receiver_knows(line: Line) -> None:
    changes(line)
    line.deliver(PEOPLE)
    changes(line, columns=["POINTS", "CUSTOMER_ID_"], delimiter=";", header=False)
    held = line.deliver(but(a=OUT, b=AWAY, c=AWAY))
    assert held.opt_outs is not None
    assert held.updated == 7
    assert line.files()["g_2.csv"].startswith('"CUSTOMER_ID_","CITY_","POINTS","CHANGE_"\n"a","R')
    assert line.send(release=True).state == "delivered"
    assert line.files()["g_3.csv"].startswith('"1";"b";"remove"\n')


def test_planning_alone_sends_no_removals(line: Line) -> None:
    changes(line)
    line.deliver(PEOPLE)
    line.profiles(but(a=OUT, b=AWAY, c=AWAY))
    held = line.plan()
    assert (held.state, held.removed, held.unreachable) == ("held", 3, 1)
    assert set(line.files()) == {"g_1.csv"}
    done = line.deliver()
    assert (done.state, done.removed, done.opt_outs and done.opt_outs.removed) == ("held", 2, 1)
    assert plan(line.project(), line.lake, "gold").snapshot == done.snapshot


def test_opt_outs_leave_at_once_when_a_full_delivery_becomes_one_of_changes(line: Line) -> None:
    changes(line, mode="full")
    line.deliver(PEOPLE)
    columns = ["POINTS", "CUSTOMER_ID_"]
    changes(line, columns=columns, delimiter=";")
    line.profiles(but(a=OUT, b=AWAY, c=AWAY))
    planned = line.plan()
    assert "the next `sync` or `apply` removes them at once" in str(planned.detail)
    held = line.deliver()
    assert (held.state, held.opt_outs and held.opt_outs.files) == ("held", ("g_2.csv",))
    text = line.files()["g_2.csv"]
    assert text == '"POINTS";"CUSTOMER_ID_";"CHANGE_"\n"1";"a";"remove"\n'
    assert (held.removed, held.unreachable) == (2, 0)
    assert "at once" not in str(held.detail)
    assert line.send(release=True).removed == 2
    assert line.files()["g_3.csv"].count("remove") == 2
    assert line.deliver().state == "unchanged"


def test_a_match_column_that_was_not_delivered_is_in_the_removals_of_a_new_shape(
    line: Line,
) -> None:
    changes(line, mode="full", columns=["CITY_"])
    line.deliver(PEOPLE)
    changes(line, columns=["CUSTOMER_ID_", "POINTS"])
    held = line.deliver(but(a=OUT, b=AWAY, c=AWAY))
    assert held.opt_outs is not None
    assert records(line.files()["g_2.csv"]) == [
        {"CUSTOMER_ID_": "a", "POINTS": "", "CHANGE_": "remove"}
    ]


def test_an_opt_out_of_a_full_plan_after_one_of_changes_leaves_at_once(line: Line) -> None:
    changes(line)
    line.deliver(PEOPLE)
    changes(line, mode="full")
    line.profiles(but(a=OUT, b=AWAY, c=AWAY))
    assert "the next `sync` or `apply` removes them at once" in str(line.plan().detail)
    held = line.deliver()
    assert (held.state, held.opt_outs and held.opt_outs.removed) == ("held", 1)


def test_opt_outs_are_known_by_the_match_columns_that_the_receiver_has(line: Line) -> None:
    """`match_on` was edited, and the receiver has neither the new key nor an address."""
    changes(line)
    receiver = Believer(line.outbox)
    line.deliver(PEOPLE)
    assert receiver.look() == set("abcdefghij")
    line.keys["profiles"] = {"match_on": "EMAIL_ADDRESS_"}
    columns = ["CUSTOMER_ID_", "EMAIL_ADDRESS_"]
    changes(line, segment={**SEGMENT, "columns": columns})
    held = line.deliver(but(a=OUT, b=AWAY))
    assert (held.state, held.opt_outs and held.opt_outs.removed) == ("held", 1)
    assert receiver.look() == set("bcdefghij")
    assert line.deliver().opt_outs is None


WHOLE = ["CUSTOMER_ID_", "CITY_", "EMAIL_PERMISSION_STATUS_"]


def test_a_delivered_permission_that_becomes_an_opt_out_is_not_held(line: Line) -> None:
    changes(line, columns=WHOLE)
    line.keys["deliveries"]["gold"]["segment"] = "profiles"
    receiver = Believer(line.outbox)
    line.deliver(PEOPLE)
    receiver.look()
    people = but(a={**OUT, "CITY_": "Oslo"}, b={"EMAIL_PERMISSION_STATUS_": ""})[:6]
    line.profiles(people)
    planned = line.plan()
    assert (planned.state, planned.unreachable) == ("held", 2)
    assert "the receiver does not know that 2 people opted out" in str(planned.detail)
    held = line.deliver()
    assert held.opt_outs is not None
    assert held.as_json()["opt_outs"] == {"removed": 0, "updated": 2, "files": ["g_2.csv"]}
    assert receiver.look() == set("abcdefghij")
    assert receiver.active["a"] == {
        "CUSTOMER_ID_": "a",
        "CITY_": "Rome",  # the rest of the row waits with the plan
        "EMAIL_PERMISSION_STATUS_": "O",
    }
    assert receiver.active["b"]["EMAIL_PERMISSION_STATUS_"] == ""
    assert (held.state, held.updated, held.removed, held.unreachable) == ("held", 1, 4, 0)
    assert line.deliver().opt_outs is None
    line.send(release=True)
    assert receiver.look() == set("abcdef")
    assert receiver.active["a"]["CITY_"] == "Oslo"
    assert line.deliver().state == "unchanged"


def test_with_one_file_a_kind_a_new_opt_out_is_a_file_of_updates(line: Line) -> None:
    changes(line, columns=WHOLE, file="{change}_{seq}.csv")
    line.keys["deliveries"]["gold"]["segment"] = "profiles"
    line.deliver(PEOPLE)
    held = line.deliver(but(a=OUT)[:6])
    assert held.opt_outs is not None
    assert held.opt_outs.files == ("update_2.csv",)
    (row,) = records(line.files()["update_2.csv"])
    assert row == {"CUSTOMER_ID_": "a", "CITY_": "Rome", "EMAIL_PERMISSION_STATUS_": "O"}


def test_opt_outs_that_lack_the_key_of_their_receiver_say_whose_they_are_and_what_to_do(
    line: Line, pgp_keys: PgpKeys
) -> None:
    public = {"public_key_file": str(pgp_keys.public("own"))}
    line.keys["keys"] = {"recipients": {"old": public, "new": public}}
    changes(line, encrypt_for=["old"])
    line.deliver(PEOPLE)
    line.keys["keys"] = {"recipients": {"new": public}}
    changes(line, encrypt_for=["new"])
    line.profiles(but(a=OUT, b=AWAY, c=AWAY))
    detail = str(line.plan().detail)
    assert "the receiver still has 1 person who may not be reached any more;" in detail
    assert "at once" not in detail
    with pytest.raises(ConfigError) as error:
        line.deliver()
    said = str(error.value)
    assert "delivery gold has opt-outs to send at once to outbox:g_{seq}.csv" in said
    assert "put keys.recipients.old back into the configuration" in said
    assert "responsys apply gold --release" in said
    assert line.send(release=True).removed == 3
