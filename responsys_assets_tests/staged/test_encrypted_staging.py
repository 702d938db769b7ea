"""Encrypted exports are staged from a stream, and only if the whole message is good."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from responsys_assets.errors import PgpError

Bench = Any
CONTENT = b"id,v\n" + b"".join(b"%d,value %d\n" % (n, n) for n in range(20_000))


@pytest.fixture(scope="module")
def message(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """A private key and what is encrypted for it."""
    home = tmp_path_factory.mktemp("h")
    home.chmod(0o700)

    def gpg(*arguments: str, data: bytes = b"") -> bytes:
        fixed = ["--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
        command = ["gpg", "--homedir", str(home), *fixed, "--trust-model", "always", *arguments]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout

    gpg("--quick-gen-key", "test@example.com", "rsa2048", "encr", "never")
    private = gpg("--export-secret-keys", "--armor")
    encrypted = gpg("-r", "test@example.com", "--encrypt", data=CONTENT)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    return private, encrypted


@pytest.fixture
def encrypted(bench: Bench, message: tuple[bytes, bytes], tmp_path: Path) -> tuple[Bench, bytes]:
    key = tmp_path / "private.asc"
    key.write_bytes(message[0])
    bench.keys = {"decrypt": {"private_key_file": str(key)}}
    return bench, message[1]


def test_an_encrypted_export_is_staged(encrypted: tuple[Bench, bytes]) -> None:
    bench, content = encrypted
    staged = bench.stage(content, encrypted=True)
    assert (staged.outcome.state, staged.outcome.staged) == ("staged", 20_000)
    assert staged.data[-1] == ("19999", "value 19999")


@pytest.mark.parametrize("cut", [60, 3000, -1])
def test_a_cut_message_fails_and_nothing_is_published(
    encrypted: tuple[Bench, bytes], cut: int
) -> None:
    bench, content = encrypted
    staged = bench.stage(content[:cut], encrypted=True)
    assert (staged.outcome.state, staged.outcome.reason) == ("failed", "damaged")
    assert not staged.export.parquet.exists()
    assert not staged.export.rejects.exists()


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
