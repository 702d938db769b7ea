"""Characters that nobody sees, and those that look like others."""

from __future__ import annotations

import re
import unicodedata

# every character for which str.isspace() is true
WHITESPACE = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)

# Unicode's Cc, Cf and Default_Ignorable_Code_Point, and the blank Braille pattern. Written out,
# so that a key does not depend on the version of Unicode that a library has.
_UNSEEN = (
    (0x00, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x34F, 0x34F), (0x600, 0x605), (0x61C, 0x61C),
    (0x6DD, 0x6DD), (0x70F, 0x70F), (0x890, 0x891), (0x8E2, 0x8E2), (0x115F, 0x1160),
    (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F),
    (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB), (0x110BD, 0x110BD), (0x110CD, 0x110CD), (0x13430, 0x1343F),
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip

INVISIBLE = "[" + "".join(f"{chr(low)}-{chr(high)}" for low, high in _UNSEEN) + "]"
"""A regular expression, for Python and for polars, of one character that nobody sees."""

_invisible = re.compile(INVISIBLE)
_dots_above = re.compile("i\u0307+")


def visible(text: str) -> str:
    """The text without what nobody sees, in it or around it."""
    return _invisible.sub("", text).strip(WHITESPACE)


def folded(text: str) -> str:
    """The text with what looks alike or differs in case made the same."""
    text = unicodedata.normalize("NFKC", _invisible.sub("", text)).lower()
    # the Greek letter at the end of a word, a full stop of China, the dot of a Turkish capital
    text = text.replace("\u03c2", "\u03c3").replace("\u3002", ".")
    text = _dots_above.sub("i", unicodedata.normalize("NFKC", text))
    return unicodedata.normalize("NFKC", text).strip(WHITESPACE)
