"""SSH key pairs: for the `keys` command, the demo and tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

_RSA_BITS = 3072


@dataclass(frozen=True)
class SshKeyPair:
    """The private key as an OpenSSH file, the public key as one line."""

    private: str = field(repr=False)
    public: str


def new_ssh_key(
    comment: str = "", *, kind: Literal["rsa", "ed25519"] = "rsa", passphrase: str | None = None
) -> SshKeyPair:
    """A new key pair; RSA is what Responsys' file server documents (ed25519 it does not)."""
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    if kind == "rsa":
        key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    protection: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption()
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, protection
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return SshKeyPair(private.decode(), f"{public.decode()} {comment}".strip())
