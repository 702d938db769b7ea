"""A stream as blocks of text: unpacked, in UTF-8, of a size that depends on the content alone."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np

from responsys_assets.staged.charset import Bytes, Charset
from responsys_assets.staged.content import Readable, read_content

BLOCK = 8 << 20


@dataclass(frozen=True)
class Block:
    """The next text of a file.

    `size` counts bytes of the unpacked file; the first `skipped` of them are a byte order mark.
    """

    text: Bytes
    final: bool
    size: int
    skipped: int


def read_blocks(stream: Readable, charset: Charset, size: int = BLOCK) -> Generator[Block]:
    """The content of a stream; the last block, and only it, is final.

    Raises:
        ExportError: see `read_content`.
        HeldError: see `Charset.start`.
    """
    first = True
    for content, final in _filled(read_content(stream), size):
        skipped = charset.start(content[:4].tobytes()) if first else 0
        text = charset.decode(content[skipped:], final=final)
        yield Block(np.frombuffer(text, np.uint8), final, len(content), skipped)
        first = False


def _filled(pieces: Iterator[bytes], size: int) -> Iterator[tuple[memoryview, bool]]:
    """The pieces as blocks of exactly `size` bytes, the last one shorter (or empty)."""
    block, filled = memoryview(bytearray(size)), 0
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            if filled == size:
                yield block, False
                block, filled = memoryview(bytearray(size)), 0
            count = min(size - filled, len(rest))
            block[filled : filled + count] = rest[:count]
            filled += count
            rest = rest[count:]
    yield block[:filled], True
