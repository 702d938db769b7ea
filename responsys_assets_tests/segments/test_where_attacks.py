"""Hostile criteria: refused when read, and harmless if one ever got through."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import duckdb
import polars as pl
import pytest

from responsys_assets.config.criteria import Criteria
from responsys_assets.config.project import Project
from responsys_assets.errors import ResponsysError
from responsys_assets.lake.lake import Lake
from responsys_assets.segments import engine
from responsys_assets.segments.refresh import refresh
from responsys_assets_tests.conftest import MakeProject
from responsys_assets_tests.segments.small_lake import START, person, put_profiles, ticking

SECRET = "planted-secret-4711"  # noqa: S105 - a canary


def attacks(secret: Path) -> list[str]:
    """Expressions that would read, write, connect, configure or run something else."""
    path = str(secret)
    sources = [
        f"read_text('{path}')",
        f"read_blob('{path}')",
        f"read_csv('{path}')",
        f"read_csv_auto('{path}')",
        f"read_json('{path}')",
        f"read_parquet('{path}')",
        f"parquet_scan('{path}')",
        f"sniff_csv('{path}')",
        f"glob('{path}')",
        f"'{path}'",
        f'"{path}"',
        "duckdb_settings()",
        "duckdb_secrets()",
        "duckdb_functions()",
        "pragma_database_list()",
        "information_schema.tables",
        "repeat_row(1, num_rows = 9)",
    ]
    inside = [f"(SELECT count(*) FROM {source}) > 0" for source in sources]
    inside += [f"EXISTS (FROM {source})" for source in sources]
    inside += [f"CITY_ IN (SELECT content FROM {source})" for source in sources]
    inside += [f"{source} IS NOT NULL" for source in sources if source.endswith(")")]
    after = [
        f"COPY (SELECT 1) TO '{path}'",
        f"COPY profiles FROM '{path}'",
        f"ATTACH '{path}'",
        f"EXPORT DATABASE '{path}'",
        f"IMPORT DATABASE '{path}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "RESET ALL",
        "PRAGMA enable_external_access",
        "CREATE TABLE x (y INT)",
        "CREATE MACRO lower(x) AS x",
        "DROP TABLE profiles",
        "CHECKPOINT",
        "CALL pragma_version()",
        "PREPARE p AS SELECT 1",
        "CREATE SECRET s (TYPE s3)",
        "VACUUM",
        "DETACH memory",
        "USE memory",
    ]
    joined = [f"true; {statement}" for statement in after]
    joined += [f"true); {statement}; SELECT (true" for statement in after]
    joined += [f"true) UNION ALL SELECT * FROM {source} --" for source in sources]
    joined += [f"true UNION SELECT 1 FROM {source}" for source in sources]
    joined += [f"true ORDER BY (SELECT 1 FROM {source})" for source in sources]
    joined += [f"true QUALIFY (SELECT 1 FROM {source}) = 1" for source in sources]
    functions = [
        "getenv('HOME')",
        "current_setting('temp_directory')",
        "getvariable('secret')",
        "set_config('x', 'y', false)",
        "query('SELECT 1')",
        "query_table('profiles')",
        "nextval('s')",
        "current_query()",
        "current_database()",
        "version()",
        "txid_current()",
        "pg_read_file('x')",
        "write_log('x')",
        "error('x')",
        "sleep_ms(1000)",
        "gen_random_uuid()",
        "random()",
        "setseed(0.5)",
        "md5_number(CITY_)",
        "parse_path(CITY_)",
        "in_search_path('a', 'b')",
        "json_execute_serialized_sql(CITY_)",
        "list_transform([1], lambda x: x)",
        "apply([1], x -> x)",
        "repeat('x', 1000)",
        "range(1000)",
        "generate_series(1, 1000)",
        "system.main.lower(CITY_)",
        "pg_catalog.lower(CITY_)",
    ]
    inside += [f"{call} = CITY_" for call in functions]
    inside += [f"CITY_ = 'x' OR {call} IS NOT DISTINCT FROM 1" for call in functions]
    inside += [f"CASE WHEN true THEN {call} END" for call in functions]
    return [*inside, *joined]


def test_no_hostile_expression_is_read_as_criteria(tmp_path: Path) -> None:
    corpus = attacks(tmp_path / "secret.csv")
    assert len(set(corpus)) > 250
    accepted = []
    for text in corpus:
        try:
            accepted.append(Criteria.parse(text, {}).text)
        except ValueError:
            continue
    assert accepted == []


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    made = ticking(make_project(segments={"all": {"where": "true", "channel": "none"}}))
    put_profiles(made, [person("a"), person("b")])
    return made


def _with_where(project: Project, text: str) -> Project:
    """The project with a `where` that no check has seen."""
    segment = project.config.segments["all"].model_copy(update={"where": text})
    config = project.config.model_copy(update={"segments": {"all": segment}})
    return ticking(Project(config=config, file=project.file, env={}))


def test_a_refresh_checks_the_criteria_again(project: Project) -> None:
    for text in attacks(project.file.parent / "secret.csv")[::7]:
        with pytest.raises((ResponsysError, ValueError)):
            refresh(_with_where(project, text), Lake(project.lake_path), "all")


def test_an_expression_that_passed_every_check_would_still_read_nothing(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(f"content\n{SECRET}\n")
    before = sorted(tmp_path.rglob("*"))

    def blind(text: str, types: object) -> Criteria:
        return Criteria(text, frozenset(), uses_today=False)

    monkeypatch.setattr(Criteria, "parse", blind)
    monkeypatch.setattr("responsys_assets.segments.bound._kind_of", lambda *_: "BOOLEAN")
    got_through = []
    for number, text in enumerate(attacks(secret)[::4]):
        spoiled = _with_where(project, text)
        spoiled = Project(
            config=spoiled.config,
            file=spoiled.file,
            env={},
            now=partial(START.__add__, dt.timedelta(days=number)),
        )
        try:
            snapshot, _ = refresh(spoiled, Lake(project.lake_path), "all")
        except ResponsysError as error:
            assert SECRET not in str(error)  # noqa: PT017 - most of them fail, some do nothing
            continue
        got_through.append(text)
        for path in snapshot.path.rglob("*"):
            assert path.is_dir() or SECRET.encode() not in path.read_bytes()
    assert secret.read_text() == f"content\n{SECRET}\n"
    assert not [text for text in got_through if str(secret) in text]
    outside = [path for path in sorted(tmp_path.rglob("*")) if "lake" not in path.parts]
    assert outside == [path for path in before if "lake" not in path.parts]


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    allowed = tmp_path / "allowed.csv"
    allowed.write_text("a\n1\n")
    spill = tmp_path / "spill"
    spill.mkdir()
    with engine.locked_down(read=[allowed], spill=spill, zone="UTC") as connection:
        yield connection


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('{secret}')",
        "FROM '{secret}'",
        "SELECT * FROM glob('{folder}/*')",
        "COPY (SELECT 1) TO '{folder}/new.csv'",
        "ATTACH '{folder}/new.db'",
        "EXPORT DATABASE '{folder}/new'",
        "SET enable_external_access = true",
        "SET allowed_paths = ['{secret}']",
        "SET memory_limit = '1TB'",
        "SET temp_directory = '{folder}/t'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM local_frame",
        "SELECT * FROM read_csv('http://127.0.0.1:1/x')",
    ],
)
def test_the_connection_reads_what_it_was_given_and_nothing_else(
    locked: duckdb.DuckDBPyConnection, tmp_path: Path, statement: str
) -> None:
    local_frame = pl.DataFrame({"a": [SECRET]})
    (tmp_path / "secret.csv").write_text(SECRET)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(duckdb.Error):
        locked.execute(statement.format(secret=tmp_path / "secret.csv", folder=tmp_path)).fetchall()
    assert sorted(tmp_path.iterdir()) == before
    assert local_frame.height == 1


def test_a_statement_without_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_TIME_LIMIT_SECONDS", 0.05)
    with (
        engine.locked_down(read=[], spill=tmp_path, zone="UTC") as connection,
        pytest.raises(duckdb.InterruptException),
    ):
        connection.execute("SELECT count(*) FROM range(1000000000000000)").fetchall()


def test_what_does_not_fit_in_memory_is_spilled_and_nothing_of_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_memory_limit", lambda: 48 << 20)
    query = "SELECT hash(range) AS h, repeat('x', 50) AS text FROM range(1000000) ORDER BY h"
    with engine.locked_down(read=[], spill=tmp_path, zone="UTC") as connection:
        rows = sum(batch.num_rows for batch in engine.batches(connection, query, 10_000))
    assert rows == 1_000_000
    # the engine leaves a marker of its own, without data; the workspace removes the folder
    assert not [path for path in tmp_path.iterdir() if "owner" not in path.name]


def test_the_engine_spills_encrypted_into_its_private_folder(tmp_path: Path) -> None:
    with engine.locked_down(read=[], spill=tmp_path, zone="UTC") as connection:
        settings = dict(
            connection.execute(
                "SELECT name, value FROM duckdb_settings() WHERE name IN "
                "('temp_file_encryption', 'temp_directory', 'lock_configuration')"
            ).fetchall()
        )
    assert settings == {
        "temp_file_encryption": "true",
        "temp_directory": str(tmp_path),
        "lock_configuration": "true",
    }
