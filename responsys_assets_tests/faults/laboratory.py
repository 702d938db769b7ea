"""Cases of a sync under faults: a copy of a project, a fork that works on it, what it left."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from responsys_assets_tests.conftest import PgpKeys
from responsys_assets_tests.faults import projects
from responsys_assets_tests.faults.projects import Receiver, Scenario

PATIENCE = 120.0
State = dict[str, Any]


class ForkServer:
    """A preloaded process; see forkserver.py."""

    def __init__(self, shim: Path, scratch: Path) -> None:
        self._scratch = scratch
        self._results = 0
        self._log = (scratch / "log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.forkserver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=Path(__file__).parents[2],
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "LD_PRELOAD": str(shim),
                # no threads that the forks would miss
                "MALLOC_CONF": "background_thread:false",
                "OPENBLAS_NUM_THREADS": "1",
                "POLARS_MAX_THREADS": "1",
            },
        )

    def start(self, task: str, folder: Path, **request: Any) -> Child:
        self._results += 1
        result = self._scratch / f"{self._results}.json"
        pid = self._ask(task=task, folder=str(folder), result=str(result), **request)["pid"]
        return Child(self, pid, result)

    def run(self, task: str, folder: Path, **request: Any) -> dict[str, Any]:
        """A task that must come to its end; what it says."""
        child = self.start(task, folder, **request)
        assert child.wait() == 0
        return child.said

    def reap(self, pid: int) -> int:
        return int(self._ask(wait=pid)["status"])

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the fork server is gone: {(self._scratch / 'log').read_text()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        self._process.communicate()
        self._log.close()


class Child:
    """A running task."""

    def __init__(self, server: ForkServer, pid: int, result: Path) -> None:
        self._server = server
        self._result = result
        self.pid = pid
        self._ended = os.pidfd_open(pid)

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end, so long at most."""
        return bool(select.select([self._ended], [], [], seconds)[0])

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit code, or the signal that ended it as a negative number."""
        ended = self.ends_within(PATIENCE)
        if not ended:
            self.kill()
        os.close(self._ended)
        status = self._server.reap(self.pid)
        assert ended, "a task did not come to its end"
        return status

    @property
    def said(self) -> dict[str, Any]:
        """Its result; a traceback fails the test."""
        said: dict[str, Any] = json.loads(self._result.read_text())
        self._result.unlink()
        assert "traceback" not in said, said["traceback"]
        return said


@dataclass(frozen=True)
class Template:
    """A project just before a sync, and what that sync makes of it when nothing happens."""

    folder: Path
    old: State
    new: State
    count: int
    writes: frozenset[int]  # which operations are writes
    seconds: float
    received: list[tuple[str, bytes]]


@dataclass
class Case:
    """A copy of a template, and the receiver at its outbox."""

    folder: Path
    receiver: Receiver
    template: Template

    @property
    def gpg(self) -> list[str]:
        """Processes that name this case: gpg and its agents."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if os.fsencode(self.folder) in (words := path.read_bytes()):
                    found.append(words.replace(b"\0", b" ").decode())
        return found

    def expect_old_or_new(self, found: State) -> None:
        """Every part of the lake is whole, and as it was before the sync or after it."""
        old, new = self.template.old, self.template.new
        for part in ("profiles", "segments", "deliveries"):
            parts = found[part] if isinstance(found[part], dict) else {"": found[part]}
            for name, content in parts.items():
                either = [each[part][name] if name else each[part] for each in (old, new)]
                assert content in either, (part, name)

    def expect_new(self, found: State) -> None:
        """Exactly what an undisturbed sync makes: bytes, receipts, files; delivered once."""
        for part, content in self.template.new.items():
            assert found[part] == content, part
        self.receiver.take()
        assert self.receiver.contents() == self.template.received
        assert self.receiver.left == []
        assert self.temporary == []
        assert self.gpg == []

    @property
    def temporary(self) -> list[str]:
        """What no reader should ever see after a start: unfinished files, homes of gpg."""
        lake = self.folder / "lake"
        places = [lake / "tmp", self.folder / "t"]
        found = [path for place in places for path in place.rglob("*")]
        found += [p for p in self.folder.rglob("*") if ".part" in p.name]
        return [str(path.relative_to(self.folder)) for path in found]


class Laboratory:
    """Templates, made once, and cases on copies of them."""

    def __init__(self, forks: ForkServer, keys: PgpKeys, scratch: Path) -> None:
        self.forks = forks
        self._keys = keys
        self._scratch = scratch
        self._cases = 0
        self._template = cache(self._make)

    def template(self, scenario: Scenario, *, encrypted: bool = False) -> Template:
        """A project before its first sync, before the next day's, or before a change of the
        configuration has its exports staged anew."""
        return self._template(scenario, encrypted)

    @contextmanager
    def case(self, template: Template) -> Iterator[Case]:
        self._cases += 1
        folder = self._scratch / f"c{self._cases}"
        shutil.copytree(template.folder, folder)
        yield Case(folder, Receiver(folder), template)
        shutil.rmtree(folder)  # a case that failed stays to be looked at

    def _make(self, scenario: Scenario, encrypted: bool) -> Template:
        folder = self._scratch / f"{scenario}{'-gpg' if encrypted else ''}"
        folder.mkdir()
        keys = self._keys if encrypted else None
        keep = scenario != "restaged"
        projects.write_project(folder, encrypted=encrypted, keep=keep)
        if keys:
            projects.copy_keys(folder, keys)
        projects.day(folder, 1, keys)
        receiver = Receiver(folder)
        if scenario != "first":
            assert self.forks.run("sync", folder)["exit_code"] == 0
            receiver.take()
        if scenario == "next":
            projects.day(folder, 2, keys)
        if scenario == "restaged":
            projects.configure(folder, encrypted=encrypted, keep=keep, points="text")
        old = self.forks.run("look", folder)
        assert old["problems"] == []
        undisturbed = self._scratch / f"{folder.name}-done"
        shutil.copytree(folder, undisturbed)
        began = time.monotonic()
        trace = undisturbed / "t" / "trace"
        done = self.forks.run("sync", undisturbed, trace=str(trace))
        seconds = time.monotonic() - began
        assert done["exit_code"] == 0, done
        assert "delivered" in done["deliveries"].values(), done
        received = Receiver(undisturbed)
        received.take()
        new = self.forks.run("look", undisturbed)
        assert new["problems"] == []
        lines = enumerate(trace.read_text().splitlines(), 1)
        return Template(
            folder,
            old["state"],
            new["state"],
            done["count"],
            frozenset(n for n, line in lines if line.startswith("write\t")),
            seconds,
            received.contents(),
        )
