"""Deliveries wait while consent is not known, or would not be told."""

from __future__ import annotations

from typing import Any

import pytest

from responsys_assets_tests.commands.conftest import CSV, Small
from responsys_assets_tests.commands.conftest import call as call  # noqa: PLC0414 - a fixture
from responsys_assets_tests.commands.conftest import small as small  # noqa: PLC0414
from responsys_assets_tests.deliveries.outbox import Line, records
from responsys_assets_tests.segments.small_lake import person

PEOPLE = [person("a"), person("b", EMAIL_PERMISSION_STATUS_="O")]


def whole(line: Line, **keys: Any) -> None:
    line.configure(file="all.csv", **keys)
    line.keys["deliveries"]["gold"]["segment"] = "profiles"


@pytest.mark.parametrize("columns", [None, ["CUSTOMER_ID_", "EMAIL_ADDRESS_"]])
def test_profiles_without_permission_wait_for_a_person(
    line: Line, columns: list[str] | None
) -> None:
    whole(line, columns=columns)
    held = line.deliver(PEOPLE)
    assert (held.state, held.reason) == ("held", "consent_not_delivered")
    assert "`channel: none`" in str(held.detail)
    assert line.files() == {}


@pytest.mark.parametrize(
    "keys",
    [{"channel": "none"}, {"columns": ["CUSTOMER_ID_", "EMAIL_PERMISSION_STATUS_"]}],
)
def test_profiles_with_permission_or_without_a_channel_are_sent(
    line: Line, keys: dict[str, Any]
) -> None:
    whole(line, **keys)
    assert line.deliver(PEOPLE).state == "delivered"
    assert len(records(line.files()["all.csv"])) == 2


def test_what_a_person_let_go_once_is_not_held_again_until_its_configuration_changes(
    line: Line,
) -> None:
    whole(line)
    assert line.deliver(PEOPLE).state == "held"
    assert line.send(release=True).state == "delivered"
    assert line.deliver([*PEOPLE, person("c")]).state == "delivered"
    whole(line, guard={"min_rows": 1})  # nothing that the receiver would notice
    assert line.deliver([*PEOPLE, person("d")]).state == "delivered"
    whole(line, columns=["CUSTOMER_ID_", "EMAIL_ADDRESS_"])
    assert line.deliver().reason == "consent_not_delivered"


def test_a_channel_waits_while_a_required_list_never_had_an_accepted_export(small: Small) -> None:
    late = small.list_config(files="WEB_{YYYYMMDD}.csv")
    small.configure(lists={"core": small.list_config(), "web": late})
    small.export()
    held = small("sync", "--json")
    assert held.code == 3
    delivery = held.json["deliveries"]["to_partner"]
    assert (delivery["state"], delivery["reason"]) == ("held", "consent_incomplete")
    assert "no export of web was ever accepted" in delivery["detail"]
    web = small.folder / "files" / "WEB_20260102.csv"
    web.write_text(CSV.replace("two@", "too@"))
    web.with_name(f"{web.name}.ready").write_text("3")
    assert small.json("sync")["deliveries"]["to_partner"]["state"] == "delivered"


def test_a_person_may_let_it_go_and_a_list_that_is_not_required_holds_nothing(
    small: Small,
) -> None:
    late = small.list_config(files="WEB_{YYYYMMDD}.csv")
    small.configure(lists={"core": small.list_config(), "web": late})
    small.export()
    assert small("sync").code == 3
    released = small.json("apply", "to_partner", "--release", "--why", "WEB starts next week")
    assert released["deliveries"]["to_partner"]["state"] == "delivered"
    small.configure(lists={"core": small.list_config(), "web": {**late, "required": False}})
    small.export(CSV.replace("one@", "uno@"), day="20260103")
    assert small.json("sync")["deliveries"]["to_partner"]["state"] == "delivered"


def test_deliveries_without_a_channel_do_not_wait_for_lists(small: Small) -> None:
    late = small.list_config(files="WEB_{YYYYMMDD}.csv")
    segment = {"where": "CITY_ = 'Rome'", "channel": "none"}
    small.configure(lists={"core": small.list_config(), "web": late}, segments={"rome": segment})
    small.export()
    assert small.json("sync")["deliveries"]["to_partner"]["state"] == "delivered"
