"""`apply --release` lets go the plan that a person looked at, and no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from responsys_assets_tests.commands.conftest import Small

PEOPLE = range(20)
WHY = ("--why", "the partner has gone")


def rows(*keys: int, city: str = "Rome", out: int | None = None) -> str:
    lines = ["CUSTOMER_ID_,EMAIL_ADDRESS_,EMAIL_PERMISSION_STATUS_,CITY_,MODIFIED_DATE_"]
    for key in PEOPLE:
        said = "O" if key == out else "I"
        here = city if key in keys else "Rome"
        lines.append(f"{key},p{key}@example.com,{said},{here},2026-01-02 10:00:00")
    return "\n".join(lines) + "\n"


def configure(small: Small, **keys: Any) -> None:
    delivery = {"segment": "rome", "to": "outbox", "file": "rome_{seq}.csv"}
    small.configure(deliveries={"to_partner": {**delivery, "guard": {"max_removed": 1}, **keys}})


def held(small: Small, *arguments: str) -> dict[str, Any]:
    result = small(*arguments, "--json")
    assert result.code == 3
    delivery: dict[str, Any] = result.json["deliveries"]["to_partner"]
    assert delivery["state"] == "held"
    return delivery


def sent(small: Small) -> int:
    return len(list((small.folder / "outbox").iterdir()))


def test_a_plan_that_replaced_the_one_that_was_looked_at_is_looked_at_first(small: Small) -> None:
    """The example of issue 13: 2 of 20 were seen, 18 of 20 would be released."""
    configure(small)
    small.export(rows())
    small.json("sync")
    small.export(rows(1, 2, city="Oslo"), day="20260103")
    assert held(small, "sync")["removed"] == 2
    held(small, "plan")
    small.export(rows(*range(18), city="Oslo"), day="20260104")
    assert held(small, "sync")["removed"] == 18
    refused = held(small, "apply", "to_partner", "--release")
    assert refused["removed"] == 18
    assert "is not the one that was looked at" in refused["detail"]
    assert sent(small) == 1
    done = small.json("apply", "to_partner", "--release", "--why", "Oslo it is")
    assert done["deliveries"]["to_partner"]["removed"] == 18
    assert sent(small) == 2
    (released,) = (small.folder / "lake" / "deliveries").rglob("released.json")
    said = json.loads(released.read_text())
    assert said["why"] == "Oslo it is"
    assert said["who"]
    assert said["at"]


def test_the_first_plan_that_is_held_is_let_go_at_a_word(small: Small) -> None:
    configure(small)
    small.export(rows())
    small.json("sync")
    small.export(rows(1, 2, city="Oslo"), day="20260103")
    held(small, "sync")
    assert small.json("apply", "to_partner", "--release")
    assert sent(small) == 2


def test_a_plan_is_let_go_by_its_name_and_another_name_releases_nothing(small: Small) -> None:
    configure(small)
    small.export(rows())
    small.json("sync")
    small.export(rows(1, 2, city="Oslo"), day="20260103")
    held(small, "sync", "--no-deliver")
    first = held(small, "plan")["snapshot"].rpartition("_")[2]
    small.export(rows(1, 2, 3, city="Oslo"), day="20260104")
    second = held(small, "sync")
    held(small, "apply", "to_partner", "--release", "--plan", first)
    assert f"--plan {first}" not in second["detail"]
    newest = held(small, "plan")["snapshot"].rpartition("_")[2]
    assert f"--release --plan {newest}" in second["detail"]
    small.json("apply", "to_partner", "--release", "--plan", newest)
    assert sent(small) == 2


def test_a_plan_that_says_the_same_was_looked_at_already(small: Small) -> None:
    configure(small)
    small.export(rows())
    small.json("sync")
    small.export(rows(1, 2, city="Oslo"), day="20260103")
    held(small, "sync")
    held(small, "plan")
    small.export(rows(1, 2, city="Oslo"), day="20260104")
    held(small, "sync")
    assert small.json("apply", "to_partner", "--release")


def test_release_options_go_together(small: Small) -> None:
    for wrong in (["--plan", "x"], ["--why", "x"], ["--release"], ["--release", "--plan", "x"]):
        assert small("apply", *wrong, "--json").code == 2


def test_an_opt_out_goes_out_while_another_plan_is_refused(small: Small) -> None:
    configure(small, mode="changes", file="r_{seq}.csv")
    small.export(rows())
    small.json("sync")
    small.export(rows(1, 2, city="Oslo", out=5), day="20260103")
    first = held(small, "sync")
    assert first["opt_outs"] == {"removed": 1, "files": ["r_2.csv"]}
    small.export(rows(1, 2, city="Oslo", out=5).replace("6@", "six@"), day="20260104")
    assert small("sync").code == 3
    held(small, "apply", "to_partner", "--release")
    small.json("apply", "to_partner", "--release")
    assert sent(small) == 3


def test_a_receiver_that_was_left_is_named_and_closed(small: Small) -> None:
    configure(small, mode="changes", file="r_{seq}.csv")
    small.export(rows())
    assert small.json("sync")["left_receivers"] == []
    configure(small, mode="changes", file="r_{seq}.csv", folder="new")
    (left,) = small.json("sync")["left_receivers"]
    assert (left["target"], left["rows"], left["delivery"]) == (
        "outbox:r_{seq}.csv",
        20,
        "to_partner",
    )
    for command in ("plan", "apply", "status"):
        assert small.json(command)["left_receivers"] == [left]
        assert "outbox:r_{seq}.csv is not delivered to any more" in small(command).out
    assert "still has 20 people" in small("sync").out
    states = {each["target"]: each["state"] for each in small.json("deliveries")["receivers"]}
    assert states == {"outbox:r_{seq}.csv": "left", "outbox:new/r_{seq}.csv": "in use"}
    assert small("deliveries", "to_partner", "--close", "outbox:new/r_{seq}.csv", *WHY).code == 2
    assert small("deliveries", "nobody", "--close", *WHY, "--json").code == 2
    (closed,) = small.json("deliveries", "to_partner", "--close", *WHY)["closed"]
    assert (closed["removed"], closed["files"]) == (20, ["r_2.csv"])
    text = (small.folder / "outbox" / "r_2.csv").read_text()
    assert text.count('"remove"') == 20
    assert small.json("status")["left_receivers"] == []
    assert "closed" in small("deliveries", "to_partner").out


def test_a_delivery_that_left_the_configuration_is_closed_by_its_old_name(small: Small) -> None:
    configure(small, mode="changes", file="r_{seq}.csv")
    small.export(rows())
    small.json("sync")
    small.configure(deliveries={})
    assert small.json("sync")["left_receivers"][0]["rows"] == 20
    small.json("deliveries", "to_partner", "--close", "outbox:r_{seq}.csv", *WHY)
    assert Path(small.folder / "outbox" / "r_2.csv").exists()
    assert small.json("sync")["left_receivers"] == []


def left_by_another_name(small: Small) -> None:
    configure(small, mode="changes", file="r_{seq}.csv")
    small.export(rows())
    small.json("sync")
    configure(small, mode="changes", file="s_{seq}.csv")
    small.json("sync")


def test_a_receiver_left_for_another_name_in_the_folder_may_have_the_same_reader(
    small: Small,
) -> None:
    left_by_another_name(small)
    assert small.json("status")["left_receivers"][0]["beside"] == ["to_partner"]
    found = {each["target"]: each["beside"] for each in small.json("deliveries")["receivers"]}
    assert found == {"outbox:r_{seq}.csv": ["to_partner"], "outbox:s_{seq}.csv": []}
    said = " ".join(small("status").out.split())
    assert "if one reader takes both names, --close removes its people" in said


def test_a_receiver_is_closed_for_a_reason_that_is_recorded_with_a_name(small: Small) -> None:
    left_by_another_name(small)
    for wrong in ([], ["--why", " "]):
        refused = small("deliveries", "to_partner", "--close", *wrong, "--json")
        assert (refused.code, "--close needs --why" in refused.error["message"]) == (2, True)
    assert sent(small) == 2
    small.json("deliveries", "to_partner", "--close", *WHY)
    (closed,) = (small.folder / "lake" / "deliveries").rglob("journal/closed.json")
    said = json.loads(closed.read_text())
    assert (said["why"], bool(said["who"]), bool(said["at"])) == (WHY[1], True, True)
    nobody = small("deliveries", "to_partner", "--close", *WHY, "--json")
    assert nobody.error["message"] == "there is no receiver to close"


def test_deliveries_refuses_names_that_it_does_not_know_and_says_which_there_are(
    small: Small,
) -> None:
    configure(small)
    unknown = small("deliveries", "nonsense", "--json")
    assert (unknown.code, unknown.error["code"]) == (2, "unknown_delivery")
    assert "to_partner" in unknown.error["message"]
    lost = small("deliveries", "to_partner", "foo", "--json")
    assert (lost.code, lost.error["message"]) == (2, "a TARGET goes with --close: foo")
    assert small("deliveries", "to_partner", "--json").json == {"receivers": []}


def test_a_plan_that_is_named_and_does_not_exist_is_an_error(small: Small) -> None:
    configure(small)
    small.export(rows())
    small.json("sync", "--no-deliver")
    for _ in ("before anything is sent", "when all is sent"):
        refused = small("apply", "to_partner", "--release", "--plan", "zzz", "--json")
        assert (refused.code, refused.error["code"]) == (2, "unknown_plan")
        assert "delivery to_partner has no plan zzz" in refused.error["message"]
        small.json("sync")
    assert sent(small) == 1


def test_status_shows_the_numbers_of_the_held_plan_and_of_what_was_delivered(small: Small) -> None:
    configure(small)
    small.export(rows())
    small.json("sync")
    small.export(rows(1, 2, city="Oslo"), day="20260103")
    held(small, "sync")
    lines = [line.split() for line in small("status").out.splitlines() if "rome_" in line]
    assert lines[0] == ["to_partner", "held", "18", "0", "0", "2", "-", "rome_2.csv"]
    assert lines[1][:6] == ["to_partner", "delivered", "20", "20", "0", "0"]
    assert lines[1][-1] == "rome_1.csv"


def test_one_person_is_not_one_people(small: Small) -> None:
    configure(small, mode="changes", file="r_{seq}.csv")
    small.export(rows())
    small.json("sync")
    small.export(rows(1, 2, city="Oslo", out=5), day="20260103")
    said = " ".join(small("sync").out.split())
    assert (
        "to_partner: 1 person who may not be reached any more was removed at once, without "
        "waiting for a release: r_2.csv"
    ) in said


def test_a_name_that_a_folder_has_is_said_with_its_delivery(small: Small) -> None:
    configure(small)
    small.export(rows())
    blocking = small.folder / "outbox" / "rome_1.csv"
    blocking.mkdir(parents=True)
    small("sync")
    failed = small("apply", "--json")
    assert failed.error["message"] == (
        "delivery to_partner: rome_1.csv is a folder there; move it away"
    )
    blocking.rmdir()
    small.json("apply")
    assert blocking.is_file()


def test_who_opted_out_and_left_is_removed_at_once_where_permission_is_delivered(
    small: Small,
) -> None:
    columns = ["CUSTOMER_ID_", "EMAIL_PERMISSION_STATUS_"]
    small.configure(
        lists={"core": small.list_config(max_shrink="100%")},
        deliveries={
            "to_partner": {
                "segment": "profiles",
                "to": "outbox",
                "file": "r_{seq}.csv",
                "mode": "changes",
                "columns": columns,
                "guard": {"max_removed": 1},
            }
        },
    )
    small.export(rows())
    small.json("sync")
    small.export(rows(out=5), day="20260103")
    small.json("sync", "--no-deliver")
    kept = [line for line in rows(out=5).splitlines() if line.split(",")[0] not in "5678"]
    small.export("\n".join(kept) + "\n", day="20260104")
    delivery = held(small, "sync")
    assert (delivery["removed"], delivery["opt_outs"]["removed"]) == (3, 1)
    assert (small.folder / "outbox" / "r_2.csv").read_text().splitlines()[1:] == [
        '"5","I","remove"'
    ]
