"""A plan that began to leave goes on, or what arrived of it is the base of the next one."""

from __future__ import annotations

from typing import Any

import pytest

from responsys_assets.config.project import Project
from responsys_assets.deliveries import transfer
from responsys_assets.errors import TransientServerError
from responsys_assets_tests.deliveries.outbox import Believer, Line, WatchedServer
from responsys_assets_tests.segments.small_lake import person

FIRST = [person(key) for key in "abcdef"]
OUT = {"EMAIL_PERMISSION_STATUS_": "O"}
# a has left, b has another city, x and y are new
SECOND = [person("b", CITY_="Oslo"), *FIRST[2:], person("x"), person("y")]
READY: Any = {"suffix": ".ready", "count": True}


class Broken:
    """A server on which an operation fails for names that hold this text."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name: str | None = None
        self.operation = "put"
        monkeypatch.setattr(transfer, "open_server", self._open)

    def _open(self, project: Project, name: str) -> Any:
        return WatchedServer(project, name, self._hook)

    def _hook(self, operation: str, moment: str, *arguments: Any) -> None:
        named = any(self.name and self.name in str(each) for each in arguments)
        if operation == self.operation and moment == "before" and named:
            raise TransientServerError("broken", "the server is broken")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Broken:
    return Broken(monkeypatch)


def configure(line: Line, ready: Any) -> Believer:
    line.configure(mode="changes", file="{change}_{seq}.csv", ready=ready)
    return Believer(line.outbox, ready=".ready" if ready != "none" else "")


def fail(line: Line, broken: Broken, name: str, people: list[dict[str, Any]]) -> None:
    broken.name = name
    line.profiles(people)
    with pytest.raises(TransientServerError):
        line.deliver()
    broken.name = None


@pytest.mark.parametrize("ready", ["none", READY])
@pytest.mark.parametrize("kind", ["remove_", "add_", "update_"])
@pytest.mark.parametrize("takes", ["at once", "late"])
def test_a_person_who_opts_out_while_a_plan_is_half_sent_is_not_kept(
    line: Line, broken: Broken, ready: Any, kind: str, takes: str
) -> None:
    """The example of issue 13: `add` arrives, `update` fails, then x and b opt out."""
    receiver = configure(line, ready)
    line.deliver(FIRST)
    receiver.look()
    fail(line, broken, kind, SECOND)
    sent = {name: text for name, text in line.files().items() if not name.startswith(".")}
    if takes == "at once":
        receiver.look()
    third = [{**each, **(OUT if each["CUSTOMER_ID_"] in "bx" else {})} for each in SECOND]
    result = line.deliver(third)
    assert result.state == "delivered"
    if takes == "late":
        # the names that were there mean what they meant
        data = [name for name in sent if name.endswith(".csv")]
        kept = line.files()
        assert all(kept[name] == sent[name] for name in data if name in kept)
    assert receiver.look() == set("cdefy")
    assert line.deliver().state == "unchanged"
    assert not [name for name in line.files() if name.startswith(".")]


def test_people_who_opted_out_are_not_sent_with_what_was_still_to_go(
    line: Line, broken: Broken
) -> None:
    receiver = configure(line, "none")
    line.deliver(FIRST)
    receiver.look()
    fail(line, broken, "add_", SECOND)
    line.deliver([{**each, **(OUT if each["CUSTOMER_ID_"] == "x" else {})} for each in SECOND])
    assert "x" not in str(line.files())
    assert receiver.look() == set("bcdefy")


def test_a_plan_that_still_holds_goes_on_with_the_same_bytes(line: Line, broken: Broken) -> None:
    receiver = configure(line, "none")
    line.deliver(FIRST)
    fail(line, broken, "update_", SECOND)
    waits = line.plan()
    planned = {path.name: path.read_text() for path in _files(waits)}
    assert line.deliver().files == ("remove_2.csv", "add_2.csv", "update_2.csv")
    assert {name: line.files()[name] for name in planned} == planned
    assert receiver.look() == set("bcdefxy")


def _files(result: Any) -> list[Any]:
    return sorted((result.snapshot.path / "files").iterdir())


@pytest.mark.parametrize("operation", ["put", "rename"])
def test_data_that_a_receiver_took_before_its_ready_file_counts_as_received(
    line: Line, broken: Broken, operation: str
) -> None:
    configure(line, READY)
    eager = Believer(line.outbox, unread=".ready")  # takes data that nobody has announced
    line.deliver(FIRST)
    eager.look()
    broken.operation = operation
    fail(line, broken, "add_2.csv.ready", SECOND)
    assert eager.look() >= {"x", "y"}
    line.deliver([{**each, **(OUT if each["CUSTOMER_ID_"] == "x" else {})} for each in SECOND])
    assert eager.look() == set("bcdefy")


def test_a_plan_half_sent_before_its_delivery_was_renamed_is_ended_under_the_new_name(
    line: Line, broken: Broken
) -> None:
    receiver = configure(line, "none")
    line.deliver(FIRST)
    fail(line, broken, "update_", SECOND)
    receiver.look()
    line.keys["deliveries"] = {"silver": line.keys["deliveries"]["gold"]}
    line.profiles([{**each, **(OUT if each["CUSTOMER_ID_"] == "x" else {})} for each in SECOND])
    result = line.deliver(name="silver")
    assert (result.state, result.removed) == ("delivered", 1)
    assert receiver.look() == set("bcdefy")
