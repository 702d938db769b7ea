"""The rules of spelling in plain Python, value by value: an oracle for the normaliser."""

from __future__ import annotations

import unicodedata

IGNORED = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2065\u2800\u3164\uffa0"
    + "".join(map(chr, [*range(0xFE00, 0xFE10), *range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000)]))
    # of a later Unicode than Python's
    + "".join(map(chr, [0x890, 0x891, *range(0x13430, 0x13440)]))
)


def unseen(character: str) -> bool:
    """Whether nobody sees it."""
    return unicodedata.category(character) in ("Cc", "Cf") or character in IGNORED


def key(text: str) -> str:
    """A key as it is compared."""
    return unicodedata.normalize("NFC", "".join(c for c in text if not unseen(c))).strip()


def email(text: str) -> str:
    """An e-mail address as it is compared."""
    text = _folded(text)
    before = None
    while text != before:
        before = text
        while text and (text[0].isspace() or text[0] in _QUOTES):
            text = text[1:]
        while text and (text[-1].isspace() or text[-1] in _QUOTES + "."):
            text = text[:-1]
        inner = _between_brackets(text)
        if inner is not None:
            text = inner
        elif text.startswith("mailto:"):
            text = text.removeprefix("mailto:").split("?")[0]
    if "@" not in text:
        return text
    local, domain = text.rsplit("@", 1)
    labels = [
        label if label.isascii() else "xn--" + label.encode("punycode").decode()
        for label in domain.split(".")
    ]
    return f"{local}@{'.'.join(labels)}"


_QUOTES = "\"'<>,;\u2018\u2019\u201c\u201d\u00ab\u00bb"


def _folded(text: str) -> str:
    text = unicodedata.normalize("NFKC", "".join(c for c in text if not unseen(c)))
    text = unicodedata.normalize("NFKC", text.lower().replace("ς", "σ").replace("。", "."))
    while "i\u0307" in text:
        text = text.replace("i\u0307", "i")
    return unicodedata.normalize("NFKC", text).strip()


def _between_brackets(text: str) -> str | None:
    """The first address in brackets; the last one may be open."""
    pieces = text.split("<")[1:]
    for number, piece in enumerate(pieces, 1):
        inside, bracket, _ = piece.partition(">")
        if "@" in inside and (bracket or number == len(pieces)):
            return inside
    return None
