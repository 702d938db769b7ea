"""The lists of a sync are fetched one after the other while those before them are staged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from responsys_assets import ingest as ingests
from responsys_assets.config.project import Project
from responsys_assets.errors import LakeError, ResponsysError
from responsys_assets.ingest import ingest
from responsys_assets.lake.lake import Lake
from responsys_assets.progress import Advance, Progress, Stoppable, Unit
from responsys_assets.threads import ahead
from responsys_assets_tests.conftest import MakeProject

LISTS = ["core", "web"]
RECORDS = "".join(f"{number}\n" for number in range(500_000))  # several blocks of a file
PATIENCE = 5.0


class Watching(Progress):
    """Says when steps have begun, and does something as they go on."""

    def __init__(self) -> None:
        self.fetching_web = threading.Event()
        self.staging_core = threading.Event()
        self.do: dict[threading.Event, Callable[[], object]] = {}

    @contextmanager
    def step(self, label: str, total: int | None = None, unit: Unit = "bytes") -> Iterator[Advance]:
        begun = threading.Event()
        if label.startswith("fetching WEB"):
            begun = self.fetching_web
        elif label.startswith("staging core"):
            begun = self.staging_core
        begun.set()

        def advance(_: int) -> None:
            self.do.get(begun, lambda: None)()

        yield advance


@pytest.fixture
def project(make_project: MakeProject, tmp_path: Path) -> Project:
    project = make_project(
        lists={
            name: {
                "server": "files",
                "files": f"{name.upper()}_{{YYYYMMDD}}.csv",
            }
            for name in LISTS
        }
    )
    for name in LISTS:
        file = tmp_path / "files" / f"{name.upper()}_20260309.csv"
        file.write_text(f"CUSTOMER_ID_\n{RECORDS}")
        file.with_name(f"{file.name}.ready").write_text("500000")
    return project


def fetched(project: Project) -> set[str]:
    return {path.name for path in project.lake_path.glob("exported/*/*/*/*.csv")}


def test_a_list_is_fetched_while_the_one_before_it_is_staged(project: Project) -> None:
    """Fails when all lists are fetched first."""
    watching = Watching()
    together: list[bool] = []
    watching.do[watching.fetching_web] = lambda: together.append(
        watching.staging_core.wait(PATIENCE)
    )
    reports = ingest(project, Lake(project.lake_path), LISTS, watching)
    assert together
    assert all(together)
    assert {report.exports[0].state for report in reports.values()} == {"staged"}


def failing(watching: Watching, error: BaseException) -> Callable[[], None]:
    """Staging that fails once the next list is being fetched."""

    def fail() -> None:
        assert watching.fetching_web.wait(PATIENCE)
        raise error

    return fail


@pytest.fixture
def turn(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once the fetch beside the staging was stopped, or is waited for."""
    turn = threading.Event()
    stop = Stoppable.stop

    def stopping(it: Stoppable) -> None:
        stop(it)
        turn.set()

    def asking(items: Generator[object], depth: int) -> Iterator[object]:
        with closing(ahead(items, depth)) as made:
            for each in made:
                yield each
                turn.set()

    monkeypatch.setattr(Stoppable, "stop", stopping)
    monkeypatch.setattr(ingests, "ahead", asking)
    return turn


def test_who_stops_a_sync_stops_the_fetch_beside_it(
    project: Project, turn: threading.Event
) -> None:
    """Fails when a `Stoppable` goes on: then the fetch goes on to its end."""
    watching = Watching()
    watching.do[watching.staging_core] = failing(watching, KeyboardInterrupt())
    watching.do[watching.fetching_web] = lambda: turn.wait(PATIENCE)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        ingest(project, Lake(project.lake_path), LISTS, watching)
    assert threading.active_count() == before
    assert fetched(project) == {"CORE_20260309.csv"}
    assert not (project.lake_path / "tmp").exists()
    reports = ingest(project, Lake(project.lake_path), LISTS)
    assert {report.exports[0].state for report in reports.values()} == {"staged"}


def test_after_an_error_of_staging_all_is_fetched_nevertheless(
    project: Project, turn: threading.Event
) -> None:
    """Fails when `_fetched` stops for every error."""
    watching = Watching()
    watching.do[watching.staging_core] = failing(watching, LakeError("mine", "mine"))
    watching.do[watching.fetching_web] = lambda: turn.wait(PATIENCE)
    with pytest.raises(LakeError, match="mine"):
        ingest(project, Lake(project.lake_path), LISTS, watching)
    assert fetched(project) == {"CORE_20260309.csv", "WEB_20260309.csv"}


def test_a_list_that_cannot_be_staged_keeps_no_other_from_it(
    project: Project, turn: threading.Event
) -> None:
    watching = Watching()
    watching.do[watching.staging_core] = failing(watching, ResponsysError("mine", "mine"))
    reports = ingest(project, Lake(project.lake_path), LISTS, watching)
    assert [report.failure and report.failure.code for report in reports.values()] == ["mine", None]
    assert [export.state for export in reports["web"].exports] == ["staged"]
