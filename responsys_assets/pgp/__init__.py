"""OpenPGP by gpg: decrypting exports and encrypting deliveries as streams, and keys."""

from __future__ import annotations

from responsys_assets.pgp.decrypt import Decryption, decrypting
from responsys_assets.pgp.encrypt import Encryption, encrypting

__all__ = ["Decryption", "Encryption", "decrypting", "encrypting"]
