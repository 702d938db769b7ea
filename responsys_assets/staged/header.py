"""The head of a file: which line ends it has, and its header line."""

from __future__ import annotations

import re

from responsys_assets.staged.fields import Pieces, read_record, without_line_end
from responsys_assets.staged.held import HeldError
from responsys_assets.staged.records import Dialect
from responsys_assets.staged.splitter import LIMIT

_SAMPLE = 1 << 20
_QUOTED = re.compile(rb'"[^"]*"?')
_LF, _CR = 10, 13
_LINE_ENDS = {_LF: re.compile(rb"\n"), _CR: re.compile(rb"\r")}


def dialect_of(head: bytes, separator: str, *, quoted: bool) -> Dialect:
    """The dialect of a file; CR ends its records if outside of quotes there is CR and no LF."""
    sample = head[:_SAMPLE]
    outside = _QUOTED.sub(b"", sample) if quoted else sample
    newline = _CR if b"\r" in outside and b"\n" not in outside else _LF
    return Dialect(ord(separator), quoted, newline)


def read_header(head: bytes, dialect: Dialect) -> tuple[list[str], int, int]:
    """Column names, blank lines before them, and where the first record begins.

    Raises:
        HeldError: `no_header`, `wrong_charset`.
    """
    begin = blank = 0
    for line_end in _LINE_ENDS[dialect.newline].finditer(head[:LIMIT]):
        raw = head[begin : line_end.end()]
        bare = without_line_end(raw, dialect)
        if bare:
            pieces = read_record(bare, dialect)
            if pieces.whole:
                return _names(pieces), blank, line_end.end()
            if not dialect.quoted or bare.count(b'"') % 2 == 0:
                break  # with an odd number of quotes a name may go on in the next line
        else:
            blank += 1
            begin = line_end.end()
    else:
        pieces = read_record(head[begin:], dialect)
        if pieces.whole and len(head) > begin:
            return _names(pieces), blank, len(head)
        if len(head) == begin:
            raise HeldError(
                "no_header", "the file is empty: there is no header line; mend the export"
            )
    raise HeldError("no_header", "the first line cannot be read as a header; mend the export")


def _names(pieces: Pieces) -> list[str]:
    try:
        return [field.decode() for field in pieces.fields]
    except UnicodeDecodeError:
        raise HeldError(
            "wrong_charset",
            "the header has bytes that are not of the list's charset; mend the export or the "
            "list's charset",
        ) from None
