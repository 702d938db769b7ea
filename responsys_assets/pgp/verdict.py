"""What gpg's exit code and status lines say together; pure.

The words are those of GnuPG's doc/DETAILS. A message is good only if everything that must be
said is said and nothing that must not be.
"""

from __future__ import annotations

import signal
from collections.abc import Collection, Sequence

from responsys_assets.errors import PgpError

Status = Sequence[Sequence[str]]

_BAD_PASSPHRASE = 11  # libgpg-error: GPG_ERR_BAD_PASSPHRASE, in the low 16 bits
_NO_PASSPHRASE = 177  # GPG_ERR_NO_PASSPHRASE
# a message may make gpg crash; other signals come from somebody else, like the kernel when
# memory is short
_CRASHES = frozenset(
    {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS}
)
_REFUSALS = {
    "REVKEYSIG": ("revoked_signer", "is signed with a key that was revoked"),
    "EXPKEYSIG": ("expired_signer", "is signed with a key that has expired"),
    "EXPSIG": ("expired_signature", "has a signature that has expired"),
    "BADSIG": ("bad_signature", "has a signature that does not fit its content"),
    "ERRSIG": ("wrong_signer", "is signed by somebody who is not in keys.signers"),
}


def judge_decryption(
    exit_code: int, status: Status, own: Collection[str], signers: Sequence[str], name: str
) -> PgpError | None:
    """Why a decrypted message must not be used; None if it is whole, ours and well signed.

    `exit_code`: below 0 the signal that ended gpg. `own`: the key ids (16 hex digits) of our
    private key. `signers`: full fingerprints of primary keys, one of which must have signed; if
    empty, no signature is asked for.
    """
    words = {line[0] for line in status}
    reason = _why_no_verdict(exit_code, status, own)
    if reason is None:
        reason = _why_not_decrypted(status, words)
    if reason is None and signers:
        reason = _why_not_signed(status, words, signers)
    if reason is None and (exit_code != 0 or words & {"ERROR", "FAILURE", "NODATA"}):
        reason = _MORE_OR_LESS
    if reason is None:
        return None
    code, what = reason
    return PgpError(code, f"{name} {what}{_ADVICE.get(code, _SEND_AGAIN)}")


_MORE_OR_LESS = ("damaged", "is damaged, cut, or has something added to it")
_SEND_AGAIN = "; nothing of it was used, ask its sender to send it again"
_ADVICE = {
    "not_pgp": "; check `encrypted` of its list, or ask its sender",
    "not_encrypted": "; check `encrypted` of its list, or ask its sender",
    "gpg_failed": (
        ": gpg was ended, or could not use the private key of keys.decrypt; run this again, and "
        "export the key anew if that does not help"
    ),
    "wrong_recipient": (
        ": the private key of keys.decrypt does not open it; give its sender the public key that "
        "`responsys keys show` prints"
    ),
    "wrong_passphrase": "; check the variable that keys.decrypt.passphrase names",
    "no_integrity": (
        ", so it could have been changed on its way; ask its sender to encrypt with integrity "
        "protection (MDC), the default of every OpenPGP program today"
    ),
    "unsigned": "; ask its sender to sign, or empty keys.signers",
    "wrong_signer": "; find out who sent it before anything else",
}


def _why_no_verdict(exit_code: int, status: Status, own: Collection[str]) -> tuple[str, str] | None:
    """Something failed here, which says nothing about the message."""
    killed = exit_code < 0 and -exit_code not in _CRASHES
    # for us, but the agent had no key: it died, or the file lacks the part that decrypts
    locked_out = any(line[0] == "NO_SECKEY" and line[1] in own for line in status)
    opened = any(line[0] == "DECRYPTION_OKAY" for line in status)
    if killed or (locked_out and not opened):
        return "gpg_failed", "could not be decrypted"
    return None


def _why_not_decrypted(status: Status, words: set[str]) -> tuple[str, str] | None:
    passphrase = "NEED_PASSPHRASE_SYM" in words
    if passphrase and "DECRYPTION_KEY" not in words:
        return "wrong_recipient", "is encrypted with a passphrase, not for a key"
    # what our key opened may hold a message with a passphrase, or junk that begins like one
    if passphrase or "DECRYPTION_OKAY" not in words:
        return _why_not_opened(status, words)
    if not _has_integrity(status, words):
        return "no_integrity", "has no integrity protection"
    if words & {"DECRYPTION_FAILED", "BADMDC"}:
        return "damaged", "is damaged or cut"
    said = [line[0] for line in status]
    if any(said.count(word) != 1 for word in ("DECRYPTION_INFO", "DECRYPTION_OKAY", "PLAINTEXT")):
        return _MORE_OR_LESS  # one message, with one content
    return None


def _why_not_opened(status: Status, words: set[str]) -> tuple[str, str]:
    nodata = {line[1] for line in status if line[0] == "NODATA" and len(line) > 1}
    if "DECRYPTION_INFO" in words:  # it has the session key
        return _why_not_whole(status, words)
    if _bad_passphrase(status, words):
        return "wrong_passphrase", "cannot be opened: the passphrase of the private key is wrong"
    if "NO_SECKEY" in words:
        return "wrong_recipient", "is encrypted for somebody else"
    if words & {"PLAINTEXT", "NEWSIG", "ERRSIG", "GOODSIG"}:
        return "not_encrypted", "is an OpenPGP message that is not encrypted"
    if nodata & {"1", "2"}:  # 3: it starts well
        return "not_pgp", "is not an OpenPGP message"
    return "damaged", "is damaged or cut"


def _why_not_whole(status: Status, words: set[str]) -> tuple[str, str]:
    if not _protected(status):
        return "no_integrity", "has no integrity protection"
    for word in ("EXPSIG", "BADSIG"):  # at these gpg stops
        if word in words:
            return _REFUSALS[word]
    return "damaged", "is damaged or cut"


def _bad_passphrase(status: Status, words: set[str]) -> bool:
    if words & {"BAD_PASSPHRASE", "MISSING_PASSPHRASE"}:
        return True
    codes = (line[2] for line in status if line[0] == "ERROR" and len(line) > 2)
    return any(
        code.isdecimal() and int(code) & 0xFFFF in (_BAD_PASSPHRASE, _NO_PASSPHRASE)
        for code in codes
    )


def _protected(status: Status) -> bool:
    """DECRYPTION_INFO <mdc_method> <sym_algo> [<aead_algo>]: one of the two methods is not 0."""
    found = [line for line in status if line[0] == "DECRYPTION_INFO"]
    return bool(found) and all(
        line[1:2] != ["0"] or (line[3:4] != [] and line[3] != "0") for line in found
    )


def _has_integrity(status: Status, words: set[str]) -> bool:
    aead = any(line[0] == "DECRYPTION_INFO" and line[3:4] not in ([], ["0"]) for line in status)
    return "GOODMDC" in words or aead


def _why_not_signed(
    status: Status, words: set[str], signers: Sequence[str]
) -> tuple[str, str] | None:
    for word, reason in _REFUSALS.items():
        if word in words:
            return reason
    valid = [line for line in status if line[0] == "VALIDSIG"]
    good = [line for line in status if line[0] == "GOODSIG"]
    if not valid and not good:
        return "unsigned", "is not signed, and keys.signers demands it"
    # VALIDSIG's last word is the fingerprint of the primary key
    if len(valid) != 1 or len(good) != 1 or valid[0][-1].upper() not in signers:
        return _REFUSALS["ERRSIG"]
    return None
