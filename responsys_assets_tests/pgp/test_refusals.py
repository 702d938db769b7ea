"""What is not one whole message, encrypted with integrity and for us, is refused, and says why."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from responsys_assets.config.project import Project
from responsys_assets.errors import PgpError
from responsys_assets.pgp.decrypt import Keyring, keyring
from responsys_assets.pgp.home import GpgHome
from responsys_assets_tests.conftest import LOCKED_PASSPHRASE, MakeProject, PgpKeys
from responsys_assets_tests.pgp.letters import (
    PLAIN,
    gpg,
    literal,
    opened,
    packet,
    pgp_project,
    refusal,
    write,
)

WITHOUT_INTEGRITY = ("--rfc2440", "--disable-mdc", "--cipher-algo", "3DES")
SMALL = PLAIN[:4000]


@pytest.fixture(scope="module")
def messages(pgp_keys: PgpKeys) -> dict[str, bytes]:
    """Messages of many kinds, by name."""
    to, own = "--recipient", pgp_keys.fingerprint("own")
    to_own = ("-z", "0", "--encrypt", to, own)
    with GpgHome() as home:
        for name in ("own", "partner", "sender", "locked"):
            home.import_file(pgp_keys.private(name), secret=True)
        by = {name: pgp_keys.fingerprint(name) for name in pgp_keys.pairs}
        signed = ("--sign", "--local-user", by["sender"])
        passphrase = ("--pinentry-mode", "loopback", "--passphrase")
        sealed = gpg(home, *to_own)
        armoured = gpg(home, "--armor", *to_own)

        def packed(content: bytes) -> bytes:
            """A message with packets of our own making inside."""
            return gpg(home, "--no-literal", *to_own, data=content)

        return {
            "sealed": sealed,
            "armoured": armoured,
            "armoured with text before": b"Dear friends,\n\n" + armoured,
            "packed": gpg(home, "--encrypt", to, own),
            "signed by somebody": gpg(home, "--encrypt", *signed, to, own),
            "for two": gpg(home, "--encrypt", to, own, to, by["partner"]),
            "for nobody named": gpg(home, "--throw-keyids", *to_own),
            "empty inside": gpg(home, *to_own, data=b""),
            "for partner": gpg(home, "--encrypt", to, by["partner"]),
            "for partner, unnamed": gpg(home, "--throw-keyids", "--encrypt", to, by["partner"]),
            "for locked": gpg(home, *to_own[:-1], by["locked"]),
            "without integrity": gpg(home, *WITHOUT_INTEGRITY, "--encrypt", to, own),
            "integrity taken off": _without_mdc(gpg(home, *to_own, data=SMALL)),
            "for a passphrase": gpg(home, *passphrase, "secret", "--symmetric"),
            "for our passphrase": gpg(home, *passphrase, LOCKED_PASSPHRASE, "--symmetric"),
            "not encrypted": gpg(home, *signed),
            "signed as text": gpg(home, "--clear-sign", "--local-user", by["sender"], data=SMALL),
            "only packed": packet(8, b"\1" + zlib.compress(literal(PLAIN))[2:-4]),
            "joined": sealed + sealed,
            "joined to a bad one": sealed + gpg(home, *WITHOUT_INTEGRITY, "--encrypt", to, own),
            "joined and armoured": armoured + armoured,
            "two inside": packed(literal(SMALL) + literal(b"9,x\n")),
            "nothing inside": packed(packet(10, b"PGP")),
            "encrypted twice": packed(sealed),
            "with a passphrase inside": packed(gpg(home, *passphrase, "secret", "--symmetric")),
            "with junk after": sealed + b"junk",
            "with zeros after": sealed + bytes(512),
            "with text inside": packed(PLAIN),
            "a key": pgp_keys.private("own").read_bytes(),
            "text": PLAIN,
            "nothing": b"",
            "zeros": bytes(1000),
        }


def _without_mdc(message: bytes) -> bytes:
    """The attack of EFAIL: the packet with integrity becomes one without (RFC 4880, 5.7)."""
    at = 3 + int.from_bytes(message[1:3], "big")  # after the packet with the session key
    assert (message[0], message[at]) == (0x85, 0xD2)
    first = message[at + 1]
    length, begin = (first, at + 2) if first < 192 else (0, at + 3)
    if first >= 192:
        length = ((first - 192) << 8) + message[at + 2] + 192
    body = message[begin : begin + length]
    return message[:at] + packet(9, body[1:])


@pytest.fixture
def project(make_project: MakeProject, pgp_keys: PgpKeys) -> Project:
    return pgp_project(make_project, pgp_keys)


@pytest.mark.parametrize(
    "name",
    [
        "sealed",
        "armoured",
        "armoured with text before",
        "packed",
        "for two",
        "for nobody named",
        "signed by somebody",
    ],
)
def test_a_good_message_is_opened(
    project: Project, messages: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    assert opened(project, write(tmp_path, messages[name])) == PLAIN


def test_a_good_message_may_be_empty(
    project: Project, messages: dict[str, bytes], tmp_path: Path
) -> None:
    assert opened(project, write(tmp_path, messages["empty inside"])) == b""


REFUSED = {
    "for partner": "wrong_recipient",
    "for partner, unnamed": "wrong_recipient",
    "without integrity": "no_integrity",
    "integrity taken off": "no_integrity",
    "for a passphrase": "wrong_recipient",
    "not encrypted": "not_encrypted",
    "signed as text": "not_encrypted",
    "only packed": "not_encrypted",
    "joined": "damaged",
    "joined to a bad one": "damaged",
    "joined and armoured": "damaged wrong_recipient",  # what comes second is read as packets
    "two inside": "damaged",
    "nothing inside": "damaged",
    "encrypted twice": "damaged",
    "with a passphrase inside": "damaged",  # as junk after a message may look, too
    "with junk after": "damaged",
    "with zeros after": "damaged",
    "with text inside": "damaged",
    "a key": "damaged",
    "text": "not_pgp",
    "nothing": "not_pgp",
    "zeros": "not_pgp",
}


@pytest.mark.scorecard(12)
@pytest.mark.parametrize("name", REFUSED)
def test_another_message_is_refused_with_its_reason(
    project: Project,
    messages: dict[str, bytes],
    tmp_path: Path,
    private_tmp: Path,
    name: str,
) -> None:
    """Fails when `judge_decryption` lets a symmetric key pass, does not count the messages inside,
    or takes what has no integrity for damaged (gpg 2.2 refuses that itself)."""
    path = write(tmp_path, messages[name])
    code = refusal(project, path)
    path.unlink()  # some are readable themselves
    assert code in REFUSED[name].split()


@pytest.fixture
def locked(make_project: MakeProject, pgp_keys: PgpKeys) -> Project:
    return pgp_project(make_project, pgp_keys, "locked", {"PGP_PASSPHRASE": LOCKED_PASSPHRASE})


def _opened_by(ring: Keyring, path: Path) -> bytes | str:
    try:
        with ring.decrypting(path) as message:
            content = message.read()
            message.finish()
    except PgpError as error:
        return error.code
    return content or b""


@pytest.mark.scorecard(12)
@pytest.mark.parametrize("passphrase", ["wrong", "", None, LOCKED_PASSPHRASE + " "])
@pytest.mark.parametrize("warm", [True, False])
def test_a_locked_key_needs_its_passphrase_each_time(
    locked: Project,
    messages: dict[str, bytes],
    tmp_path: Path,
    private_tmp: Path,
    passphrase: str | None,
    warm: bool,
) -> None:
    """Warm, the agent has just opened the same message. Fails when `_FORGET` of pgp/home.py does
    not set the cache times to 0."""
    path = write(tmp_path, messages["for locked"])
    with keyring(locked) as ring:
        if warm:
            assert _opened_by(ring, path) == PLAIN
        assert _opened_by(replace(ring, passphrase=passphrase), path) == "wrong_passphrase"
        assert _opened_by(ring, path) == PLAIN


@pytest.mark.scorecard(12)
def test_the_passphrase_of_our_key_opens_no_message_by_itself(
    locked: Project, messages: dict[str, bytes], tmp_path: Path, private_tmp: Path
) -> None:
    """Fails when `judge_decryption` lets a symmetric key pass."""
    assert refusal(locked, write(tmp_path, messages["for our passphrase"])) == "wrong_recipient"
