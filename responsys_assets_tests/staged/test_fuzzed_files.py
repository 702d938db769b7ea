"""Any file: every byte is a staged record, a reject or a blank line, and rejects say where."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

from responsys_assets.lake.exports import Export
from responsys_assets.staged.blocks import read_blocks
from responsys_assets_tests.scorecard import Cases, size
from responsys_assets_tests.staged.conftest import Bench, Staged
from responsys_assets_tests.staged.fuzz import File, Grammar, damage, grammar_of, well_formed

HELD_BY_HEAD = {
    "no_header",
    "missing_column",
    "duplicate_header",
    "wrong_charset",
    "wrong_delimiter",
}


def expected(values: tuple[str, ...] | list[str], file: File) -> tuple[Any, ...]:
    """Values as they are staged."""
    if not file.form.typed:
        return tuple(values)
    last = values[-1].strip()
    return (*values[:-1], int(last) if last else None)


def is_bad_value(values: list[str], file: File) -> bool:
    """Whether a well-formed record has to be rejected."""
    if not any(character.isprintable() and character != " " for character in values[0]):
        return True  # a key that nobody sees
    last = values[-1].strip() if file.form.typed else ""
    digits = last[1:] if last[:1] in ("+", "-") else last
    return bool(last) and not (digits.isascii() and digits.isdigit())


def check_all_is_accounted_for(file: File, staged: Staged) -> None:
    """Rows 16 and 19: between rejects there is nothing but the staged records."""
    form, grammar, content = file.form, grammar_of(file), file.content
    rows = {row["_record"]: row for row in staged.rows}
    newline = grammar.newline
    place, ordinal = file.head, 0
    every = sorted(staged.rejects, key=lambda r: int(r["byte"]))
    for reject in [*every, None]:
        until = len(content) if reject is None else reject["byte"]
        gap = content[place:until].decode(form.codec)
        first_line = 1 + lines_before(content[len(form.mark) : place], grammar)
        for at, values in grammar.records(gap):
            ordinal += 1
            row = rows.pop(ordinal)
            assert tuple(row[name] for name in form.names) == expected(values, file)
            assert row["_source_line"] == first_line + gap.count(newline, 0, at)
        if reject is None:
            break
        ordinal += 1
        assert reject["record"] == ordinal
        assert reject["line"] == 1 + lines_before(content[len(form.mark) : until], grammar)
        place = until + len(reject["raw"])
        assert content[until:place] == reject["raw"]
        check_is_bad(reject["raw"], file, grammar)
        ends = ["\r\n", "\n"] if newline == "\n" else ["\r"]
        for end in (end.encode(form.codec) for end in ends):
            if content.startswith(end, place):
                place += len(end)
                break
        else:
            assert content[place:] in (b"", "\r".encode(form.codec))
            place = len(content)
    assert not rows
    assert {hold["_record"] for hold in staged.holds} == {r["record"] for r in every}
    outcome = staged.outcome
    assert outcome.records == ordinal == outcome.staged + outcome.rejected


def has_other_lines(file: File) -> bool:
    """Whether an LF outside of quotes makes all the CR at line ends a part of values."""
    return file.form.newline == "\r" and grammar_of(file).newline == "\n"


def lines_before(prefix: bytes, grammar: Grammar) -> int:
    return prefix.decode(grammar.form.codec, "replace").count(grammar.newline)


def check_is_bad(raw: bytes, file: File, grammar: Grammar) -> None:
    """A reject is no good record, and none of its later lines is."""
    try:
        text = raw.decode(file.form.codec)
    except UnicodeDecodeError:
        return
    end = "\r\n" if grammar.newline == "\n" else "\r"
    whole = grammar.is_record(text + end)
    assert whole is None or is_bad_value(whole, file)
    if whole is None:
        *lines, last = text.split(grammar.newline)
        later = [line.removesuffix("\r") for line in lines[1:]]  # of CR LF, which ended it
        later += [last] if lines else []
        assert all(grammar.is_record(line + end) is None for line in later)


def check_untouched_records(file: File, staged: Staged) -> None:
    """Row 17: what no edit touched is staged unchanged, in its order.

    Quotes, and line ends of a kind that the file did not have, may change how others are read:
    then an untouched record may be a part of a reject, or of a value.
    """
    rest = iter(staged.data)
    wanted = [expected(record.values, file) for record in file.untouched()]
    if not file.unsettled:
        assert all(any(row == want for row in rest) for want in wanted)
        return
    have = set(staged.data)
    swallowed = b"".join(reject["raw"] for reject in staged.rejects).replace(b'""', b'"')
    swallowed += repr(staged.data).encode()
    form = file.form
    for record, want in zip(file.untouched(), wanted, strict=True):
        key = record.values[0].encode(form.codec)
        assert want in have or key in swallowed or record.values[0].encode() in swallowed


def increment(bench: Bench, file: File) -> Export:
    """The file as an increment, for damage may leave no record of it."""
    said = {"ready_text": str(len(file.records))}
    return bench.arrive(file.content, kind="incremental", ready=said)


def blocks(monkeypatch: pytest.MonkeyPatch, chance: Random) -> None:
    size = chance.choice([8 << 20, 8 << 20, 700, 90])  # the first one has to hold the header
    monkeypatch.setattr(read_blocks, "__defaults__", (size,))


@pytest.mark.scorecard(16, 17, 19)
@pytest.mark.parametrize("share", range(8))
def test_every_record_of_a_damaged_file_is_staged_or_rejected_where_it_is(
    share: int, bench: Bench, cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 16 fails when the splitter's `_restart` also stops at line ends after which no good
    record follows; row 17 when `good_fields` keeps doubled quotes; row 19 when `Intake._move_on`
    does not count line ends inside of quotes, or leaves out the byte order mark."""
    for chance in cases.draw(40, 1250):
        blocks(monkeypatch, chance)
        file = damage(well_formed(chance), chance)
        export = increment(bench, file)
        staged = bench.judge(export, bench.project(**file.form.settings))
        if has_other_lines(file):
            assert staged.outcome.state == "staged" or staged.outcome.reason in HELD_BY_HEAD
        else:
            assert staged.outcome.state == "staged"
            check_all_is_accounted_for(file, staged)
            check_untouched_records(file, staged)
        bench.forget(staged.export)


@pytest.mark.scorecard(16)
@pytest.mark.parametrize("share", range(2))
def test_a_damaged_file_with_another_number_of_records_is_held(
    share: int, bench: Bench, cases: Cases
) -> None:
    """Fails when `judge` does not compare the count of the ready file."""
    for chance in cases.draw(10, 100):
        file = damage(well_formed(chance), chance)
        export = increment(bench, file)
        project = bench.project(**file.form.settings, ready={}, settle=None)
        staged = bench.judge(export, project)
        if has_other_lines(file):
            continue
        equal = staged.outcome.records == len(file.records)
        assert (staged.outcome.reason is None) == equal
        assert equal or (staged.outcome.reason == "count_mismatch" and not staged.rows)
        accepted = bench.judge(bench.decide(staged.export, "accept"), project)
        check_all_is_accounted_for(file, accepted)
        bench.forget(accepted.export)


@pytest.mark.scorecard(16)
def test_a_file_with_any_head_is_staged_or_held_for_a_reason(bench: Bench, cases: Cases) -> None:
    """Fails when `read_header` lets the error of an undecodable name through."""
    for chance in cases.draw(40, 400):
        file = well_formed(chance)
        file.head = len(file.form.mark)
        broken = damage(file, chance)
        staged = bench.stage(broken.content, **file.form.settings, export="incremental")
        outcome = staged.outcome
        assert outcome.state == "staged" or outcome.reason in HELD_BY_HEAD
        assert outcome.records == outcome.staged + outcome.rejected
        bench.forget(staged.export)


@pytest.mark.timeout(900)
@pytest.mark.scorecard(16)
def test_files_that_a_fuzzer_makes_up_are_accounted_for(cases: Cases) -> None:
    """Fails when the splitter's `_restart` also stops at line ends after which no good record
    follows."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm") as folder:
        seed = int(cases.seed.split()[0]) % 2**31
        words = [folder, str(size(5, 600)), str(seed)]
        done = subprocess.run(
            [sys.executable, "-m", "responsys_assets_tests.staged.fuzzer", *words],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
    runs = re.search(r"^Done (\d+) runs", done.stderr, re.MULTILINE)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert runs is not None
    assert [*cases.each(range(int(runs[1])))]


@pytest.mark.scorecard(17)
def test_well_formed_files_of_the_corpus_read_as_python_and_duckdb_read_them(
    bench: Bench, cases: Cases, tmp_path: Path
) -> None:
    """Fails when `good_fields` keeps doubled quotes.

    Both judges get the text in UTF-8 with one kind of line end and quotes, as they know no other.
    duckdb has NULL for empty cells, quoted or not, where text is never NULL here.
    """
    for chance in cases.draw(40, 400):
        file = well_formed(chance)
        form = file.form
        staged = bench.stage(file.content, **form.settings)
        rows = [tuple("" if v is None else str(v) for v in row) for row in staged.data]
        assert rows == [record.values for record in file.records]
        assert not staged.rejects
        bench.forget(staged.export)
        if form.quoted:
            text = file.content[len(form.mark) :].decode(form.codec)
            assert rows == by_python(text, form.separator)
            assert rows == by_duckdb(text, file, tmp_path / "judged.csv")


def by_python(text: str, separator: str) -> list[tuple[str, ...]]:
    lines = io.StringIO(text, newline="")
    return [tuple(row) for row in csv.reader(lines, delimiter=separator, strict=True)][1:]


def by_duckdb(text: str, file: File, path: Path) -> list[tuple[str, ...]]:
    form = file.form
    path.write_bytes(text.encode())
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in form.names)
    found = duckdb.execute(
        f"SELECT * FROM read_csv(?, auto_detect = false, columns = {{{columns}}}, header = true, "
        f"delim = ?, quote = '\"', escape = '\"', strict_mode = true)",
        [str(path), form.separator],
    ).fetchall()
    return [tuple(cell or "" for cell in row) for row in found]
