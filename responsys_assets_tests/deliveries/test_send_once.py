"""Sending survives crashes, lost answers and receivers that take files away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from responsys_assets.config.project import Project
from responsys_assets.deliveries import transfer
from responsys_assets.errors import DeliveryError, ServerError, TransientServerError
from responsys_assets.lake.publish import Workspace
from responsys_assets_tests.conftest import Account
from responsys_assets_tests.deliveries.outbox import Line, WatchedServer, records
from responsys_assets_tests.segments.small_lake import person

FIRST = [person("a"), person("b"), person("c")]
SECOND = [person("b", CITY_="Oslo"), person("c"), person("d")]


class CrashError(BaseException):
    """The process ends here."""


class Receiver:
    """Takes announced files away at once, and notes what no receiver should ever see."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken: list[tuple[str, str]] = []
        self.wrong: list[str] = []
        self.consumes = True

    def look(self) -> None:
        for ready in sorted(self.folder.glob("[!.]*.ready")):
            data = ready.with_name(ready.name.removesuffix(".ready"))
            content = data.read_text() if data.exists() else ""
            rows = len(records(content))
            if not data.exists() or ready.read_text() != str(rows):
                self.wrong.append(f"{ready.name} says {ready.read_text()}, {rows} are there")
            elif self.consumes or (data.name, content) not in self.taken:
                self.taken.append((data.name, content))
                if self.consumes:
                    ready.unlink()
                    data.unlink()


class Faults:
    """Counts operations on the server and in the journal, and fails at the chosen one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
        self.count = 0
        self.fail_at: int | None = None
        self.error: Callable[[], BaseException] = CrashError
        self._receiver = receiver
        monkeypatch.setattr(transfer, "open_server", self._open)
        publish = Workspace.publish_bytes

        def publish_bytes(work: Workspace, content: bytes, target: Path) -> None:
            if "deliveries" not in target.parts:
                publish(work, content, target)
                return
            if self.error is CrashError:  # no server error comes from the journal
                self.hook("journal", "before")
            publish(work, content, target)
            if self.error is CrashError:
                self.hook("journal", "after")

        monkeypatch.setattr(Workspace, "publish_bytes", publish_bytes)

    def _open(self, project: Project, name: str) -> Any:
        return WatchedServer(project, name, self.hook)

    def hook(self, operation: str, moment: str, *_: Any) -> None:
        self._receiver.look()
        self.count += 1
        if self.fail_at is not None and self.count == self.fail_at:
            raise self.error()


@pytest.fixture
def receiver(line: Line) -> Receiver:
    return Receiver(line.outbox)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> Faults:
    return Faults(monkeypatch, receiver)


READY = {"suffix": ".ready", "count": True}


def _send(line: Line) -> None:
    """Send until it succeeds, as one sync after the other would."""
    while True:
        try:
            if line.plan().state == "planned":
                line.send()
        except (CrashError, ServerError):
            continue
        return


@pytest.mark.parametrize("error", [CrashError, lambda: TransientServerError("lost", "lost")])
@pytest.mark.parametrize("consumes", [True, False])
def test_wherever_it_is_interrupted_each_content_is_announced_once(
    line: Line, receiver: Receiver, faults: Faults, error: Any, consumes: bool
) -> None:
    faults.error = error
    receiver.consumes = consumes
    line.configure(mode="changes", file="{change}_{seq}.csv", ready=READY)
    line.profiles(FIRST)
    _send(line)
    line.profiles(SECOND)
    fail_at = 1
    deliveries = 1
    while True:
        faults.count, faults.fail_at = 0, fail_at
        receiver.taken.clear()
        _send(line)
        receiver.look()
        deliveries += 1
        assert receiver.wrong == []
        kinds = [name.split("_")[0] for name, _ in receiver.taken]
        if consumes:
            assert kinds == ["remove", "add", "update"], fail_at
        else:
            assert sorted(set(kinds)) == ["add", "remove", "update"], fail_at
        assert not [name for name in line.files() if name.startswith(".")]
        if faults.count < fail_at:
            break  # every operation has failed once
        fail_at += 5 if consumes else 9
        line.profiles(FIRST if deliveries % 2 == 0 else SECOND)
    assert fail_at > 40


def test_a_name_that_exists_is_replaced_without_a_wrong_moment(
    line: Line, receiver: Receiver, faults: Faults
) -> None:
    receiver.consumes = False
    line.configure(file="gold.csv", ready=READY)
    line.deliver(FIRST)
    line.deliver(FIRST[:1])
    receiver.look()
    assert receiver.wrong == []
    assert [len(records(content)) for _, content in receiver.taken] == [3, 1]


def test_without_ready_files_a_consumed_file_is_not_sent_again(line: Line, faults: Faults) -> None:
    line.configure(file="gold.csv")
    line.profiles(FIRST)
    line.plan()
    faults.fail_at = None
    seen = 0
    for fail_at in range(1, 30):
        faults.count, faults.fail_at = 0, fail_at
        try:
            line.send()
        except CrashError:
            pass
        else:
            break
        if (line.outbox / "gold.csv").exists():
            seen += 1
            (line.outbox / "gold.csv").unlink()
    seen += (line.outbox / "gold.csv").exists()
    assert seen == 1


def test_what_was_sent_before_its_inputs_changed_is_the_base_of_the_next_plan(
    line: Line, faults: Faults
) -> None:
    line.configure(mode="changes", file="{seq}.csv")
    line.profiles(FIRST)
    line.plan()
    for fail_at in range(1, 40):
        if (line.outbox / "1.csv").exists():
            break
        faults.count, faults.fail_at = 0, fail_at
        with pytest.raises(CrashError):
            line.send()
    faults.fail_at = None
    result = line.deliver(SECOND)
    assert (result.state, result.files) == ("delivered", ("2.csv",))
    assert (result.added, result.updated, result.removed) == (1, 1, 1)


@pytest.mark.parametrize("left", [".{name}.part-*", "{name}"])
def test_what_nobody_was_told_of_is_taken_back_when_its_inputs_change(
    line: Line, receiver: Receiver, faults: Faults, left: str
) -> None:
    receiver.consumes = False
    line.configure(mode="changes", file="{seq}_{YYYYMMDDHHMISS}.csv", ready=READY)
    line.profiles(FIRST)
    planned = line.plan()
    for fail_at in range(1, 60):
        if list(line.outbox.glob(left.format(name=planned.files[0]))):
            break
        faults.count, faults.fail_at = 0, fail_at
        with pytest.raises(CrashError):
            line.send()
    faults.fail_at = None
    line.profiles(SECOND)
    with pytest.raises(DeliveryError, match="void"):
        line.send()
    result = line.deliver()
    assert (result.state, result.added, result.removed) == ("delivered", 3, 0)
    assert set(line.files()) == {result.files[0], f"{result.files[0]}.ready"}
    plans = [path for path in line.lake.delivery("gold").iterdir() if path.is_dir()]
    assert len(plans) == 1


def test_a_server_that_stays_away_is_tried_three_times_and_nothing_is_recorded(
    line: Line, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.profiles(FIRST)
    line.plan()
    tried = []

    def away(project: Project, name: str) -> Any:
        tried.append(name)
        raise TransientServerError("unreachable", f"server {name} does not answer")

    monkeypatch.setattr(transfer, "open_server", away)
    with pytest.raises(TransientServerError):
        line.send()
    assert tried == ["outbox"] * 3
    assert not (line.lake.delivery("gold") / "CURRENT").exists()


def test_a_damaged_plan_is_not_sent(line: Line) -> None:
    line.configure(file="gold.csv")
    line.profiles(FIRST)
    planned = line.plan()
    assert planned.snapshot is not None
    (planned.snapshot.path / "files" / "gold.csv").write_text("x\n")
    with pytest.raises(DeliveryError, match="not what was planned"):
        line.send()
    assert line.files() == {}


def test_a_delivery_over_sftp_arrives_whole_with_its_ready_file_last(
    line: Line, sftp_account: Account, sftp_folder: Path
) -> None:
    line.configure(file="gold.csv", ready=READY, folder=f"{sftp_folder.name}/in", to="remote")
    line.keys["servers"]["remote"] = sftp_account.config
    assert line.deliver(FIRST).state == "delivered"
    assert line.deliver(SECOND).state == "delivered"
    arrived = {path.name: path.read_text() for path in (sftp_folder / "in").iterdir()}
    assert set(arrived) == {"gold.csv", "gold.csv.ready"}
    assert arrived["gold.csv.ready"] == "3"
    assert [row["CUSTOMER_ID_"] for row in records(arrived["gold.csv"])] == ["b", "c", "d"]
