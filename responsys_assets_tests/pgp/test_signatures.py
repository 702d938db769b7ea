"""Where signatures are demanded, only one by the pinned key over the very content passes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from responsys_assets.config.project import Project
from responsys_assets.pgp.home import GpgHome
from responsys_assets_tests.conftest import MakeProject, PgpKeys
from responsys_assets_tests.pgp.letters import (
    PLAIN,
    gpg,
    literal,
    opened,
    refusal,
    write,
)

CONTENT = PLAIN[:4000]
OTHER = CONTENT.replace(b"1,", b"2,")
LONG_AGO = "20250101T000000!"
SOON = "20250102T000000!"
LATER = "20250601T000000!"


@dataclass
class Signers:
    """Signed messages for `own` by name, and who signed."""

    folder: Path
    messages: dict[str, bytes] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    subkey: str = ""

    def public(self, name: str) -> Path:
        return self.folder / f"{name}.asc"


class Desk:
    """Where keys are made and messages signed, at any time."""

    def __init__(self, home: GpgHome, own: str, signers: Signers) -> None:
        self._home, self._own, self._signers = home, own, signers

    def at(self, when: str, *arguments: str, data: bytes = b"") -> bytes:
        free = ("--pinentry-mode", "loopback", "--passphrase", "", "-z", "0")
        return gpg(self._home, "--faked-system-time", when, *free, *arguments, data=data)

    def key(self, name: str, expires: str = "never") -> str:
        """A new signing key, made long ago."""
        user = f"{name}@example.com"
        self.at(LONG_AGO, "--quick-gen-key", user, "ed25519", "sign", expires)
        (found,) = [
            key.fingerprint
            for key in self._home.list_keys()
            if key.fingerprint not in self._signers.fingerprints.values()
            and key.fingerprint != self._own
        ]
        self._signers.fingerprints[name] = found
        return found

    def signed(self, *by: str, when: str = LONG_AGO, data: bytes = CONTENT) -> bytes:
        """Packets: signatures around one content."""
        who = [part for name in by for part in ("--local-user", self._name(name))]
        return self.at(when, "--sign", *who, data=data)

    def _name(self, name: str) -> str:
        return self._signers.fingerprints.get(name, name)

    def sealed(self, packets: bytes) -> bytes:
        """Packets encrypted for us, now."""
        to = ("--recipient", self._own)
        return gpg(self._home, "-z", "0", "--no-literal", "--encrypt", *to, data=packets)

    def revoke(self, name: str) -> None:
        certificate = self._home.path / "openpgp-revocs.d" / f"{self._name(name)}.rev"
        gpg(self._home, "--import", data=certificate.read_bytes().replace(b":---", b"---"))

    def subkeys(self, name: str) -> list[str]:
        listing = gpg(self._home, "--with-colons", "--list-keys", self._name(name), data=b"")
        lines = [line.split(":") for line in listing.decode().splitlines()]
        return [line[9] for line in lines if line[0] == "fpr"][1:]


@pytest.fixture(scope="module")
def signers(pgp_keys: PgpKeys, tmp_path_factory: pytest.TempPathFactory) -> Signers:
    """Everybody who signs here, and their messages."""
    made = Signers(tmp_path_factory.mktemp("signers"))
    with GpgHome() as home:
        home.import_file(pgp_keys.public("own"))
        desk = Desk(home, pgp_keys.fingerprint("own"), made)
        for name in ("pinned", "known", "unknown", "revoked", "shortened"):
            desk.key(name)
        desk.key("expired", "1m")
        fingerprint = desk.key("branch")
        for _ in range(2):
            desk.at(LONG_AGO, "--quick-add-key", fingerprint, "ed25519", "sign", "never")
        first, second = desk.subkeys("branch")
        made.subkey = first
        packets = {
            "by the pinned key": desk.signed("pinned"),
            "by a known key": desk.signed("known"),
            "by an unknown key": desk.signed("unknown"),
            "by the pinned and a known key": desk.signed("pinned", "known"),
            "by the pinned and an unknown key": desk.signed("unknown", "pinned"),
            "by a key that expired since": desk.signed("expired"),
            "by a key that had expired": desk.signed("shortened", when=LATER),
            "by a revoked key": desk.signed("revoked"),
            "by a subkey": desk.signed(f"{first}!"),
            "by a revoked subkey": desk.signed(f"{second}!"),
            "for a short time": desk.at(
                LONG_AGO,
                *(
                    "--default-sig-expire",
                    "1m",
                    "--sign",
                    "--local-user",
                    made.fingerprints["pinned"],
                ),
                data=CONTENT,
            ),
            "over other data": desk.signed("pinned").replace(b"\n1,", b"\n2,"),
            "before other data": desk.signed("pinned") + literal(OTHER),
            "after other data": literal(OTHER) + desk.signed("pinned"),
            "without data": desk.at(
                LONG_AGO,
                *("--detach-sign", "--local-user", made.fingerprints["pinned"]),
                data=CONTENT,
            ),
            "not at all": literal(CONTENT),
        }
        made.messages = {name: desk.sealed(content) for name, content in packets.items()}
        desk.revoke("revoked")
        desk.at(SOON, "--quick-set-expire", made.fingerprints["shortened"], "1m")
        # answers: revoke the key, sure, no reason, no text, sure
        desk.at(
            LATER,
            *("--command-fd", "0", "--edit-key", fingerprint, "key 2", "revkey", "save"),
            data=b"y\n0\n\ny\n",
        )
        for name in made.fingerprints.keys() - {"unknown"}:
            made.public(name).write_text(home.public_armour(made.fingerprints[name]))
    return made


def project_for(
    make_project: MakeProject, keys: PgpKeys, signers: Signers, pinned: list[str]
) -> Project:
    """A project that demands one of the pinned signatures; it has every public key but one."""
    return make_project(
        keys={
            "decrypt": {"private_key_file": str(keys.private("own"))},
            "signers": pinned,
            "recipients": {
                path.stem: {"public_key_file": str(path)} for path in signers.folder.iterdir()
            },
        },
    )


CELLS = {
    "by the pinned key": ("pinned", None),  # nobody trusts it but the configuration
    "by a subkey": ("branch", None),
    "by a revoked subkey": ("branch", "revoked_signer"),
    "not at all": ("pinned", "unsigned"),
    "by a known key": ("pinned", "wrong_signer"),
    "by an unknown key": ("pinned", "wrong_signer"),
    "by the pinned and a known key": ("pinned", "wrong_signer"),
    "by the pinned and an unknown key": ("pinned", "wrong_signer"),
    "by a key that expired since": ("expired", "expired_signer"),
    "by a key that had expired": ("shortened", "expired_signer"),
    "by a revoked key": ("revoked", "revoked_signer"),
    "for a short time": ("pinned", "expired_signature"),
    "over other data": ("pinned", "bad_signature"),
    "before other data": ("pinned", "bad_signature"),
    "after other data": ("pinned", "unsigned"),
    "without data": ("pinned", "bad_signature"),
}


@pytest.mark.scorecard(11)
@pytest.mark.parametrize("name", CELLS)
def test_only_the_pinned_signer_passes(
    make_project: MakeProject,
    pgp_keys: PgpKeys,
    signers: Signers,
    tmp_path: Path,
    private_tmp: Path,
    name: str,
) -> None:
    """Fails when `judge_decryption` believes DECRYPTION_OKAY or the exit code alone."""
    pin, code = CELLS[name]
    project = project_for(make_project, pgp_keys, signers, [signers.fingerprints[pin].lower()])
    path = write(tmp_path, signers.messages[name])
    if code is None:
        assert opened(project, path) == CONTENT
    else:
        assert refusal(project, path) == code


@pytest.mark.scorecard(11)
@pytest.mark.parametrize("pins", [["known", "pinned"], []])
def test_one_of_several_pins_is_enough_and_without_pins_nothing_is_asked(
    make_project: MakeProject,
    pgp_keys: PgpKeys,
    signers: Signers,
    tmp_path: Path,
    private_tmp: Path,
    pins: list[str],
) -> None:
    """Fails when only the first pin counts, and when `decrypting` checks what nobody asked for."""
    pinned = [signers.fingerprints[name] for name in pins]
    project = project_for(make_project, pgp_keys, signers, pinned)
    assert opened(project, write(tmp_path, signers.messages["by the pinned key"])) == CONTENT
    unknown = write(tmp_path, signers.messages["by an unknown key"])
    if pins:
        assert refusal(project, unknown) == "wrong_signer"
    else:
        assert opened(project, unknown) == CONTENT


@pytest.mark.scorecard(11)
@pytest.mark.parametrize("pin", ["unknown", "a subkey"])
def test_a_pin_without_a_public_key_refuses_every_message(
    make_project: MakeProject,
    pgp_keys: PgpKeys,
    signers: Signers,
    tmp_path: Path,
    private_tmp: Path,
    pin: str,
) -> None:
    """Fails when `_import_signers` goes on without the key: gpg then says the signer is unknown
    and exits with 2, which python-gnupg calls `ok`."""
    fingerprint = signers.subkey if pin == "a subkey" else signers.fingerprints[pin]
    project = project_for(make_project, pgp_keys, signers, [fingerprint])
    path = write(tmp_path, signers.messages["by a subkey"])
    assert refusal(project, path) == "key_missing"
