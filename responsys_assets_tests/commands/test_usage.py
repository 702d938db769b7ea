"""What every command does with its options, and with input that is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import responsys_assets
from responsys_assets.commands.main import COMMANDS, cli
from responsys_assets_tests.commands.conftest import Call, Small

PROGRAM = "from responsys_assets.commands.main import main; main()"


def test_the_common_options_stand_before_or_after_the_command(small: Small, call: Call) -> None:
    before = call("--config", small.file, "--json", "status")
    after = call("status", "--config", small.file, "--json")
    assert before.code == after.code == 0
    assert before.json == after.json


def test_the_configuration_is_found_by_option_variable_and_folder(
    small: Small, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("status").code == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert call("status").code == 2
    monkeypatch.setenv("RESPONSYS_CONFIG", str(small.file))
    assert call("status").code == 0
    assert call("status", "--config", "nothing.yaml").code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nothing",),
        ("sync", "--nothing"),
        ("exports",),
        ("exports", "core", "nothing", "x"),
        ("keys", "nothing"),
        ("rejects", "core", "--date", "yesterday"),
        ("demo", "x", "--rows", "1"),
    ],
)
def test_bad_usage_is_2_and_one_sentence(
    small: Small, call: Call, arguments: tuple[str, ...]
) -> None:
    people = call(*arguments)
    assert (people.code, people.out) == (2, "")
    assert people.err.startswith("responsys: ")
    assert people.err.count("\n") == 1
    machine = call(*arguments, "--json")
    assert machine.code == 2
    assert machine.error["code"] == "usage"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(call: Call, command: str) -> None:
    result = call(command, "--help")
    assert result.code == 0
    assert "--config" in result.out
    assert "--json" in result.out
    shown = cli.get_command(None, command)  # type: ignore[arg-type]
    assert shown is not None
    assert shown.name == command


@pytest.mark.parametrize(
    ("command", "known"),
    [
        (("exports", "cor"), "core"),
        (("rejects", "cor"), "core"),
        (("sync", "--list", "cor"), "core"),
        (("plan", "to_partne"), "to_partner"),
        (("apply", "to_partne"), "to_partner"),
        (("path", "staged/cor"), "core"),
        (("path", "segments/rom"), "rome"),
        (("path", "deliveries/x"), "to_partner"),
        (("path", "nothing"), "segments/NAME"),
    ],
)
def test_an_unknown_name_is_2_and_the_known_ones_are_said(
    small: Small, command: tuple[str, ...], known: str
) -> None:
    result = small(*command, "--json")
    assert result.code == 2
    assert known in result.error["message"]


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        ({"segmnts": {}}, "segmnts", "did you mean segments?"),
        (
            {"segments": {"s": {"where": "CITY_ == ", "channel": "none"}}},
            "segments.s.where",
            "does not parse",
        ),
        (
            {"segments": {"s": {"where": "CITY_ IN (SELECT 1)", "channel": "none"}}},
            "segments.s.where",
            "subquery",
        ),
        (
            {"segments": {"s": {"where": "read_text('/etc/passwd') = ''", "channel": "none"}}},
            "segments.s.where",
            "not allowed",
        ),
        (
            {"segments": {"s": {"where": "CITY_ IS NULL", "channel": "none"}}},
            "segments.s.where",
            "CITY_ = ''",
        ),
        ({"lists": {"core": {"server": "nowhere", "files": "x"}}}, "lists.core.server", "nowhere"),
    ],
)
def test_a_bad_configuration_is_2_with_file_line_key_and_what_was_expected(
    small: Small, change: dict[str, Any], key: str, said: str
) -> None:
    small.configure(**change)
    for command in (("sync",), ("status",), ("doctor",)):
        result = small(*command, "--json")
        assert result.code == 2
        error = result.error
        assert error["file"] == str(small.file)
        assert error["line"] > 0
        assert error["key"] == key
        assert said in error["message"]
        people = small(*command)
        assert people.code == 2
        assert f"{small.file}:{error['line']}: {key}: " in people.err


def test_an_unexpected_fault_is_a_sentence_without_its_text(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise KeyError("somebody@example.com")

    monkeypatch.setattr("responsys_assets.commands.status.read_exports", break_down)
    result = small("status", "--json")
    assert result.code == 1
    assert result.error["code"] == "internal"
    assert "somebody" not in result.out
    people = small("status")
    assert people.err.count("\n") == 1
    assert "RESPONSYS_DEBUG=1" in people.err
    assert "somebody" not in people.err
    monkeypatch.setenv("RESPONSYS_DEBUG", "1")
    assert "Traceback" in small("status").err


def program(
    *arguments: str | Path, code: str = PROGRAM, **options: Any
) -> subprocess.CompletedProcess[str]:
    """The command, or other code, as a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(Path(responsys_assets.__file__).parents[1])},
        check=False,
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def test_the_program_ends_with_the_exit_code_and_writes_for_its_user_alone(
    tmp_path: Path,
) -> None:
    assert program("init", "new", cwd=tmp_path, umask=0).returncode == 0
    modes = {path.stat().st_mode & 0o77 for path in (tmp_path / "new").rglob("*")}
    assert modes == {0}
    again = program("init", "new", cwd=tmp_path)
    assert again.returncode == 2
    assert "Traceback" not in again.stderr


def test_a_reader_that_leaves_early_gets_no_traceback(small: Small) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = program("status", "--config", small.file, stdout=writer)
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == ""


def test_commands_that_read_receipts_load_no_engine_and_no_dagster(small: Small) -> None:
    code = (
        "import sys; from responsys_assets.commands.main import run; "
        f"run(['exports', 'core', '--config', {str(small.file)!r}]); "
        "print([m for m in ('dagster', 'polars', 'pyarrow', 'paramiko') if m in sys.modules])"
    )
    done = program(code=code)
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_command_loads_dagster(small: Small) -> None:
    small.export()
    code = (
        "import sys; from responsys_assets.commands.main import run; "
        f"run(['sync', '--config', {str(small.file)!r}]); "
        "print('dagster' in sys.modules)"
    )
    done = program(code=code)
    assert done.stdout.splitlines()[-1] == "False"
