"""Deliveries are encrypted for exactly the recipients, or not at all."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from responsys_assets.config.project import Project
from responsys_assets.errors import LakeError, PgpError
from responsys_assets.pgp import decrypting, encrypting
from responsys_assets.pgp.home import GpgHome
from responsys_assets_tests.conftest import LOCKED_PASSPHRASE, MakeProject, PgpKeys
from responsys_assets_tests.limits import largest_file
from responsys_assets_tests.pgp.letters import CANARY, processes, readable
from responsys_assets_tests.scorecard import Cases

PLAIN = os.urandom(2_000_000)


def sender(make_project: MakeProject, keys: PgpKeys, own: str = "own") -> Project:
    return make_project(
        env={"PGP_PASSPHRASE": LOCKED_PASSPHRASE},
        keys={
            "decrypt": {
                "private_key_file": str(keys.private(own)),
                "passphrase": "${PGP_PASSPHRASE}",
            },
            "recipients": {
                name: {"public_key_file": str(keys.public(name))}
                for name in ("own", "partner", "sender")
            },
        },
    )


def receiver(
    make_project: MakeProject, keys: PgpKeys, name: str, signer: str | None = None
) -> Project:
    return make_project(
        keys={
            "decrypt": {"private_key_file": str(keys.private(name))},
            "signers": [keys.fingerprint(signer)] if signer else [],
            "recipients": {"signer": {"public_key_file": str(keys.public(signer or name))}},
        },
    )


def send(project: Project, target: Path, *recipients: str, sign: bool = False) -> None:
    with encrypting(project, recipients, sign, target) as writer:
        writer.write(PLAIN[:1000])
        writer.write(memoryview(PLAIN)[1000:])


def opened(project: Project, path: Path) -> bytes | None:
    with decrypting(project, path) as message:
        content = message.read()
        message.finish()
    return content


@pytest.mark.parametrize("own", ["own", "locked"])
def test_every_recipient_opens_it_and_sees_who_signed(
    make_project: MakeProject, pgp_keys: PgpKeys, tmp_path: Path, own: str
) -> None:
    target = tmp_path / "out.gpg"
    send(sender(make_project, pgp_keys, own), target, "partner", "sender", sign=True)
    assert target.stat().st_mode & 0o777 == 0o600
    for name in ("partner", "sender"):
        assert opened(receiver(make_project, pgp_keys, name, signer=own), target) == PLAIN
    with pytest.raises(PgpError) as caught:
        opened(receiver(make_project, pgp_keys, "own"), target)
    assert caught.value.code == "wrong_recipient"


def test_without_sign_there_is_no_signature(
    make_project: MakeProject, pgp_keys: PgpKeys, tmp_path: Path
) -> None:
    target = tmp_path / "out.gpg"
    send(sender(make_project, pgp_keys), target, "partner", "partner")
    assert opened(receiver(make_project, pgp_keys, "partner"), target) == PLAIN
    with pytest.raises(PgpError) as caught:
        opened(receiver(make_project, pgp_keys, "partner", signer="own"), target)
    assert caught.value.code == "unsigned"


def _named(path: Path) -> set[str]:
    """The key ids that the packets of a message name."""
    listing = subprocess.run(
        ["gpg", "--list-only", "--list-packets", str(path)], capture_output=True, check=True
    ).stdout.decode()
    return set(re.findall(r"keyid ([0-9A-F]{16})", listing))


@pytest.mark.scorecard(35)
@pytest.mark.parametrize("sign", [True, False])
@pytest.mark.parametrize("to", [["partner"], ["partner", "sender"], ["partner", "own", "sender"]])
def test_a_file_is_for_the_recipients_of_the_configuration_and_for_nobody_else(
    make_project: MakeProject, pgp_keys: PgpKeys, tmp_path: Path, to: list[str], sign: bool
) -> None:
    """Fails when `encrypting` leaves a recipient out: `_check_recipients` sees it."""
    target = tmp_path / "out.gpg"
    send(sender(make_project, pgp_keys), target, *to, sign=sign)
    for name in ("partner", "own", "sender"):
        with GpgHome() as home:
            (key,) = home.import_file(pgp_keys.public(name))
        assert bool(key.key_ids & _named(target)) == (name in to)
        project = receiver(make_project, pgp_keys, name, signer="own" if sign else None)
        if name in to:
            assert opened(project, target) == PLAIN
        else:
            with pytest.raises(PgpError):
                opened(project, target)
    assert len(_named(target)) == len(to)


def _send_pieces(project: Project, target: Path, pieces: Iterable[bytes]) -> None:
    with encrypting(project, ["partner"], True, target) as out:
        for piece in pieces:
            out.write(piece)


class _OwnError(Exception):
    pass


@pytest.mark.scorecard(35)
@pytest.mark.parametrize("way", ["we fail", "gpg is killed", "the disk is full"])
def test_a_file_that_is_not_finished_is_not_there(
    make_project: MakeProject,
    pgp_keys: PgpKeys,
    tmp_path: Path,
    private_tmp: Path,
    cases: Cases,
    way: str,
) -> None:
    """Fails when `encrypting` does not remove its target after an error."""
    target = tmp_path / "out.gpg"
    project = sender(make_project, pgp_keys)
    line = b"1,%b\n" % CANARY * 1000
    for dice in cases.draw(5, 20):
        at = dice.randrange(1, 60)

        def pieces(at: int = at) -> Iterator[bytes]:
            yield from itertools.repeat(line, at)
            if way == "we fail":
                raise _OwnError
            if way == "gpg is killed":
                for pid in processes(str(private_tmp), "--status-fd"):
                    os.kill(pid, signal.SIGKILL)
            yield from itertools.repeat(line, 60 - at)

        # above what the files in gpg's home need
        limit = largest_file(40_000 + at * 10_000) if way == "the disk is full" else _nothing()
        with (
            pytest.raises((PgpError, LakeError, _OwnError)),
            limit,
        ):
            _send_pieces(project, target, pieces())
        assert not target.exists()
        assert not readable(tmp_path, private_tmp)


@contextlib.contextmanager
def _nothing() -> Iterator[None]:
    yield


def test_an_error_while_writing_leaves_no_file(
    make_project: MakeProject, pgp_keys: PgpKeys, tmp_path: Path
) -> None:
    target = tmp_path / "out.gpg"
    project = sender(make_project, pgp_keys)
    with pytest.raises(TypeError), encrypting(project, ["partner"], False, target) as out:
        out.write("text" if out.write(PLAIN) else b"")  # type: ignore[arg-type]
    assert not target.exists()


def test_a_file_that_is_there_is_not_written_over(
    make_project: MakeProject, pgp_keys: PgpKeys, tmp_path: Path
) -> None:
    target = tmp_path / "out.gpg"
    target.write_text("mine")
    with pytest.raises(LakeError):
        send(sender(make_project, pgp_keys), target, "partner")
    assert target.read_text() == "mine"


def expired_key(folder: Path) -> Path:
    with GpgHome() as home:
        subprocess.run(
            [
                "gpg",
                "--homedir",
                str(home.path),
                "--batch",
                "--passphrase",
                "",
                "--faked-system-time",
                "20250101T000000!",
                "--quick-gen-key",
                "old@example.com",
                "rsa2048",
                "encr",
                "1m",
            ],
            check=True,
            capture_output=True,
        )
        path = folder / "expired.asc"
        path.write_text(home.public_armour(home.list_keys()[0].fingerprint))
    return path


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("missing", "key_missing"),
        ("text", "key_damaged"),
        ("expired", "key_unusable"),
        ("two", "key_ambiguous"),
    ],
)
def test_a_recipient_without_a_usable_key_gets_nothing(
    make_project: MakeProject, pgp_keys: PgpKeys, tmp_path: Path, kind: str, code: str
) -> None:
    key = tmp_path / "key.asc"
    if kind == "text":
        key.write_text("no key")
    elif kind == "expired":
        key = expired_key(tmp_path)
    elif kind == "two":
        key.write_text(pgp_keys.public("own").read_text() + pgp_keys.public("sender").read_text())
    project = make_project(keys={"recipients": {"partner": {"public_key_file": str(key)}}})
    target = tmp_path / "out.gpg"
    with pytest.raises(PgpError) as caught:
        send(project, target, "partner")
    assert caught.value.code == code
    assert not target.exists()


def test_a_wrong_passphrase_cannot_sign(
    make_project: MakeProject, pgp_keys: PgpKeys, tmp_path: Path
) -> None:
    project = make_project(
        env={"PGP_PASSPHRASE": "wrong"},
        keys={
            "decrypt": {
                "private_key_file": str(pgp_keys.private("locked")),
                "passphrase": "${PGP_PASSPHRASE}",
            },
            "recipients": {"partner": {"public_key_file": str(pgp_keys.public("partner"))}},
        },
    )
    target = tmp_path / "out.gpg"
    with pytest.raises(PgpError) as caught:
        send(project, target, "partner", sign=True)
    assert caught.value.code == "wrong_passphrase"
    assert not target.exists()


def test_nothing_stays_in_the_temporary_folder(
    make_project: MakeProject, pgp_keys: PgpKeys, tmp_path: Path, private_tmp: Path
) -> None:
    send(sender(make_project, pgp_keys), tmp_path / "out.gpg", "partner", sign=True)
    assert list(private_tmp.iterdir()) == []
