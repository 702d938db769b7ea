"""Secrets and people stay where they belong, whatever fails: a search over all bytes."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
import pytest
from dagster._utils.error import serializable_error_info_from_exc_info

from responsys_assets.commands.dagster_home import instance_settings, tell_dagster
from responsys_assets.commands.main import run
from responsys_assets.config.loader import load
from responsys_assets.orchestration.build import load_definitions
from responsys_assets.pgp.keys import PgpKeyPair, new_pgp_key
from responsys_assets.progress import SILENT
from responsys_assets_tests.conftest import Account
from responsys_assets_tests.privacy.canaries import Canaries, children, in_files, sightings
from responsys_assets_tests.privacy.place import DAY, Place
from responsys_assets_tests.privacy.spoilt import FAULTS
from responsys_assets_tests.scorecard import FULL

COMMANDS = (
    ("sync", "--json"),
    ("sync",),
    ("status", "--json"),
    ("status",),
    ("exports", "core", "--json"),
    ("exports", "core"),
    ("rejects", "core", "--json"),
    ("plan", "--json"),
    ("apply",),
    ("doctor", "--json"),
    ("doctor",),
    ("path", "profiles"),
    ("verify", "--json"),
)
# where rows and secrets belong: what the test gave, staged rows and plans, the original
BELONGS = (
    "keys/own.*",
    "keys/ssh",
    ".env",
    "files/*",
    "outbox/*",
    "suppressed.csv",
    "responsys.yaml",
    "*.parquet",
    "files/all_20*.csv",
    "lake/exported/core/*/*/*.csv.gpg",
)
CANARIES = Canaries.of(20261123)


@pytest.fixture(scope="module")
def own_key() -> PgpKeyPair:
    return new_pgp_key("acme", "acme@example.com", passphrase=CANARIES.passphrase)


@pytest.fixture
def place(
    tmp_path: Path,
    own_key: PgpKeyPair,
    sftp_account: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    made = Place(tmp_path, CANARIES, own_key, sftp_account, monkeypatch)
    monkeypatch.setenv("RESPONSYS_CONFIG", str(made.file))
    # definitions.py has Dagster redact what it does not know; nothing may depend on that
    monkeypatch.setenv("DAGSTER_REDACT_USER_CODE_ERRORS", "0")
    # as long as a temporary folder may be: gpg's agent listens in one
    with tempfile.TemporaryDirectory(prefix="kan", dir="/tmp") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        made.temporary = Path(short)
        yield made


@pytest.fixture
def words(own_key: PgpKeyPair) -> list[str]:
    """All canaries, and a line of the private key."""
    return CANARIES.words((own_key.private.splitlines()[5],))


@contextmanager
def limited(size: int | None) -> Iterator[None]:
    """No file of this process and its children may grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


NAMES = [*FAULTS] if FULL else ["a_wrong_passphrase", "a_crash_while_staging"]


@pytest.mark.scorecard(36)
@pytest.mark.parametrize("name", NAMES)
def test_no_command_shows_or_keeps_a_secret_or_a_person(
    name: str, place: Place, words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Fails when `_internal` of commands/main.py adds the text of an error, when `secret` fields
    repeat what they were given, or when a hold quotes the header that it found."""
    FAULTS[name](place)
    capfd.readouterr()
    codes: list[int] = []
    with children() as started, limited(place.file_size):
        codes += [run(command) for command in COMMANDS]
    shown = capfd.readouterr()
    found = sightings(words, shown.out.encode(), "stdout")
    found += sightings(words, shown.err.encode(), "stderr")
    found += [hit for each in started for hit in sightings(words, each, "a child's start")]
    found += in_files(words, place.folder, BELONGS) + in_files(words, place.temporary)
    assert found == []
    assert any(codes) or '"rejected": 5' in shown.out  # the fault was met


def told(work: Callable[[], object]) -> str:
    """What the daemon would store of a tick or a code location that fails."""
    try:
        return str(work())
    except Exception:  # noqa: BLE001 - Dagster catches all
        return str(serializable_error_info_from_exc_info(sys.exc_info()))


def under_dagster(place: Place, instance: dg.DagsterInstance) -> str:
    """Everything by assets, sensors, deadline and report; what Dagster would store of failures."""
    try:
        defs = load_definitions()
    except dg.DagsterError:
        return told(load_definitions)
    assets = [each for each in defs.assets or () if isinstance(each, dg.AssetsDefinition)]
    said = []
    with dg.build_sensor_context(instance=instance, definitions=defs) as context:
        said += [
            told(lambda name=name: defs.resolve_sensor_def(name)(context))  # type: ignore[misc]
            for name in ("exports_ready_files", "lists_complete")
        ]
    with suppress(dg.DagsterError):
        dg.materialize(assets, instance=instance, partition_key=DAY, raise_on_error=False)
    late = defs.resolve_job_def("deadline_core")
    late.execute_in_process(instance=instance, raise_on_error=False)
    tell_dagster(load(place.file), SILENT)
    return "\n".join(said)


@pytest.mark.scorecard(36)
@pytest.mark.parametrize("name", NAMES)
def test_dagster_is_told_of_no_secret_and_of_no_person(
    name: str, place: Place, words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Fails when `plain_failures` and `plain_tick_failures` let other errors pass."""
    FAULTS[name](place)
    home = place.folder / "home"
    home.mkdir()
    place.patch.setenv("DAGSTER_HOME", str(home))
    (home / "dagster.yaml").write_text(instance_settings())
    capfd.readouterr()
    with dg.DagsterInstance.from_config(str(home)) as instance, children() as started:
        said = under_dagster(place, instance)
        runs = instance.get_runs()
    shown = capfd.readouterr()
    found = sightings(words, said.encode(), "a tick")
    found += sightings(words, (shown.out + shown.err).encode(), "the log")
    found += [hit for each in started for hit in sightings(words, each, "a child's start")]
    found += in_files(words, place.folder, BELONGS) + in_files(words, place.temporary)
    assert found == []
    assert runs or "Error" in said  # something was tried


def test_the_search_finds_what_is_there(place: Place, words: list[str]) -> None:
    """All 50 canaries are in what the test gives, so the search would find them elsewhere."""
    place.export(encrypted=False)
    given = [
        CANARIES.literal,
        CANARIES.wrong_passphrase,
        CANARIES.broken_line,
        CANARIES.key_file,
        CANARIES.ready,
        CANARIES.crash,
    ]
    (place.folder / "other").write_text("\n".join(given))
    found = {each.split(" in ")[0] for each in in_files(words, place.folder)}
    assert found == set(words)
    seen = {each.split(" in ")[0] for each in in_files(words, place.folder, BELONGS)}
    assert seen == set(given)
    with children() as started:
        subprocess.run(["true", CANARIES.crash], check=True)
    assert sightings(words, started[0], "start") == [f"{CANARIES.crash} in start"]
