"""Encrypted exports are staged from a stream, and only if the whole message is good."""

from __future__ import annotations

import gzip
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from responsys_assets.errors import PgpError
from responsys_assets_tests.scorecard import Cases

Bench = Any
CANARY = b"canary@example.com"
CONTENT = b"id,v\n" + b"".join(b"%d,%b\n" % (n, CANARY) for n in range(20_000))
BOMB = b"id,v\n" + (b"1," + b"x" * 10_000 + b"\n") * 8_000


@pytest.fixture(scope="module")
def message(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, bytes]:
    """A private key, an export that is encrypted for it, and one that is a bomb inside."""
    home = tmp_path_factory.mktemp("h")
    home.chmod(0o700)

    def gpg(*arguments: str, data: bytes = b"") -> bytes:
        fixed = ["--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
        command = ["gpg", "--homedir", str(home), *fixed, "--trust-model", "always", *arguments]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout

    gpg("--quick-gen-key", "test@example.com", "rsa2048", "encr", "never")
    private = gpg("--export-secret-keys", "--armor")
    to = ("-r", "test@example.com", "--encrypt")
    encrypted = gpg(*to, data=CONTENT)
    bomb = gpg(*to, data=gzip.compress(gzip.compress(BOMB)))
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    return private, encrypted, bomb


@pytest.fixture
def encrypted(
    bench: Bench, message: tuple[bytes, bytes, bytes], tmp_path: Path
) -> tuple[Bench, bytes]:
    key = tmp_path / "private.asc"
    key.write_bytes(message[0])
    bench.keys = {"decrypt": {"private_key_file": str(key)}}
    return bench, message[1]


def test_an_encrypted_export_is_staged(encrypted: tuple[Bench, bytes]) -> None:
    bench, content = encrypted
    staged = bench.stage(content, encrypted=True)
    assert (staged.outcome.state, staged.outcome.staged) == ("staged", 20_000)
    assert staged.data[-1] == ("19999", CANARY.decode())


def _assert_nothing_left(bench: Bench) -> None:
    files = [path for path in bench.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if CANARY in path.read_bytes()]
    assert not list((bench.folder / "lake").glob("tmp/*"))
    assert not list(bench.lake.staged("core").rglob("*.parquet"))


@pytest.mark.scorecard(9)
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_message_fails_and_nothing_of_it_stays_in_the_lake(
    encrypted: tuple[Bench, bytes],
    monkeypatch: pytest.MonkeyPatch,
    cases: Cases,
    damage: str,
) -> None:
    """Fails when `Decryption.finish` passes no verdict."""
    bench, whole = encrypted
    tmp = Path(tempfile.mkdtemp(prefix="ra-"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp))
    for dice in cases.draw(5, 60):
        # behind the key's envelope, as in pgp/test_damage.py
        at = dice.randrange(24, len(whole))
        flipped = whole[:at] + bytes([whole[at] ^ 1 << dice.randrange(8)]) + whole[at + 1 :]
        staged = bench.stage(whole[:at] if damage == "cut" else flipped, encrypted=True)
        assert (staged.outcome.state, staged.outcome.staged) == ("failed", 0)
        assert staged.outcome.reason in {"damaged", "wrong_recipient", "no_integrity", "not_pgp"}
        _assert_nothing_left(bench)
        assert not list(tmp.iterdir())
    tmp.rmdir()


@pytest.mark.scorecard(13)
def test_a_bomb_inside_a_bomb_inside_a_message_fails(
    encrypted: tuple[Bench, bytes], message: tuple[bytes, bytes, bytes]
) -> None:
    """Fails when `_capped` of staged/content.py lets everything pass."""
    bench, _ = encrypted
    assert len(message[2]) < 10_000
    staged = bench.stage(message[2], encrypted=True)
    assert (staged.outcome.state, staged.outcome.reason) == ("failed", "bomb")
    _assert_nothing_left(bench)


def test_damage_counts_more_than_a_wrong_header(encrypted: tuple[Bench, bytes]) -> None:
    bench, content = encrypted
    flipped = bytearray(content)
    flipped[-20] ^= 1
    staged = bench.stage(bytes(flipped), encrypted=True, match_on="missing")
    assert (staged.outcome.state, staged.outcome.reason) == ("failed", "damaged")


def test_a_missing_key_of_ours_is_no_fault_of_the_export(encrypted: tuple[Bench, bytes]) -> None:
    bench, content = encrypted
    bench.keys = {"decrypt": {"private_key_file": "nowhere.asc"}}
    with pytest.raises(PgpError) as caught:
        bench.stage(content, encrypted=True)
    assert caught.value.code == "key_missing"
    assert not list(bench.lake.staged("core").rglob("*.json"))


def test_an_encrypted_file_of_a_list_that_is_not_says_so(encrypted: tuple[Bench, bytes]) -> None:
    bench, content = encrypted
    staged = bench.stage(content)
    assert staged.outcome.reason == "content_unreadable"
    assert "encrypted: true" in staged.outcome.detail
