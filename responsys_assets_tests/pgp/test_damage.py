"""Not one damaged message is accepted, and none leaves anything that can be read."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from pathlib import Path

import pytest

from responsys_assets.config.project import Project
from responsys_assets.errors import PgpError
from responsys_assets.pgp.decrypt import Keyring, keyring
from responsys_assets.pgp.home import GpgHome
from responsys_assets_tests.conftest import MakeProject, PgpKeys
from responsys_assets_tests.pgp.letters import CANARY, OURS, gpg, pgp_project, readable, write
from responsys_assets_tests.scorecard import Cases

CONTENT = b"".join(b"%d,%b\n" % (number, CANARY) for number in range(400))
RADIX64 = (string.ascii_letters + string.digits + "+/").encode()
# what comes first is the envelope: version, key id, and the length of a number, whose lowest bits
# say nothing; flipping those leaves the very same message
ENVELOPE = 24

Damage = Callable[[bytes, random.Random], bytes]


def cut(whole: bytes, dice: random.Random) -> bytes:
    return whole[: dice.randrange(_end(whole))]


def flip(whole: bytes, dice: random.Random) -> bytes:
    damaged = bytearray(whole)
    position = dice.randrange(_begin(whole), _end(whole))
    if _armoured(whole):
        while whole[position] not in RADIX64:
            position += 1
        damaged[position] = dice.choice(RADIX64.replace(whole[position : position + 1], b""))
    else:
        damaged[position] ^= 1 << dice.randrange(8)
    return bytes(damaged)


def _armoured(whole: bytes) -> bool:
    return whole.startswith(b"-----BEGIN")


def _begin(whole: bytes) -> int:
    return ENVELOPE + (whole.index(b"\n\n") + 2 if _armoured(whole) else 0)


def _end(whole: bytes) -> int:
    # gpg looks at nothing after the checksum of the armour, nor does it need that
    return whole.rindex(b"\n=") - 8 if _armoured(whole) else len(whole)


@pytest.fixture(scope="module")
def messages(pgp_keys: PgpKeys) -> dict[str, bytes]:
    """The same content in the forms in which it comes, by name."""
    to_own = ("--encrypt", "--recipient", pgp_keys.fingerprint("own"))
    with GpgHome() as home:
        home.import_file(pgp_keys.public("own"))
        home.import_file(pgp_keys.private("sender"), secret=True)
        by_sender = ("--sign", "--local-user", pgp_keys.fingerprint("sender"))
        return {
            "plain": gpg(home, "-z", "0", *to_own, data=CONTENT),
            "packed": gpg(home, *to_own, data=CONTENT),
            "armoured": gpg(home, "-z", "0", "--armor", *to_own, data=CONTENT),
            "signed": gpg(home, "-z", "0", *to_own, *by_sender, data=CONTENT),
        }


@pytest.fixture
def message(messages: dict[str, bytes], request: pytest.FixtureRequest) -> bytes:
    return messages[request.param]


@pytest.fixture
def project(make_project: MakeProject, pgp_keys: PgpKeys) -> Project:
    return pgp_project(make_project, pgp_keys)


def _open(ring: Keyring, path: Path) -> bytes | None:
    with ring.decrypting(path) as message:
        content = message.read()
        message.finish()
    return content


@pytest.mark.scorecard(9)
@pytest.mark.parametrize("damage", [cut, flip])
@pytest.mark.parametrize("message", ["plain", "packed", "armoured", "signed"], indirect=True)
def test_no_damaged_message_is_accepted_or_leaves_plaintext(
    project: Project,
    message: bytes,
    tmp_path: Path,
    private_tmp: Path,
    cases: Cases,
    damage: Damage,
) -> None:
    """Fails when `judge_decryption` believes the exit code alone: some cuts end with 0."""
    with keyring(project) as ring:
        assert _open(ring, write(tmp_path, message)) == CONTENT
        for dice in cases.draw(30, 250):
            path = write(tmp_path, damage(message, dice))
            with pytest.raises(PgpError) as caught:
                _open(ring, path)
            assert caught.value.code not in OURS
            assert CANARY.decode() not in str(caught.value)
            assert not readable(private_tmp, tmp_path)
