"""A project in a folder to which the steps of a history happen, and what can be seen of it."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import hashlib
import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from responsys_assets.commands.main import run
from responsys_assets.config.loader import load
from responsys_assets.config.project import Project
from responsys_assets.errors import ResponsysError
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.sync import SyncResult, sync
from responsys_assets_tests.change.reading import Settings
from responsys_assets_tests.change.steps import (
    BackUp,
    Block,
    CleanServer,
    Decide,
    Document,
    Edit,
    History,
    Lose,
    Move,
    Release,
    Restore,
    Reverse,
    Send,
    Step,
)
from responsys_assets_tests.conftest import PgpKeys

START = dt.datetime(2026, 11, 12, 12, tzinfo=dt.UTC)
Tree = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Synced:
    """How a sync ended: its result, or the error that it raised."""

    code: int
    result: SyncResult | None
    error: str = ""
    key: str = ""  # of the configuration, that the error names

    @property
    def waits(self) -> bool:
        """Whether nothing is selected and sent, for the profiles are not what they should be."""
        return self.result is not None and self.result.waits is not None

    def delivery(self, name: str) -> tuple[str, str | None]:
        """State and reason of a delivery."""
        found = self.result.deliveries.get(name) if self.result else None
        return (found.state, found.reason) if found else ("", None)


@dataclass
class World:
    """`config` is the document of `responsys.yaml`; the clock moves a minute with every step."""

    folder: Path
    history: History
    config: Document = field(init=False)
    keys: PgpKeys | None = None
    now: dt.datetime = START
    sent: dict[str, Send] = field(default_factory=dict)  # by sha256
    _loaded: tuple[str, Project | None] = ("", None)

    def __post_init__(self) -> None:
        self.config = copy.deepcopy(dict(self.history.config))
        for name in ("files", "outbox", "other"):
            (self.folder / name).mkdir()

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    @property
    def match_on(self) -> str:
        return str(self.config["profiles"]["match_on"])

    @property
    def primary(self) -> str | None:
        """The list that a person has to be in, if there is one."""
        found: str | None = self.config["profiles"].get("primary")
        return found

    @property
    def lists(self) -> list[str]:
        return [*self.config["lists"]]

    @property
    def settles(self) -> bool:
        """Whether an export is taken only when it looks the same a second time."""
        return any("settle" in source for source in self.config["lists"].values())

    def settings(self, name: str) -> Settings:
        """What the oracle reads a list's files by."""
        source = {k: v for k, v in self.config["lists"][name].items() if v is not None}
        return Settings(source, self.match_on, self.config["account"]["timezone"])

    # What happens

    def take(self, step: Step) -> bool:
        """Let a step happen; whether it could."""
        self.now += dt.timedelta(minutes=1)
        match step:
            case Send():
                self._put(step)
            case Edit(path, value):
                return self._edit(path, value)
            case Move(section, old, new):
                entries = self.config[section]
                if old not in entries:
                    return False
                entries[new] = entries.pop(old)
            case Reverse():
                self.config["lists"] = dict(reversed(self.config["lists"].items()))
            case CleanServer(day):
                for file in (self.folder / "files").iterdir():
                    if file.name.split(".")[0].rpartition("_")[2] < day:
                        file.unlink()
            case Block():
                self._block(step.words, ends=step.ends)
            case Decide(name, action, file, flag):
                words = filter(None, [file, flag])
                return self._run("exports", name, action, *words, "--why", "so decided") == 0
            case Release(name):
                return self._run("apply", name, "--release") == 0
            case _:
                return self._damage(step)
        return True

    def _put(self, send: Send) -> None:
        folder = self.folder / "files"
        content = send.content.encode()
        if send.recipient:
            content = self._encrypted(content, send.recipient)
        self.sent[hashlib.sha256(content).hexdigest()] = send
        for name, text in ((send.file, content), (f"{send.file}.ready", send.announced.encode())):
            (folder / name).write_bytes(text)
            os.utime(folder / name, (send.mtime, send.mtime))

    def _encrypted(self, content: bytes, recipient: str) -> bytes:
        """A message of real gpg."""
        assert self.keys is not None
        home = self.keys.folder / "vendor"
        home.mkdir(mode=0o700, exist_ok=True)
        command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--trust-model", "always"]
        command += ["--recipient-file", str(self.keys.public(recipient)), "--encrypt"]
        return subprocess.run(command, input=content, check=True, capture_output=True).stdout

    @property
    def _environment(self) -> dict[str, str]:
        """The keys by name, as a configuration says them: `${own}`."""
        keys = self.keys
        return {} if keys is None else {name: str(keys.private(name)) for name in keys.pairs}

    def _block(self, words: str, *, ends: bool) -> None:
        """Folders in the way of the next files."""
        pattern = self.history.config["deliveries"]["partner"]["file"]
        for number in range(1, 20):
            for kind in ("add", "update", "remove"):
                name = pattern.replace("{seq}", str(number)).replace("{change}", kind)
                path = self.folder / "outbox" / name
                if words in name and ends and path.is_dir():
                    path.rmdir()
                elif words in name and not ends and not path.exists():
                    path.mkdir()

    def _edit(self, path: tuple[str, ...], value: Any) -> bool:
        *above, last = path
        place = self.config
        for name in above:
            if name not in place:
                return False
            place = place[name]
        if value is None:
            place.pop(last, None)
        else:
            place[last] = copy.deepcopy(value)
        return True

    def _damage(self, step: Step) -> bool:
        backup = self.folder / "backup"
        match step:
            case BackUp() if self.lake.exists():
                shutil.rmtree(backup, ignore_errors=True)
                shutil.copytree(self.lake, backup)
            case Restore(part) if (backup / part).exists():
                shutil.rmtree(self.lake / part, ignore_errors=True)
                shutil.copytree(backup / part, self.lake / part)
            case Lose(pattern):
                found = sorted(self.lake.glob(pattern))
                if not found:
                    return False
                for path in found[:1]:
                    if path.is_dir():
                        shutil.rmtree(path)
                    else:
                        path.unlink()
            case _:
                return False
        return True

    def _run(self, *arguments: str) -> int:
        """A command of the shell."""
        self._write()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return run([*arguments, "--config", str(self._file), "--json"])

    @property
    def _file(self) -> Path:
        return self.folder / "responsys.yaml"

    def _write(self) -> str:
        text = json.dumps(self.config)
        if text != self._loaded[0]:
            self._loaded = (text, None)
            self._file.write_text(text)
        return text

    def project(self) -> Project:
        """The project as it is configured now; raises ConfigError."""
        text, found = self._write(), self._loaded[1]
        if found is None:
            found = load(self._file, self._environment)
            self._loaded = (text, found)
        return replace(found, now=self._tick)

    def _tick(self) -> dt.datetime:
        """A clock that never shows one time twice: snapshots are ordered by it."""
        self.now += dt.timedelta(microseconds=1)
        return self.now

    def sync(self) -> Synced:
        """One sync."""
        self.now += dt.timedelta(minutes=1)
        try:
            result = sync(self.project())
        except ResponsysError as error:
            return Synced(int(error.exit_code), None, f"{error.code}: {error}", error.key or "")
        return Synced(int(result.exit_code), result)

    # What can be seen

    def accepted(self) -> Iterator[tuple[str, Export]]:
        """The exports of configured lists whose reading under today's settings was accepted."""
        try:
            project = self.project()
        except ResponsysError:
            return
        for name in self.lists:
            settings = project.staging_settings(name)
            for export in read_exports(Lake(self.lake), name):
                outcome = export.outcome
                if export.accepted and outcome is not None and outcome.settings == settings:
                    yield name, export

    def all_exports(self, name: str) -> list[Export]:
        """Every export of a list that the lake knows of."""
        return read_exports(Lake(self.lake), name)

    def snapshot(self, asset: str) -> str:
        """The name of an asset's current snapshot; empty if there is none."""
        current = self.lake / asset / "CURRENT"
        return current.read_text().strip() if current.exists() else ""

    def rows(self, asset: str) -> list[dict[str, str]]:
        """The rows of an asset's current snapshot."""
        if not (name := self.snapshot(asset)):
            return []
        files = sorted((self.lake / asset / name).glob("part-*.parquet"))
        return [row for file in files for row in pl.read_parquet(file).to_dicts()]

    def tree(self, *folders: str) -> Tree:
        """Every file below some folders, with its time and size."""
        found: Tree = {}
        for folder in folders:
            for place, _, names in os.walk(self.folder / folder):
                for name in names:
                    seen = Path(place, name).stat()
                    found[f"{place}/{name}"] = (seen.st_mtime_ns, seen.st_size)
        return found
