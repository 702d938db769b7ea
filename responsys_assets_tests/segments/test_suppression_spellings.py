"""Suppression files as people make them: who is meant, and what stops the segments."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from responsys_assets.config.models import Suppression
from responsys_assets.config.project import Project
from responsys_assets.errors import ExitCode, ResponsysError
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import SnapshotStore
from responsys_assets.normalise import normalise
from responsys_assets.normalise.entries import understand
from responsys_assets.segments.refresh import refresh
from responsys_assets.segments.suppressions import check_suppressions, read_suppressions
from responsys_assets_tests.conftest import MakeProject
from responsys_assets_tests.scorecard import examples
from responsys_assets_tests.segments.small_lake import keys_of, person, put_profiles, ticking

MD5 = hashlib.md5(b"ann@example.com").hexdigest()  # noqa: S324 - what the vendor has
SHA256 = hashlib.sha256(b"ann@example.com").hexdigest()


def a_project(make_project: MakeProject, column: str, content: str | bytes) -> Project:
    """With people `ann`, `bob` and `eve`, and one suppression file."""
    project = ticking(
        make_project(
            account={"name": "acme", "timezone": "Europe/London", "country": "GB"},
            segments={"all": {"where": "true", "channel": "none"}},
            suppressions=[{"file": "s.csv", "column": column}],
        )
    )
    mobile = {"ann": "447400123456", "bob": "447400123457", "eve": "447400123458"}
    people = [
        person(
            name,
            EMAIL_ADDRESS_=f"{name}@{'other' if name == 'eve' else 'example'}.com",
            EMAIL_MD5_HASH_=MD5 if name == "ann" else name,
            MOBILE_NUMBER_=number,
            POSTAL_STREET_1_=f"1 {name} St, Flat 2",
        )
        for name, number in mobile.items()
    ]
    put_profiles(project, people)
    write(project, content)
    return project


def write(project: Project, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    (project.file.parent / "s.csv").write_bytes(data)


def suppressed(project: Project) -> list[str]:
    return sorted({"ann", "bob", "eve"} - set(keys_of(project)))


@pytest.mark.scorecard(23)
@pytest.mark.parametrize(
    ("rows", "out"),
    [
        ("Ann <ann@example.com>", ["ann"]),
        ('"Smith, Ann <ann@example.com>"', ["ann"]),
        ("<ann@example.com>", ["ann"]),
        ("mailto:ann@example.com", ["ann"]),
        ("mailto:ann@example.com?subject=stop", ["ann"]),
        ('"ann@example.com,bob@example.com"', ["ann", "bob"]),
        ("ann@example.com,bob@example.com", ["ann", "bob"]),
        ("ann@example.com;bob@example.com", ["ann", "bob"]),
        ("ann@example.com bob@example.com", ["ann", "bob"]),
        ("ann@example.com / bob@example.com", ["ann", "bob"]),
        ("ann@example.com/bob@example.com", ["ann", "bob"]),
        ('"ann@example.com\nbob@example.com"', ["ann", "bob"]),
        ("ann@example.com\n\ufeffEMAIL_ADDRESS_\nbob@example.com", ["ann", "bob"]),
        ("ann@example.com\ufeffEMAIL_ADDRESS_\nbob@example.com", ["ann", "bob"]),
        ("ann@example.com\n\ufeffbob@example.com", ["ann", "bob"]),
        ("ann@example.com\nEMAIL_ADDRESS_\nbob@example.com", ["ann", "bob"]),
        ("ann@example.com\n'EMAIL_ADDRESS_'\nbob@example.com", ["ann", "bob"]),
        ("ann@example.com;left the company", ["ann"]),
        ("ann@example.com\tleft the company", ["ann"]),
        ("ann@example.com,left the company", ["ann"]),
        ("'ann@example.com'", ["ann"]),
        ("'ann@example.com", ["ann"]),
        ("ann@example.com (at work)", ["ann"]),
        ("@example.com", ["ann", "bob"]),
        ("*@example.com", ["ann", "bob"]),
        ("@EXAMPLE．com.", ["ann", "bob"]),
        (MD5, ["ann"]),
        (MD5.upper(), ["ann"]),
        (SHA256, ["ann"]),
        (f"'{SHA256}';ann", ["ann"]),
        ("a\u200bnn@example.com\u00a0", ["ann"]),
        ("ann@example.com.", ["ann"]),
        ("ANN＠EXAMPLE.COM", ["ann"]),
    ],
)
def test_an_address_is_suppressed_however_it_is_written(
    make_project: MakeProject, rows: str, out: Sequence[str]
) -> None:
    project = a_project(make_project, "EMAIL_ADDRESS_", f"EMAIL_ADDRESS_\n{rows}\n")
    assert suppressed(project) == out


@pytest.mark.parametrize(
    ("column", "rows", "out"),
    [
        ("MOBILE_NUMBER_", "07400 123456", ["ann"]),
        ("MOBILE_NUMBER_", "+44 (0)7400 123456 ext. 3;07400123457", ["ann", "bob"]),
        ("MOBILE_NUMBER_", "447400123456 447400123457", ["ann", "bob"]),
        ("MOBILE_NUMBER_", "447400123456.0;left in 2026", ["ann"]),
        ("EMAIL_MD5_HASH_", f" {MD5.upper()};gone", ["ann"]),
        ("CUSTOMER_ID_", "'ann'\nbob;left", ["ann", "bob"]),
        ("CUSTOMER_ID_", "ann,bob", ["ann", "bob"]),
        ("CUSTOMER_ID_", "\ufeffCUSTOMER_ID_\nann", ["ann"]),
        ("POSTAL_STREET_1_", "1 ANN St, Flat 2;moved", ["ann"]),
    ],
)
def test_other_columns_are_as_patient(
    make_project: MakeProject, column: str, rows: str, out: Sequence[str]
) -> None:
    project = a_project(make_project, column, f"{column}\n{rows}\n")
    assert suppressed(project) == out


def test_a_domain_is_meant_only_by_an_entry_of_its_own(make_project: MakeProject) -> None:
    rows = ["x@y@example.com", "ann smith @example.com", "a@sub.example.com", "@ample.com"]
    rows += [f"x{number}@y.com" for number in range(20)]
    content = "\n".join(["EMAIL_ADDRESS_", *rows])
    assert suppressed(a_project(make_project, "EMAIL_ADDRESS_", content)) == []


@pytest.mark.parametrize(
    ("column", "entry", "line"),
    [
        ("EMAIL_ADDRESS_", "canary", 4),
        ("EMAIL_ADDRESS_", "canary@", 4),
        ("EMAIL_ADDRESS_", "@", 4),
        ("EMAIL_ADDRESS_", "447400123456", 4),
        ("MOBILE_NUMBER_", "canary@example.com", 4),
        ("MOBILE_NUMBER_", "4.474E+11", 4),
        ("EMAIL_MD5_HASH_", SHA256, 4),
    ],
)
def test_entries_that_cannot_be_what_their_column_says_stop_the_segments_above_a_share(
    make_project: MakeProject, column: str, entry: str, line: int
) -> None:
    good = {"EMAIL_ADDRESS_": "x@y.com", "MOBILE_NUMBER_": "447400000000", "EMAIL_MD5_HASH_": MD5}
    rows = [column, good[column], "", entry]
    project = a_project(make_project, column, "\n".join(rows))
    with pytest.raises(ResponsysError) as caught:
        refresh(project, Lake(project.lake_path), "all")
    error = caught.value
    assert (error.code, error.line) == ("suppression_not_understood", line)
    assert f"1 of 2 entries are no {column} (line {line})" in error.message
    assert entry not in str(error)
    assert error.exit_code == ExitCode.FAILED
    write(project, "\n".join([*rows, *[good[column]] * 18]))  # 5 %
    keys_of(project)
    snapshot = SnapshotStore(Lake(project.lake_path).segment("all")).current()
    assert snapshot is not None
    (said,) = snapshot.manifest["inputs"]["suppressions"]
    assert (said["entries"], said["unreadable"]) == (20, 1)
    (said,) = check_suppressions(project)[1].values()
    assert f"1 of 20 entries are no {column} (line {line})" in said


def test_a_file_of_which_nothing_is_understood_stops_the_segments(
    make_project: MakeProject,
) -> None:
    project = a_project(make_project, "EMAIL_ADDRESS_", "EMAIL_ADDRESS_\ncanary\n")
    with pytest.raises(ResponsysError, match=r"1 of 1 entries are no EMAIL_ADDRESS_ \(line 2\)"):
        keys_of(project)


def allowing(project: Project, least: int) -> Project:
    entry = Suppression(file="s.csv", column="EMAIL_ADDRESS_", min_entries=least)
    return changed(project, suppressions=(entry,))


@pytest.mark.parametrize("kept", [0, 4])
def test_a_file_that_lost_most_of_its_entries_stops_the_segments_until_a_person_allows_it(
    make_project: MakeProject, kept: int
) -> None:
    entries = [f"x{number}@y.com" for number in range(9)]

    def content(*rows: str) -> str:
        return "\n".join(["EMAIL_ADDRESS_", *rows]) + "\n"

    project = a_project(make_project, "EMAIL_ADDRESS_", content("ann@example.com", *entries))
    assert suppressed(project) == ["ann"]
    write(project, content(*entries[:kept]))
    with pytest.raises(ResponsysError) as caught:
        keys_of(project)
    assert caught.value.code == "suppression_shrunk"
    assert f"has {kept} entries, and had 10" in caught.value.message
    assert f"min_entries: {kept}" in caught.value.message
    with pytest.raises(ResponsysError, match="had 10"):
        check_suppressions(project)
    with pytest.raises(ResponsysError, match="less than its min_entries"):
        keys_of(allowing(project, kept + 1))
    assert keys_of(allowing(project, kept)) == ["ann", "bob", "eve"]
    assert keys_of(project) == ["ann", "bob", "eve"]  # once is enough


def test_half_of_the_entries_may_go(make_project: MakeProject) -> None:
    project = a_project(make_project, "EMAIL_ADDRESS_", "EMAIL_ADDRESS_\nann@example.com\nx@y.com")
    assert suppressed(project) == ["ann"]
    write(project, "EMAIL_ADDRESS_\nx@y.com\n")
    assert suppressed(project) == []


def test_a_new_segment_is_stopped_too(make_project: MakeProject) -> None:
    project = a_project(make_project, "EMAIL_ADDRESS_", "EMAIL_ADDRESS_\na@b.com\nx@y.com\n")
    keys_of(project)
    more: dict[str, Any] = {**project.config.segments, "new": project.config.segments["all"]}
    project = changed(project, segments=more)
    write(project, "EMAIL_ADDRESS_\n")
    with pytest.raises(ResponsysError, match="had 2"):
        keys_of(project, "new")


def changed(project: Project, **keys: object) -> Project:
    return replace(project, config=project.config.model_copy(update=keys))


def test_another_country_makes_everything_anew(make_project: MakeProject) -> None:
    project = a_project(make_project, "MOBILE_NUMBER_", "MOBILE_NUMBER_\n07400 123456\n")
    assert suppressed(project) == ["ann"]
    french = changed(project, account=project.config.account.model_copy(update={"country": "FR"}))
    assert suppressed(french) == []
    inputs = [read_suppressions(each)[0].as_input() for each in (project, french)]
    assert inputs[0] != inputs[1]
    lake = Lake(project.lake_path)
    assert refresh(changed(project, suppressions=()), lake, "all")[1]
    assert refresh(changed(french, suppressions=()), lake, "all")[1]


def test_a_second_file_may_begin_with_quotes_behind_its_byte_order_mark(
    make_project: MakeProject,
) -> None:
    first, second = "NAME,EMAIL_ADDRESS_\nEve,x@y.com\n", '\ufeff"Smith, Ann",ann@example.com\n'
    project = a_project(make_project, "EMAIL_ADDRESS_", first + second)
    assert suppressed(project) == ["ann"]


@pytest.mark.scorecard(23)
@examples(100, 2000)
@given(st.text(), st.sampled_from(["EMAIL_ADDRESS_", "MOBILE_NUMBER_", "CUSTOMER_ID_"]))
def test_any_entry_stands_at_least_for_what_the_same_text_in_a_profile_is(
    text: str, column: str
) -> None:
    normal = normalise(pl.Series([text], dtype=pl.String), column, "GB")[0]
    found = understand([1], [text], column, "GB")
    assert normal == "" or normal in found.values


def test_a_file_is_read_once_for_all_segments(make_project: MakeProject) -> None:
    project = a_project(make_project, "EMAIL_ADDRESS_", "EMAIL_ADDRESS_\nann@example.com\n")
    first, again = read_suppressions(project), read_suppressions(project)
    assert first[0].entries is again[0].entries
    write(project, "EMAIL_ADDRESS_\nbob@example.com\n")
    assert suppressed(project) == ["bob"]
