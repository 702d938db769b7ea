"""What an export is made of, told from its bytes and not from its name: zip, gzip or text.

Containers are unpacked as streams, without seeking and without a file on disk, and are checked
to their last byte: a container that is cut, damaged or has something after it is an error.
Formats: PKWARE APPNOTE 6.3.10 (zip), RFC 1952 (gzip).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn, Protocol

from responsys_assets.errors import ExportError

PIECE = 1 << 20
MAX_RATIO = 200
MAX_FLOOR = 64 << 20
MAX_BYTES = 1 << 40
MAX_DEPTH = 2

_GZIP = b"\x1f\x8b\x08"
_ZIP = b"PK\x03\x04"
_ZIP_EMPTY = b"PK\x05\x06"
_ARMOUR = b"-----BEGIN PGP"
_DESCRIPTOR = b"PK\x07\x08"
_CENTRAL = b"PK\x01\x02"
_LOCAL = struct.Struct("<4s5H3I2H")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_END_FIXED = 22
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _DESCRIBED = 1, 8
_MAX_32 = 0xFFFFFFFF


class Readable(Protocol):
    """A stream of bytes: files and decryptions."""

    def readinto(self, buffer: bytearray, /) -> int | None: ...


class Pieces:
    """A stream as pieces, with the look-ahead that telling formats apart needs."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._ahead = b""
        self.taken = 0

    def peek(self, size: int) -> bytes:
        """The next bytes without taking them; fewer only at the end."""
        while len(self._ahead) < size and (piece := next(self._pieces, b"")):
            self._ahead += piece
        return self._ahead[:size]

    def take(self, size: int) -> bytes:
        """The next bytes; fewer only at the end."""
        found = self.peek(size)
        self._ahead = self._ahead[len(found) :]
        self.taken += len(found)
        return found

    def piece(self) -> bytes:
        """Whatever comes next; empty only at the end."""
        piece = self._ahead or next(self._pieces, b"")
        self._ahead = b""
        self.taken += len(piece)
        return piece

    def give_back(self, rest: bytes) -> None:
        """Put bytes back that were taken too many."""
        self._ahead = rest + self._ahead
        self.taken -= len(rest)


def read_content(stream: Readable) -> Iterator[bytes]:
    """The text inside a stream, whatever it is packed in, as pieces of any size.

    Raises:
        ExportError: `content_damaged`, `content_unreadable`, or `bomb` if it unpacks to more than
            200 times its size (64 MiB are always allowed).
    """
    source = Pieces(_pieces_of(stream))
    inner = source
    for depth in range(MAX_DEPTH + 1):
        unpacked = _unpacked(inner)
        if unpacked is None:
            break
        if depth == MAX_DEPTH:
            _unreadable(f"it is packed more than {MAX_DEPTH} times")
        inner = Pieces(_capped(unpacked, source))
    while piece := inner.piece():
        yield piece


def _pieces_of(stream: Readable) -> Iterator[bytes]:
    buffer = bytearray(PIECE)  # reused: a pipe gives far less at a time
    while count := stream.readinto(buffer):
        yield bytes(memoryview(buffer)[:count])


def _unpacked(source: Pieces) -> Iterator[bytes] | None:
    """The content of a container, or None if the stream is none."""
    head = source.peek(16)
    if head.startswith(_GZIP):
        return _gunzip(source)
    if head.startswith((_ZIP, _ZIP_EMPTY)):
        return _unzip(source)
    if head.startswith(_ARMOUR) or _is_pgp(head):
        _unreadable("it is an OpenPGP message; set `encrypted: true` for its list")
    return None


def _is_pgp(head: bytes) -> bool:
    """A public-key encrypted session key packet, version 3 (RFC 4880, 4.2 and 5.1)."""
    lengths = {0x84: 2, 0x85: 3, 0xC1: 2}
    at = lengths.get(head[0]) if head else None
    if head[:1] == b"\xc1" and head[1:2] >= b"\xc0":
        at = 3
    return at is not None and head[at : at + 1] == b"\x03"


def _capped(pieces: Iterator[bytes], source: Pieces) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > min(MAX_BYTES, max(MAX_FLOOR, MAX_RATIO * source.taken)):
            raise ExportError(
                "bomb", "it unpacks to out of all proportion to its size; ask its sender what it is"
            )
        yield piece


def _gunzip(source: Pieces) -> Iterator[bytes]:
    """All members of a gzip stream; zero padding after the last one is allowed."""
    while source.peek(3) == _GZIP:
        yield from _inflate(source, zlib.MAX_WBITS | 16)
    while rest := source.piece():
        if rest.strip(b"\0"):
            _damaged("there is something after the end of the gzip data")


def _inflate(source: Pieces, window: int) -> Iterator[bytes]:
    engine = zlib.decompressobj(window)
    try:
        while not engine.eof:
            data = source.piece()
            if not data:
                _damaged("the packed data is cut")
            more = True
            while more and not engine.eof:
                unpacked = engine.decompress(data, PIECE)
                data = engine.unconsumed_tail
                more = bool(data) or len(unpacked) == PIECE
                if unpacked:
                    yield unpacked
    except zlib.error:
        _damaged("the packed data is damaged")
    source.give_back(engine.unused_data)


@dataclass
class _Member:
    method: int
    described: bool
    crc: int
    packed: int
    size: int
    name: bytes
    zip64: bool

    @property
    def is_folder(self) -> bool:
        return self.name.endswith(b"/") and self.size == 0


def _unzip(source: Pieces) -> Iterator[bytes]:
    """The one file of a zip archive."""
    found = 0
    entries = 0
    while source.peek(4) == _ZIP:
        member = _local_header(source)
        entries += 1
        if not member.is_folder:
            found += 1
        if found > 1:
            _unreadable("the zip archive holds more than one file")
        yield from _member(source, member)
    if not found:
        _unreadable("the zip archive holds no file")
    _directory(source, entries)


def _local_header(source: Pieces) -> _Member:
    fixed = source.take(_LOCAL.size)
    if len(fixed) < _LOCAL.size:
        _damaged("the zip archive is cut")
    _, _, flags, method, _, _, crc, packed, size, of_name, of_extra = _LOCAL.unpack(fixed)
    name, extra = source.take(of_name), source.take(of_extra)
    if len(name) + len(extra) < of_name + of_extra:
        _damaged("the zip archive is cut")
    if flags & _ENCRYPTED:
        _unreadable("the zip archive is protected by a password")
    if method not in (_STORED, _DEFLATED):
        _unreadable(f"the zip archive uses compression method {method}; expected deflate or none")
    wide = _zip64(extra)
    if wide is not None and len(wide) >= 16 and packed == size == _MAX_32:
        size, packed = struct.unpack("<2Q", wide[:16])
    described = bool(flags & _DESCRIBED)
    return _Member(method, described, crc, packed, size, name, wide is not None)


def _zip64(extra: bytes) -> bytes | None:
    while len(extra) >= 4:
        kind, length = struct.unpack("<2H", extra[:4])
        if kind == 1:
            return extra[4 : 4 + length]
        extra = extra[4 + length :]
    return None


def _member(source: Pieces, member: _Member) -> Iterator[bytes]:
    if member.method == _STORED and member.described and not member.packed and not member.is_folder:
        _unreadable("the zip archive stores its file without saying how long it is")
    begin, size, crc = source.taken, 0, 0
    stored = member.method == _STORED
    pieces = _stored(source, member.packed) if stored else _inflate(source, -zlib.MAX_WBITS)
    for piece in pieces:
        size += len(piece)
        crc = zlib.crc32(piece, crc)
        yield piece
    packed = source.taken - begin
    if member.described:
        _descriptor(source, crc, packed, size)
    elif (member.crc, member.packed, member.size) != (crc, packed, size):
        _damaged("the zip archive's content does not fit its checksum")


def _stored(source: Pieces, size: int) -> Iterator[bytes]:
    while size:
        piece = source.take(min(size, PIECE))
        if not piece:
            _damaged("the zip archive is cut")
        size -= len(piece)
        yield piece


def _descriptor(source: Pieces, crc: int, packed: int, size: int) -> None:
    """What follows a member of unknown length: with or without signature, 32 or 64 bits wide."""
    for form in ("<3I", "<I2Q"):
        if form == "<3I" and max(packed, size) > _MAX_32:
            continue
        plain = struct.pack(form, crc, packed, size)
        for expected in (_DESCRIPTOR + plain, plain):
            ahead = source.peek(len(expected) + 4)
            if ahead[: len(expected)] == expected and ahead[-4:-2] == b"PK":
                source.take(len(expected))
                return
    _damaged("the zip archive's content does not fit its checksum")


def _directory(source: Pieces, members: int) -> None:
    """The directory at the end: it must list what was found and end the file."""
    entries = 0
    while source.peek(4) == _CENTRAL:
        fixed = source.take(_ENTRY.size)
        if len(fixed) < _ENTRY.size:
            _damaged("the zip archive is cut")
        lengths = sum(_ENTRY.unpack(fixed)[10:13])
        if len(source.take(lengths)) < lengths:
            _damaged("the zip archive is cut")
        entries += 1
    rest = source.take(1 << 17)  # zip64 records, the end record and a comment of 64 KiB at most
    at = rest.rfind(_ZIP_EMPTY)
    whole = at >= 0 and len(rest) >= at + _END_FIXED and not source.peek(1)
    if not whole or len(rest) != at + _END_FIXED + int.from_bytes(
        rest[at + 20 : at + 22], "little"
    ):
        _damaged("the zip archive is cut, or something follows it")
    if entries != members:
        _damaged("the zip archive's directory does not fit its content")


def _damaged(what: str) -> NoReturn:
    raise ExportError("content_damaged", f"{what}; ask its sender to send it again")


def _unreadable(what: str) -> NoReturn:
    raise ExportError("content_unreadable", what)
