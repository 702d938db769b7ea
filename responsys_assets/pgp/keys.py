"""Making, reading and naming OpenPGP keys: for the `keys` command, `doctor` and the demo."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from responsys_assets.errors import PgpError
from responsys_assets.pgp.home import GpgHome, Key

# RSA: Connect jobs and partners' older programs take it; 3072 bits is gpg's own default
_BITS = 3072


@dataclass(frozen=True)
class PgpKeyPair:
    """A key pair as ASCII armour, and the fingerprint of its primary key."""

    fingerprint: str
    private: str = field(repr=False)
    public: str


def new_pgp_key(name: str, email: str, *, passphrase: str | None = None) -> PgpKeyPair:
    """A new RSA key that signs, with a subkey that encrypts; it does not expire.

    Raises:
        PgpError: if gpg is missing or fails.
    """
    with GpgHome(remember=True) as home:
        settings = {
            "key_type": "RSA",
            "key_length": _BITS,
            "key_usage": "sign",
            "subkey_type": "RSA",
            "subkey_length": _BITS,
            "subkey_usage": "encrypt",
            "name_real": name,
            "name_email": email,
            "expire_date": 0,
            **({"passphrase": passphrase} if passphrase else {"no_protection": True}),
        }
        made = home.tool.gen_key(home.tool.gen_key_input(**settings))
        if not made.fingerprint:
            raise PgpError(
                "key_failed", "gpg could not make a key; check that it runs and /tmp has room"
            )
        private = home.tool.export_keys(
            made.fingerprint,
            secret=True,
            passphrase=passphrase,
            expect_passphrase=bool(passphrase),
        )
        if "PRIVATE KEY" not in private:
            raise PgpError("key_failed", "gpg could not export the key it made")
        return PgpKeyPair(made.fingerprint, private, home.public_armour(made.fingerprint))


def read_keys(path: Path, *, secret: bool = False) -> list[Key]:
    """The primary keys of a file, armoured or not.

    Raises:
        PgpError: `key_missing`, `key_damaged`.
    """
    with GpgHome() as home:
        return home.import_file(path, secret=secret)


def public_part(path: Path) -> str:
    """The public keys of a private key file, as ASCII armour to hand out.

    Raises:
        PgpError: `key_missing`, `key_damaged`.
    """
    with GpgHome() as home:
        keys = home.import_file(path, secret=True)
        return "".join(home.public_armour(key.fingerprint) for key in keys)
