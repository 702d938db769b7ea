"""Character sets: the stream becomes UTF-8, and offsets and raw records stay the file's own.

What cannot be decoded stays recognisable as invalid UTF-8 (an encoded surrogate), so one bad
byte rejects one record and not the file, and its raw bytes can be given back exactly.
"""

from __future__ import annotations

import codecs

import numpy as np
from numpy.typing import NDArray

from responsys_assets.errors import ConfigError
from responsys_assets.staged.held import HeldError

Bytes = NDArray[np.uint8]

_BOMS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
}
_FOREIGN = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ASCII = 0x80
_CUT_OFF = b"\xff"  # what stands for half a UTF-16 unit at the end of a file


class Charset:
    """How the bytes of one file are to be read; used for one file, from its start.

    Raises:
        ConfigError: for one that is neither UTF-8, UTF-16 nor of one byte a character.
    """

    def __init__(self, name: str) -> None:
        try:
            self._codec = codecs.lookup(name).name.removesuffix("-sig")
        except LookupError:
            self._codec = ""
        self._name = name
        self._wide = self._codec.startswith("utf-16")
        if not (self._wide or self._codec == "utf-8" or _is_single_byte(self._codec)):
            raise ConfigError(
                "charset",
                f"charset {name} cannot be read; expected utf-8, utf-16 or a character set of "
                "one byte a character, such as latin-1 or cp1252",
                key="charset",
            )
        self._errors = "surrogatepass" if self._wide else "surrogateescape"
        self._half = b""
        self._widths = self._width_table()

    def start(self, head: bytes) -> int:
        """Look at the first bytes of the file; returns the size of its byte order mark.

        Raises:
            HeldError: `wrong_charset`, if the mark is that of another character set.
        """
        if self._codec == "utf-16":
            big = head.startswith(codecs.BOM_UTF16_BE)
            self._codec = "utf-16-be" if big else "utf-16-le"
        own = _BOMS.get(self._codec)
        if own is not None and head.startswith(own):
            return len(own)
        if head.startswith(_FOREIGN):
            found = "utf-8" if head.startswith(codecs.BOM_UTF8) else "utf-16"
            raise HeldError(
                "wrong_charset",
                f"the file begins with the mark of {found} but is to be read as {self._name}; "
                "mend the export or the list's charset",
            )
        return 0

    def decode(self, chunk: bytes | bytearray | memoryview, *, final: bool) -> bytes | memoryview:
        """The next bytes of the file as UTF-8."""
        if self._codec == "utf-8":
            return memoryview(chunk)
        if self._wide:
            return self._decode_wide(bytes(chunk), final=final)
        if np.frombuffer(chunk, np.uint8).max(initial=0) < _ASCII:
            return memoryview(chunk)
        text = codecs.decode(bytes(chunk), self._codec, self._errors)
        return text.encode("utf-8", "surrogatepass")

    def _decode_wide(self, chunk: bytes, *, final: bool) -> bytes:
        chunk = self._half + chunk
        keep = len(chunk) & 1
        high = len(chunk) - keep - (1 if self._codec == "utf-16-le" else 2)
        if not final and high >= 0 and chunk[high] & 0xFC == 0xD8:
            keep += 2  # the first half of a pair waits for the second
        whole = len(chunk) - keep
        self._half = chunk[whole:]
        text = chunk[:whole].decode(self._codec, "surrogatepass").encode("utf-8", "surrogatepass")
        return text + _CUT_OFF if final and self._half else text

    def offsets(self, text: Bytes, places: NDArray[np.int32]) -> NDArray[np.int64]:
        """How many bytes of the file each ascending place in decoded text stands for."""
        if self._codec == "utf-8" or not len(places):
            return places.astype(np.int64)
        sums = np.zeros(int(places[-1]) + 1, np.int32)
        np.cumsum(self._widths[text[: places[-1]]], out=sums[1:])
        return sums[places].astype(np.int64)

    def is_as_sent(self, text: Bytes) -> bool:
        """Whether text is byte for byte what the file has."""
        return self._codec == "utf-8" or not (self._wide or text.max(initial=0) >= _ASCII)

    def raw(self, text: bytes) -> bytes:
        """The bytes of the file that were decoded to this text."""
        if self._codec == "utf-8":
            return text
        cut_off = self._half if text.endswith(_CUT_OFF) and self._wide else b""
        decoded = text[: len(text) - len(cut_off)].decode("utf-8", "surrogatepass")
        return decoded.encode(self._codec, self._errors) + cut_off

    def _width_table(self) -> Bytes:
        """Bytes of the file for each byte of UTF-8: all counted at a character's first byte."""
        table = np.full(256, 2 if self._wide else 1, np.uint8)
        table[0x80:0xC0] = 0
        if self._wide:
            table[0xF0:0xF8] = 4
            table[0xFF] = 1
        return table


def _is_single_byte(codec: str) -> bool:
    """Whether every byte is a character of its own, and the ASCII ones are ASCII."""
    try:
        text = bytes(range(256)).decode(codec, "surrogateescape")
    except (LookupError, UnicodeError, ValueError):
        return False
    return len(text) == 256 and text[:128] == bytes(range(128)).decode("ascii")
