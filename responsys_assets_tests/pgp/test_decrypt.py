"""Only whole, untouched, well-signed messages for us are accepted; nothing else leaves a trace."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from responsys_assets.config.project import Project
from responsys_assets.errors import PgpError
from responsys_assets.pgp import decrypt as decrypt_module
from responsys_assets.pgp import decrypting
from responsys_assets.pgp.home import GpgHome
from responsys_assets_tests.conftest import LOCKED_PASSPHRASE, MakeProject, PgpKeys

PLAIN = b"CUSTOMER_ID_,EMAIL_ADDRESS_\n" + b"1,canary@example.com\n" * 100_000


def gpg(home: GpgHome, *arguments: str, data: bytes = PLAIN) -> bytes:
    """gpg as a sender would use it."""
    result = subprocess.run(
        ["gpg", "--homedir", str(home.path), "--batch", "--trust-model", "always", *arguments],
        input=data,
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout


@pytest.fixture(scope="session")
def messages(pgp_keys: PgpKeys) -> dict[str, bytes]:
    """Messages of many kinds, by name."""
    to, own = "--recipient", pgp_keys.fingerprint("own")
    with GpgHome() as home:
        for name in ("own", "partner", "sender", "locked"):
            home.import_file(pgp_keys.private(name), secret=True)
        by = {name: pgp_keys.fingerprint(name) for name in pgp_keys.pairs}
        signed = ("--sign", "--local-user", by["sender"])
        unlock = ("--pinentry-mode", "loopback", "--passphrase", LOCKED_PASSPHRASE)
        sealed = gpg(home, "--encrypt", "-z", "0", to, own)
        return {
            "sealed": sealed,
            "armoured": gpg(home, "--armor", "--encrypt", to, own),
            "signed": gpg(home, "--encrypt", *signed, to, own),
            "signed by partner": gpg(
                home, "--encrypt", "--sign", "--local-user", by["partner"], to, own
            ),
            "signed by two": gpg(
                home, "--encrypt", *signed, "--local-user", by["partner"], to, own
            ),
            "for two": gpg(home, "--encrypt", to, own, to, by["partner"]),
            "for partner": gpg(home, "--encrypt", to, by["partner"]),
            "for locked": gpg(home, *unlock, "--encrypt", to, by["locked"]),
            "without integrity": gpg(
                home, "--rfc2440", "--disable-mdc", "--cipher-algo", "3DES", "--encrypt", to, own
            ),
            "not encrypted": gpg(home, *signed),
            "joined": sealed + sealed,
            "with junk after": sealed + b"junk",
            "text": PLAIN,
            "nothing": b"",
            "zeros": bytes(1000),
        }


Letter = Callable[[str], Path]


@pytest.fixture
def letter(messages: dict[str, bytes], tmp_path: Path) -> Letter:
    """A function that writes one of the messages and returns its file."""
    return lambda name: write(tmp_path, messages[name])


@pytest.fixture
def project(make_project: MakeProject, pgp_keys: PgpKeys) -> Project:
    return pgp_project(make_project, pgp_keys)


def pgp_project(
    make_project: MakeProject,
    keys: PgpKeys,
    own: str = "own",
    env: dict[str, str] | None = None,
    signers: list[str] | None = None,
    **recipients: str,
) -> Project:
    decrypt = {"private_key_file": str(keys.private(own))}
    if env:
        decrypt["passphrase"] = "${PGP_PASSPHRASE}"  # noqa: S105
    return make_project(
        env=env,
        keys={
            "decrypt": decrypt,
            "signers": signers or [],
            "recipients": {
                name: {"public_key_file": str(keys.public(file))}
                for name, file in recipients.items()
            },
        },
    )


def opened(project: Project, path: Path) -> bytes:
    with decrypting(project, path) as message:
        content = message.read()
        message.finish()
    assert isinstance(content, bytes)
    return content


def refusal(project: Project, path: Path) -> str:
    with pytest.raises(PgpError) as caught:
        opened(project, path)
    assert "canary" not in str(caught.value)
    return caught.value.code


def write(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "CORE_20260101.csv.gpg"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["sealed", "armoured", "for two", "signed", "signed by partner"])
def test_a_good_message_is_opened(
    project: Project, messages: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    assert opened(project, write(tmp_path, messages[name])) == PLAIN


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("for partner", "wrong_recipient"),
        ("without integrity", "no_integrity"),
        ("not encrypted", "not_encrypted"),
        ("joined", "damaged"),
        ("with junk after", "damaged"),
        ("text", "not_pgp"),
        ("nothing", "not_pgp"),
        ("zeros", "not_pgp"),
    ],
)
def test_other_messages_are_refused_each_with_its_reason(
    project: Project, messages: dict[str, bytes], tmp_path: Path, name: str, code: str
) -> None:
    assert refusal(project, write(tmp_path, messages[name])) == code


def test_no_cut_message_is_accepted(
    project: Project, messages: dict[str, bytes], tmp_path: Path
) -> None:
    whole = messages["sealed"]
    sizes = [1, 20, 103, 400, 500, *range(1000, len(whole), len(whole) // 12), len(whole) - 1]
    for size in sizes:
        assert refusal(project, write(tmp_path, whole[:size])) in ("damaged", "not_pgp"), size


def test_no_flipped_message_is_accepted(
    project: Project, messages: dict[str, bytes], tmp_path: Path
) -> None:
    dice = random.Random(7)  # noqa: S311
    whole = messages["sealed"]
    for _ in range(25):
        position = dice.randrange(len(whole))
        flipped = bytearray(whole)
        flipped[position] ^= 1 << dice.randrange(8)
        path = write(tmp_path, bytes(flipped))
        with pytest.raises(PgpError):
            opened(project, path)


def test_a_locked_key_needs_its_passphrase(
    make_project: MakeProject, pgp_keys: PgpKeys, messages: dict[str, bytes], tmp_path: Path
) -> None:
    path = write(tmp_path, messages["for locked"])

    def with_passphrase(passphrase: str | None) -> Project:
        env = {"PGP_PASSPHRASE": passphrase} if passphrase else None
        return pgp_project(make_project, pgp_keys, "locked", env)

    assert opened(with_passphrase(LOCKED_PASSPHRASE), path) == PLAIN
    # what was opened before must not help
    assert refusal(with_passphrase("wrong"), path) == "wrong_passphrase"
    assert refusal(with_passphrase(None), path) == "wrong_passphrase"


SIGNED = [
    ("signed", None),
    ("sealed", "unsigned"),
    ("signed by partner", "wrong_signer"),
    ("signed by two", "wrong_signer"),
    ("text", "not_pgp"),
]


@pytest.mark.parametrize(("name", "code"), SIGNED)
def test_where_a_signature_is_demanded_only_the_pinned_signer_passes(
    make_project: MakeProject,
    pgp_keys: PgpKeys,
    letter: Letter,
    name: str,
    code: str | None,
) -> None:
    project = pgp_project(
        make_project,
        pgp_keys,
        signers=[pgp_keys.fingerprint("sender").lower()],
        responsys="sender",
        partner="partner",
    )
    path = letter(name)
    if code is None:
        assert opened(project, path) == PLAIN
    else:
        assert refusal(project, path) == code


def test_a_pinned_signer_without_a_public_key_is_said(
    make_project: MakeProject, pgp_keys: PgpKeys, messages: dict[str, bytes], tmp_path: Path
) -> None:
    project = pgp_project(make_project, pgp_keys, signers=[pgp_keys.fingerprint("sender")])
    assert refusal(project, write(tmp_path, messages["signed"])) == "key_missing"


@pytest.mark.parametrize(
    ("quick", "code"), [("expire", "expired_signer"), ("revoke", "revoked_signer")]
)
def test_a_signer_whose_key_is_no_longer_good_is_refused(
    make_project: MakeProject,
    pgp_keys: PgpKeys,
    tmp_path: Path,
    quick: str,
    code: str,
) -> None:
    past = ("--faked-system-time", "20250101T000000!")
    with GpgHome() as home:
        gpg(home, *past, "--passphrase", "", "--quick-gen-key", "s@example.com", "rsa2048", "sign",
            "1m" if quick == "expire" else "never")  # fmt: skip
        fingerprint = home.list_keys()[0].fingerprint
        home.import_file(pgp_keys.public("own"))
        signed = gpg(home, *past, "-z", "0", "--sign", "--local-user", fingerprint)
        message = gpg(home, "-z", "0", "--no-literal", "--encrypt",
                      "--recipient", pgp_keys.fingerprint("own"), data=signed)  # fmt: skip
        if quick == "revoke":
            certificate = home.path / "openpgp-revocs.d" / f"{fingerprint}.rev"
            gpg(home, "--import", data=certificate.read_bytes().replace(b":---", b"---"))
        (tmp_path / "sender.asc").write_text(home.public_armour(fingerprint))
    project = make_project(
        keys={
            "decrypt": {"private_key_file": str(pgp_keys.private("own"))},
            "signers": [fingerprint],
            "recipients": {"sender": {"public_key_file": str(tmp_path / "sender.asc")}},
        }
    )
    assert refusal(project, write(tmp_path, message)) == code


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


def test_a_bomb_is_stopped_at_the_cap(project: Project, pgp_keys: PgpKeys, tmp_path: Path) -> None:
    with GpgHome() as home:
        home.import_file(pgp_keys.public("own"))
        bomb = gpg(home, "--encrypt", "--recipient", pgp_keys.fingerprint("own"),
                   data=bytes(80 << 20))  # fmt: skip
    path = write(tmp_path, bomb)
    seen: list[int] = []
    with pytest.raises(PgpError) as caught:
        count(project, path, seen)
    assert caught.value.code == "bomb"
    assert sum(seen) <= decrypt_module.MAX_FLOOR


def count(project: Project, path: Path, seen: list[int]) -> None:
    with decrypting(project, path) as message:
        while block := message.read(1 << 16):
            seen.append(len(block))


def test_what_was_not_read_is_judged_all_the_same(
    project: Project, messages: dict[str, bytes], tmp_path: Path
) -> None:
    path = write(tmp_path, messages["sealed"][:-200])
    with decrypting(project, path) as message:
        message.read(10)
        with pytest.raises(PgpError) as caught:
            message.finish()
    assert caught.value.code == "damaged"


def test_reading_to_the_end_without_finish_is_judged_on_leaving(
    project: Project, messages: dict[str, bytes], tmp_path: Path
) -> None:
    path = write(tmp_path, messages["joined"])
    with pytest.raises(PgpError), decrypting(project, path) as message:
        message.read()


def test_leaving_early_stops_gpg(
    project: Project, messages: dict[str, bytes], tmp_path: Path
) -> None:
    path = write(tmp_path, messages["sealed"])
    with decrypting(project, path) as message:
        message.read(10)
        process = message._gpg.child
        assert process.poll() is None
    assert process.poll() is not None
    with pytest.raises(ValueError, match="left"):
        message.read(1)


def homes() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("responsys-gpg-*"))


def processes(word: str) -> list[int]:
    """The processes whose command line has a word in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def ended(pid: int) -> bool:
    """Whether a process that was told to end does so; waits for the event itself."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 60)[0])
    finally:
        os.close(descriptor)


@pytest.fixture
def private_tmp(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder that no other test uses, short enough for gpg."""
    folder = Path(tempfile.mkdtemp(prefix="ra-"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_neither_process_nor_home_nor_plaintext_stays(
    project: Project, messages: dict[str, bytes], tmp_path: Path, private_tmp: Path
) -> None:
    for name in ("sealed", "for partner", "joined", "with junk after", "text"):
        path = write(tmp_path, messages[name])
        with contextlib.suppress(PgpError):
            opened(project, path)
        path.unlink()
        assert list(private_tmp.iterdir()) == []
        assert all(map(ended, processes(str(private_tmp))))
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in left if b"canary" in path.read_bytes()]
    private_tmp.rmdir()


def test_the_passphrase_is_in_no_command_line_and_no_environment(
    make_project: MakeProject, pgp_keys: PgpKeys, messages: dict[str, bytes], tmp_path: Path
) -> None:
    project = pgp_project(make_project, pgp_keys, "locked", {"PGP_PASSPHRASE": LOCKED_PASSPHRASE})
    with decrypting(project, write(tmp_path, messages["for locked"])) as message:
        message.read(10)
        seen = Path(f"/proc/{message._gpg.child.pid}")
        for file in ("cmdline", "environ"):
            assert LOCKED_PASSPHRASE.encode() not in (seen / file).read_bytes()


KILLED = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from responsys_assets.config.loader import load
from responsys_assets.pgp import decrypting
project = load(Path(sys.argv[1]), {})
with decrypting(project, Path(sys.argv[2])) as message:
    message.read(10)
    print(message._gpg.child.pid, flush=True)
    sys.stdin.read()
"""


def test_when_we_are_killed_gpg_ends_too_and_the_next_use_removes_its_home(
    project: Project, messages: dict[str, bytes], tmp_path: Path, private_tmp: Path
) -> None:
    path = write(tmp_path, messages["sealed"])
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(project.file), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(private_tmp), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout is not None
    assert child.stdin is not None
    gpg_pid = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        pipe.close()
    assert ended(gpg_pid)
    assert len(homes()) == 1
    assert opened(project, path) == PLAIN
    assert homes() == set()
    assert all(map(ended, processes(str(private_tmp))))
    private_tmp.rmdir()


def test_many_at_once_all_succeed(
    project: Project, messages: dict[str, bytes], tmp_path: Path
) -> None:
    path = write(tmp_path, messages["sealed"])
    with ThreadPoolExecutor(8) as pool:
        contents = list(pool.map(lambda _: opened(project, path), range(16)))
    assert contents == [PLAIN] * 16
