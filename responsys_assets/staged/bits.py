"""Sets of places in a text as bits, 64 a word: what finds quotes and line ends fast.

A set is an array of uint64; bit i of word w stands for the byte 64 w + i.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint64]
Places = NDArray[np.int32]

WORD = 64
_CHUNK = 1 << 18  # bytes at a time: the flags of them stay in the cache
_ONE = np.uint64(1)
_TOP = np.uint64(63)
_STEPS = tuple(np.uint64(step) for step in (1, 2, 4, 8, 16, 32))
_SPARSE = 8


def places_of(byte: int, text: NDArray[np.uint8]) -> Bits:
    """Where a byte stands in a text, whose length must be a multiple of 64."""
    out = np.empty(len(text) // 8, np.uint8)
    flags = np.empty(min(len(text), _CHUNK), np.bool_)
    for at in range(0, len(text), _CHUNK):
        piece = text[at : at + _CHUNK]
        found = np.equal(piece, byte, out=flags[: len(piece)])
        out[at // 8 : (at + _CHUNK) // 8] = np.packbits(found, bitorder="little")
    return out.view(np.uint64)


def after(bits: Bits) -> Bits:
    """The places that follow a place of the set."""
    out = bits << _ONE
    out[1:] |= bits[:-1] >> _TOP
    return out


def before(bits: Bits) -> Bits:
    """The places that precede a place of the set."""
    out = bits >> _ONE
    out[:-1] |= bits[1:] << _TOP
    return out


def between(toggles: Bits) -> Bits:
    """The places from each odd toggle to before the even one that follows it."""
    out = toggles.copy()
    shifted = np.empty_like(out)
    for step in _STEPS:  # prefix XOR inside each word (Langdale and Lemire, simdjson)
        np.left_shift(out, step, out=shifted)
        out ^= shifted
    odd = np.bitwise_xor.accumulate((out >> _TOP).astype(np.int8))
    out[1:] ^= np.negative(odd[:-1].astype(np.int64)).view(np.uint64)
    return out


def has(bits: Bits, place: int) -> bool:
    """Whether a place is in the set."""
    return bool((bits[place // WORD] >> np.uint64(place % WORD)) & _ONE)


def add(bits: Bits, place: int) -> None:
    """Put one place into the set."""
    bits[place // WORD] |= _ONE << np.uint64(place % WORD)


def places(bits: Bits) -> Places:
    """The places of the set, ascending."""
    words = np.flatnonzero(bits)
    if len(words) * _SPARSE > len(bits):
        return np.flatnonzero(_unpacked(bits)).astype(np.int32)
    found = np.flatnonzero(_unpacked(bits[words]))
    out: Places = (words[found >> 6] * WORD + (found & 63)).astype(np.int32)
    return out


def rank(among: Places, place: int) -> int:
    """How many of ascending places come before a place."""
    return int(among.searchsorted(np.int32(place)))  # of another type, all would be converted


def _unpacked(bits: Bits) -> NDArray[np.bool_]:
    return np.unpackbits(bits.view(np.uint8), bitorder="little").view(np.bool_)
