"""A message is a stream that is good only once its end was judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from responsys_assets.config.project import Project
from responsys_assets.errors import PgpError
from responsys_assets.pgp import decrypting
from responsys_assets.pgp.home import GpgHome
from responsys_assets_tests.conftest import LOCKED_PASSPHRASE, MakeProject, PgpKeys
from responsys_assets_tests.pgp.letters import gpg, pgp_project, refusal, write


@pytest.fixture(scope="module")
def messages(pgp_keys: PgpKeys) -> dict[str, bytes]:
    """A message for each of two keys."""
    with GpgHome() as home:
        for name in ("own", "locked"):
            home.import_file(pgp_keys.public(name))
        return {
            name: gpg(home, "--encrypt", "-z", "0", "--recipient", pgp_keys.fingerprint(name))
            for name in ("own", "locked")
        }


@pytest.fixture
def project(make_project: MakeProject, pgp_keys: PgpKeys) -> Project:
    return pgp_project(make_project, pgp_keys)


@pytest.mark.parametrize(
    ("content", "code"), [(None, "key_missing"), (b"no key", "key_damaged"), ("pub", "key_damaged")]
)
def test_a_key_file_that_is_no_private_key_is_said(
    make_project: MakeProject, pgp_keys: PgpKeys, tmp_path: Path, content: Any, code: str
) -> None:
    key = tmp_path / "some.key"
    if content is not None:
        key.write_bytes(pgp_keys.public("own").read_bytes() if content == "pub" else content)
    project = make_project(keys={"decrypt": {"private_key_file": str(key)}})
    assert refusal(project, write(tmp_path, b"x")) == code


def test_what_was_not_read_is_judged_all_the_same(
    project: Project, messages: dict[str, bytes], tmp_path: Path
) -> None:
    path = write(tmp_path, messages["own"][:-200])
    with decrypting(project, path) as message:
        message.read(10)
        with pytest.raises(PgpError) as caught:
            message.finish()
    assert caught.value.code == "damaged"


def test_reading_to_the_end_without_finish_is_judged_on_leaving(
    project: Project, messages: dict[str, bytes], tmp_path: Path
) -> None:
    path = write(tmp_path, messages["own"] * 2)
    with pytest.raises(PgpError), decrypting(project, path) as message:
        message.read()


def test_leaving_early_stops_gpg(
    project: Project, messages: dict[str, bytes], tmp_path: Path
) -> None:
    path = write(tmp_path, messages["own"])
    with decrypting(project, path) as message:
        message.read(10)
        process = message._gpg.child
        assert process.poll() is None
    assert process.poll() is not None
    with pytest.raises(ValueError, match="left"):
        message.read(1)


def test_the_passphrase_is_in_no_command_line_and_no_environment(
    make_project: MakeProject, pgp_keys: PgpKeys, messages: dict[str, bytes], tmp_path: Path
) -> None:
    project = pgp_project(make_project, pgp_keys, "locked", {"PGP_PASSPHRASE": LOCKED_PASSPHRASE})
    with decrypting(project, write(tmp_path, messages["locked"])) as message:
        message.read(10)
        seen = Path(f"/proc/{message._gpg.child.pid}")
        for file in ("cmdline", "environ"):
            assert LOCKED_PASSPHRASE.encode() not in (seen / file).read_bytes()
