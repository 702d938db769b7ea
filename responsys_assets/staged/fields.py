"""The fields of records: good ones as Arrow string views into the text, damaged ones by hand.

Arrow's variable-size binary view layout: 16 bytes a value, its length and then either the value
itself (12 bytes or less) or its first 4 bytes, a buffer's number and the place in that buffer.
Nothing is copied but short values, and nothing is parsed a second time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from responsys_assets.staged.bits import Places
from responsys_assets.staged.charset import Bytes
from responsys_assets.staged.records import Dialect
from responsys_assets.staged.splitter import Cut

Views = NDArray[np.complex128]  # only a 16-byte thing that numpy can move in one go
Words = NDArray[np.uint64]

_QUOTE, _CR, _LF = 34, 13, 10
_SHORT = 12
_CHUNK = 1 << 16  # fields at a time: temporary arrays stay in the cache
_MANY = 20_000  # fields: above it the whole text is rewritten at once
_TAIL = 16  # bytes that may be read behind the end of a field
_32 = np.uint64(32)
_FIRST_4 = np.array([((1 << 8 * min(n, 4)) - 1) << 32 for n in range(14)], np.uint64)
_NEXT_8 = np.array([(1 << 8 * min(max(n - 4, 0), 8)) - 1 for n in range(14)], np.uint64)


@dataclass(frozen=True)
class Fields:
    """The values of good records, by column."""

    views: Views  # columns, rows
    buffers: tuple[pa.Buffer, ...]

    @property
    def rows(self) -> int:
        return int(self.views.shape[1])

    def column(self, index: int) -> pa.Array:
        """A column as `string_view`; its bytes are taken to be UTF-8."""
        views = pa.py_buffer(np.ascontiguousarray(self.views[index]))
        return pa.Array.from_buffers(pa.string_view(), self.rows, [None, views, *self.buffers])

    def series(self, index: int) -> pl.Series:
        """A column for polars."""
        found = pl.from_arrow(self.column(index))
        assert isinstance(found, pl.Series)  # noqa: S101 - for the type checker
        return found

    def only(self, rows: NDArray[np.bool_]) -> Fields:
        """Some of the rows."""
        return Fields(np.ascontiguousarray(self.views[:, rows]), self.buffers)


def binary(text: Bytes, starts: Places, ends: Places) -> pa.Array:
    """Pieces of a text as `binary`; behind the text must be some bytes more."""
    made = []
    for at in range(0, len(starts), _CHUNK):
        views = pa.py_buffer(_views(text, starts[at : at + _CHUNK], ends[at : at + _CHUNK], 0))
        count = len(starts[at : at + _CHUNK])
        buffers = [None, views, pa.py_buffer(text)]
        made.append(pa.Array.from_buffers(pa.binary_view(), count, buffers).cast(pa.binary()))
    return pa.concat_arrays(made) if made else pa.nulls(0, pa.binary())


def good_fields(text: Bytes, cut: Cut, dialect: Dialect) -> Fields:
    """The fields of the good records of a block; `text` is kept, not copied."""
    rows, columns = cut.ends.shape
    starts = np.empty_like(cut.ends)
    starts[:, :1] = cut.starts[:, None]
    starts[:, 1:] = cut.ends[:, :-1] + 1
    ends = cut.ends.copy()
    if dialect.newline == _LF:
        last = ends[:, -1]
        last -= (last > starts[:, -1]) & (text[last - 1] == _CR)
    starts, ends = starts.ravel(), ends.ravel()
    if dialect.quoted:
        quoted = text[starts] == _QUOTE
        starts += quoted
        ends -= quoted
    views = np.empty((columns, rows), np.complex128)
    step = max(1, _CHUNK // columns)
    for row in range(0, rows, step):
        chunk = slice(row * columns, min(rows, row + step) * columns)
        made = _views(text, starts[chunk], ends[chunk], 0)
        views[:, row : row + step] = made.reshape(-1, columns).T
    buffers = [pa.py_buffer(text)]
    if len(cut.doubled):
        plain, found, fields = _undoubled(text, starts, ends, cut.doubled)
        views[fields % columns, fields // columns] = found
        buffers.append(pa.py_buffer(plain))
    return Fields(views, tuple(buffers))


def _views(text: Bytes, starts: Places, ends: Places, buffer: int) -> Views:
    pieces: Views = np.ndarray((len(text) - 15,), np.complex128, buffer=text, strides=(1,))
    at = starts.astype(np.intp)
    out = pieces[at]
    words: Words = out.view(np.uint64).reshape(-1, 2)
    low, high = words[:, 0], words[:, 1]
    lengths = ends - starts
    kinds = np.minimum(lengths, _SHORT + 1)
    head = low << _32
    head &= _FIRST_4.take(kinds, mode="clip")  # clipping: the check of bounds costs more
    head |= lengths.view(np.uint32)
    high <<= _32
    low >>= _32
    high |= low
    high &= _NEXT_8.take(kinds, mode="clip")
    low[:] = head
    long = np.flatnonzero(kinds > _SHORT)
    high[long] = (at[long].view(np.uint64) << _32) | np.uint64(buffer)
    return out


def _undoubled(
    text: Bytes, starts: Places, ends: Places, doubled: Places
) -> tuple[Bytes, Views, NDArray[np.int64]]:
    """The fields with doubled quotes in them: a text where they are single, views, and which."""
    at = np.searchsorted(ends, doubled)
    fields = np.unique(at[starts[at] <= doubled])
    starts, ends = starts[fields], ends[fields]
    if len(fields) > _MANY:
        plain = np.delete(text, doubled)
        starts = starts - np.searchsorted(doubled, starts).astype(np.int32)
        ends = ends - np.searchsorted(doubled, ends).astype(np.int32)
    else:
        values = [
            text[start:end].tobytes().replace(b'""', b'"')
            for start, end in zip(starts, ends, strict=True)
        ]
        plain = np.frombuffer(b"".join(values) + bytes(_TAIL), np.uint8)
        ends = np.cumsum([len(value) for value in values], dtype=np.int32)
        starts = ends - np.array([len(value) for value in values], np.int32)
    return plain, _views(plain, starts, ends, 1), fields


@dataclass(frozen=True)
class Pieces:
    """The fields of one record as bytes, read from the left up to the first fault.

    `whole` says that there was none; otherwise each field was followed by a separator.
    """

    fields: list[bytes]
    whole: bool


def read_record(raw: bytes, dialect: Dialect) -> Pieces:
    """The fields of one record without its line end, for rejects and headers."""
    separator = bytes([dialect.separator])
    fields: list[bytes] = []
    at = 0
    while True:
        if dialect.quoted and raw.startswith(b'"', at):
            end = _closing_quote(raw, at + 1)
            if end is None:
                return Pieces(fields, whole=False)
            value, at = raw[at + 1 : end].replace(b'""', b'"'), end + 1
        else:
            end = raw.find(separator, at)
            value = raw[at:] if end < 0 else raw[at:end]
            at += len(value)
            if bytes([dialect.newline]) in value or (dialect.quoted and b'"' in value):
                return Pieces(fields, whole=False)
        if at < len(raw) and not raw.startswith(separator, at):
            return Pieces(fields, whole=False)
        fields.append(value)
        if at >= len(raw):
            return Pieces(fields, whole=True)
        at += 1


def _closing_quote(raw: bytes, at: int) -> int | None:
    while (end := raw.find(b'"', at)) >= 0:
        if not raw.startswith(b'"', end + 1):
            return end
        at = end + 2
    return None


def bare_ends(text: Bytes, starts: Places, ends: Places, dialect: Dialect) -> Places:
    """Where records end without their line ends, which some may lack."""
    ended = text[ends - 1] == dialect.newline
    bare: Places = ends - ended.astype(ends.dtype)
    if dialect.newline == _LF:
        bare -= (ended & (bare > starts) & (text[bare - 1] == _CR)).astype(ends.dtype)
    return bare


def without_line_end(raw: bytes, dialect: Dialect) -> bytes:
    """A record without its line end."""
    bare = raw.removesuffix(bytes([dialect.newline]))
    return bare.removesuffix(b"\r") if dialect.newline == _LF and len(bare) < len(raw) else bare
