"""What a bad export gets, seen from the shell: a held or failed file, a reason, exit code 3."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from responsys_assets.commands.main import run
from responsys_assets.demo.sender import encrypt
from responsys_assets_tests.commands.conftest import CSV, Small
from responsys_assets_tests.conftest import PgpKeys

NAME = "CORE_20260102.csv.gpg"


@pytest.fixture
def encrypted(small: Small, pgp_keys: PgpKeys) -> Callable[..., Path]:
    """Put an encrypted export on the server of a project that decrypts with `own`."""

    def putting(*, to: str = "own", signers: tuple[str, ...] = ()) -> Path:
        small.configure(
            keys={
                "decrypt": {"private_key_file": str(pgp_keys.private("own"))},
                "signers": list(signers),
                "recipients": {"sender": {"public_key_file": str(pgp_keys.public("sender"))}},
            },
            lists={"core": small.list_config(files="CORE_{YYYYMMDD}.csv.gpg", encrypted=True)},
        )
        path = small.folder / "files" / NAME
        encrypt([CSV.encode()], path, pgp_keys.public(to), compress=True)
        path.with_name(f"{NAME}.ready").write_text("3")
        return path

    return putting


def refused(small: Small) -> dict[str, Any]:
    """The one export that a sync refuses, which must be all that it does."""
    result = small("sync", "--json")
    assert result.code == 3, result.out
    document = result.json
    (export,) = document["lists"]["core"]["exports"]
    assert export["state"] in ("held", "failed")
    assert export["staged"] == 0
    assert export["reason"]
    assert document["profiles"]["rows"] == 0
    assert not (small.folder / "outbox").exists()
    people = small("sync")
    assert people.code == 3
    assert export["file"] in people.out
    assert "Traceback" not in people.out + people.err
    assert "one@example.com" not in people.out + people.err
    return dict(export)


def test_a_sound_message_is_taken(small: Small, encrypted: Callable[..., Path]) -> None:
    encrypted()
    assert small.json("sync")["profiles"]["rows"] == 3


@pytest.mark.parametrize("where", [0.3, 0.95])
def test_a_cut_message_is_refused(
    small: Small, encrypted: Callable[..., Path], where: float
) -> None:
    path = encrypted()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * where)])
    refused(small)


def test_a_damaged_message_is_refused(small: Small, encrypted: Callable[..., Path]) -> None:
    path = encrypted()
    content = bytearray(path.read_bytes())
    content[-30] ^= 1
    path.write_bytes(content)
    refused(small)


def test_a_message_for_somebody_else_is_refused(
    small: Small, encrypted: Callable[..., Path]
) -> None:
    encrypted(to="partner")
    refused(small)


def test_an_unsigned_message_is_refused_when_a_signature_is_demanded(
    small: Small, encrypted: Callable[..., Path], pgp_keys: PgpKeys
) -> None:
    encrypted(signers=(pgp_keys.fingerprint("sender"),))
    refused(small)


@pytest.mark.parametrize("said", ["2", "4", "", "three"])
def test_a_wrong_or_unreadable_count_is_refused(small: Small, said: str) -> None:
    name = small.export()
    (small.folder / "files" / f"{name}.ready").write_text(said)
    refused(small)


@pytest.mark.parametrize(
    "content",
    [
        CSV + "4\n" * 10,
        CSV + '4,"stray" quote,I,Rome,2026-01-01 10:00:00\n' * 10,
        CSV + "4,x@example.com,I,Rome,yesterday\n" * 10,
        CSV.replace("CITY_", "EMAIL_ADDRESS_"),
        CSV.replace("CUSTOMER_ID_", "ID"),
        "",
    ],
    ids=["ragged", "mis-quoted", "mis-typed", "duplicate header", "no key column", "empty"],
)
def test_damaged_content_is_refused_or_rejected_and_never_lost(small: Small, content: str) -> None:
    small.export(content)
    refused(small)


def _sync(config: str, codes: Any) -> None:
    codes.put(run(["sync", "--config", config]))


def test_two_syncs_at_once_wait_for_each_other(small: Small) -> None:
    small.export()
    context = multiprocessing.get_context("spawn")
    codes = context.Queue()
    both = [context.Process(target=_sync, args=(str(small.file), codes)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert [codes.get(), codes.get()] == [0, 0]
    assert len(small.json("exports", "core")["exports"]) == 1
    assert len(list((small.folder / "lake" / "profiles").glob("*/manifest.json"))) == 1
    assert [p.name.split("_")[0] for p in (small.folder / "outbox").iterdir()] == ["rome"]
