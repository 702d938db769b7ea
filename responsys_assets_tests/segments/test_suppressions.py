"""Suppression files: whom they keep out, and that a bad one stops every segment."""

from __future__ import annotations

from pathlib import Path

import pytest

from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError, ExitCode, ResponsysError
from responsys_assets.lake.lake import Lake
from responsys_assets.segments.refresh import refresh
from responsys_assets_tests.conftest import MakeProject
from responsys_assets_tests.segments.small_lake import keys_of, person, put_profiles, ticking

PEOPLE = [
    person("a"),
    person("b", EMAIL_ADDRESS_=" B@Example.com "),
    person("c", EMAIL_ADDRESS_=""),
    person("d", EMAIL_ADDRESS_="josé@example.com"),
]


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    made = ticking(
        make_project(
            segments={
                "all": {"where": "true", "channel": "none"},
                "other": {"where": "CITY_ = 'Oslo'", "channel": "none"},
            },
            suppressions=[{"file": "s.csv", "column": "EMAIL_ADDRESS_"}],
        )
    )
    put_profiles(made, PEOPLE)
    return made


@pytest.mark.parametrize(
    ("content", "left"),
    [
        ("EMAIL_ADDRESS_\n", "abcd"),
        ("EMAIL_ADDRESS_\nA@example.com\nb@example.COM\n", "cd"),
        ("EMAIL_ADDRESS_\r\na@example.com\r\n", "bcd"),
        ("\ufeffEMAIL_ADDRESS_\n\n a@example.com \n", "bcd"),
        ('NAME,EMAIL_ADDRESS_\n"x, ""y""\n",a@example.com\n', "bcd"),
        ('EMAIL_ADDRESS_,NAME\n"",x\n', "abcd"),  # an empty value is nobody's
        ("EMAIL_ADDRESS_\njose\u0301@example.com\n", "abc"),
        ("EMAIL_ADDRESS_\nnobody@example.com", "abcd"),
    ],
)
def test_who_is_in_the_file_is_in_no_segment(project: Project, content: str, left: str) -> None:
    (project.file.parent / "s.csv").write_bytes(content.encode())
    assert keys_of(project) == list(left)


def test_a_suppression_is_an_input_by_its_content(project: Project) -> None:
    path = project.file.parent / "s.csv"
    path.write_text("EMAIL_ADDRESS_\n")
    lake = Lake(project.lake_path)
    assert refresh(project, lake, "all")[1]
    path.write_text("EMAIL_ADDRESS_\n")
    assert not refresh(project, lake, "all")[1]
    path.write_text("EMAIL_ADDRESS_\na@example.com\n")
    assert refresh(project, lake, "all")[1]


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (None, "suppression_missing", None),
        (b"", "suppression_damaged", 1),
        (b"canary@example.com\na@example.com\n", "suppression_damaged", 1),
        (b"EMAIL\ncanary@example.com\n", "suppression_damaged", 1),
        (b"EMAIL_ADDRESS_,EMAIL_ADDRESS_\ncanary,canary\n", "suppression_damaged", 1),
        (b"EMAIL_ADDRESS_;NAME\ncanary;canary\n", "suppression_damaged", 1),
        (b"EMAIL_ADDRESS_,NAME\nx,y\ncanary\n", "suppression_damaged", 3),
        (b'EMAIL_ADDRESS_\n"canary\n', "suppression_damaged", 2),
        (b'EMAIL_ADDRESS_\n"can"ary\n', "suppression_damaged", 2),
        (b"EMAIL_ADDRESS_\ncanary\xff\n", "suppression_damaged", None),
    ],
)
def test_a_file_that_cannot_be_trusted_stops_every_segment_and_is_not_quoted(
    project: Project, content: bytes | None, code: str, line: int | None
) -> None:
    path = project.file.parent / "s.csv"
    if content is not None:
        path.write_bytes(content)
    for name in project.config.segments:
        with pytest.raises(ResponsysError) as caught:
            refresh(project, Lake(project.lake_path), name)
        error = caught.value
        assert (error.code, error.file, error.line) == (code, str(path), line)
        assert error.exit_code == ExitCode.FAILED
        assert "canary" not in str(error)


def test_a_folder_in_place_of_the_file_stops_every_segment(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "s.csv").mkdir()
    with pytest.raises(ResponsysError, match="cannot be read"):
        refresh(project, Lake(project.lake_path), "all")


@pytest.mark.parametrize("column", ["EMAIL_ADRESS_", "POINTS"])
def test_a_column_that_could_suppress_nobody_is_a_configuration_error(
    make_project: MakeProject, column: str
) -> None:
    project = ticking(
        make_project(
            segments={"all": {"where": "true", "channel": "none"}},
            suppressions=[{"file": "s.csv", "column": column}],
        )
    )
    put_profiles(project, PEOPLE)
    (project.file.parent / "s.csv").write_text(f"{column}\n1\n")
    with pytest.raises(ConfigError, match=column) as caught:
        refresh(project, Lake(project.lake_path), "all")
    assert caught.value.key == "suppressions.0.column"


def test_several_files_add_up(make_project: MakeProject) -> None:
    project = ticking(
        make_project(
            segments={"all": {"where": "true", "channel": "none"}},
            suppressions=[
                {"file": "s.csv", "column": "EMAIL_ADDRESS_"},
                {"file": "t.csv", "column": "CUSTOMER_ID_"},
                {"file": "u.csv", "column": "EMAIL_ADDRESS_"},
            ],
        )
    )
    put_profiles(project, PEOPLE)
    folder = project.file.parent
    (folder / "s.csv").write_text("EMAIL_ADDRESS_\na@example.com\n")
    (folder / "t.csv").write_text("CUSTOMER_ID_\nc\n")
    (folder / "u.csv").write_text("EMAIL_ADDRESS_\nb@example.com\n")
    assert keys_of(project) == ["d"]
