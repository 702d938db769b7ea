"""What survives a power cut: the order in which files, names and folders reach the disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from responsys_assets_tests.faults.laboratory import Laboratory
from responsys_assets_tests.faults.projects import Scenario
from responsys_assets_tests.scorecard import FULL, Cases


@dataclass
class Disk:
    """What of a trace is only in memory so far."""

    dirty: set[str] = field(default_factory=set)  # written, not synchronised
    unnamed: dict[str, str] = field(default_factory=dict)  # folders with new names in them
    publishes: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)  # what a power cut could tear

    def replay(self, trace: str, temporary: tuple[str, ...]) -> None:
        """`temporary` folders hold nothing that anybody will want back."""
        for line in trace.splitlines():
            operation, path, other = line.split("\t")
            if operation in ("open", "write"):
                self.dirty.add(path)
            elif operation == "fsync":
                self.dirty.discard(path)
                self.unnamed.pop(path, None)
            elif operation == "rename":
                self._rename(path, other, temporary)
            elif operation == "unlink":
                self.dirty = {each for each in self.dirty if not _inside(each, path)}
            elif operation == "mkdir" and not path.startswith(temporary):
                self.unnamed[str(Path(path).parent)] = path

    def _rename(self, old: str, new: str, temporary: tuple[str, ...]) -> None:
        moved = {each for each in self.dirty if _inside(each, old)}
        self.dirty -= moved
        if new.startswith(temporary):
            return
        self.publishes.append(new)
        self.lost += [f"{new}: {each} was not synchronised" for each in moved]
        # a name may only follow what it depends on: everything published before it
        self.lost += [f"{new} came before {each}" for each in self.unnamed.values()]
        self.unnamed[str(Path(new).parent)] = new


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


@pytest.mark.timeout(600)
@pytest.mark.scorecard(31)
@pytest.mark.parametrize(
    ("scenario", "encrypted"),
    [("first", False), ("next", True), ("restaged", False)]
    + [("first", True), ("next", False), ("restaged", True)] * FULL,
)
def test_every_publish_synchronises_file_name_and_folder_in_this_order(
    laboratory: Laboratory, cases: Cases, scenario: Scenario, encrypted: bool
) -> None:
    """Fails when `make_private_folder` does not synchronise the folder above a new one, or
    `publish_file` the file."""
    template = laboratory.template(scenario, encrypted=encrypted)
    with laboratory.case(template) as case:
        trace = case.folder / "t" / "trace"
        laboratory.forks.run("sync", case.folder, trace=str(trace))
        disk = Disk()
        temporary = (f"{case.folder}/lake/tmp", f"{case.folder}/t")
        disk.replay(trace.read_text(), temporary)
        assert disk.lost == []
        assert not disk.unnamed, "the folder of the last name was not synchronised"
        assert {each for each in disk.dirty if not each.startswith(temporary)} <= {
            f"{case.folder}/lake/.lock"
        }
        names = [Path(each).name for each in cases.each(disk.publishes)]
        assert {"CURRENT", "delivered.json"} <= set(names)
