"""Rows of text to the bytes of a file: CSV, then gzip, then PGP, as a stream.

Of an encrypted file nothing else than the ciphertext ever touches the disk.
"""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

import polars as pl
from isal import __version__ as isal_version
from isal import igzip

from responsys_assets.config.models import Delivery
from responsys_assets.config.project import Project
from responsys_assets.lake.publish import disk_errors
from responsys_assets.pgp.encrypt import encrypting
from responsys_assets.threads import ahead

VERSION = f"isal {isal_version}"
Reason = Literal["enclosure", "charset"]
_GZIP_LEVEL = 2  # a tenth larger than level 6 of zlib, in a tenth of its time


class UnrenderableError(Exception):
    """A value cannot be written the way the configuration wants it; holds no value."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Written:
    """Records (without the header) and the sha256 of the content before compression."""

    rows: int
    sha256: str


def write_file(
    project: Project,
    delivery: Delivery,
    target: Path,
    names: Sequence[str],
    batches: Iterable[pl.DataFrame],
) -> Written:
    """Write one delivery file; every column of the batches is text and never null.

    Raises:
        UnrenderableError: if a value does not fit the enclosure or the charset; what was
            written so far is worthless.
        PgpError: if it cannot be encrypted.
    """
    hasher = hashlib.sha256()
    rows = 0
    # rendered on another thread while what came before is compressed and encrypted
    chunks = ahead(_chunks(delivery, names, batches), 1)
    with _opened(project, delivery, target) as out, closing(chunks):
        for count, content in chunks:
            hasher.update(content)
            out.write(content)
            rows += count
    return Written(rows, hasher.hexdigest())


@contextmanager
def _opened(project: Project, delivery: Delivery, target: Path) -> Iterator[IO[bytes]]:
    with _sink(project, delivery, target) as sink:
        if delivery.compression == "none":
            yield sink
            return
        # no name and no time inside, so that equal content gives equal bytes
        with igzip.IGzipFile(  # type: ignore[no-untyped-call]
            filename="", mode="wb", fileobj=sink, mtime=0, compresslevel=_GZIP_LEVEL
        ) as out:
            yield cast(IO[bytes], out)


@contextmanager
def _sink(project: Project, delivery: Delivery, target: Path) -> Iterator[IO[bytes]]:
    if delivery.encrypt_for:
        with encrypting(project, delivery.encrypt_for, delivery.sign, target) as sink:
            yield cast(IO[bytes], sink)
    else:
        with disk_errors(f"cannot write {target.name}"), target.open("wb") as file:
            yield file


def _chunks(
    delivery: Delivery, names: Sequence[str], batches: Iterable[pl.DataFrame]
) -> Generator[tuple[int, bytes]]:
    """(records, bytes) of the header and of each batch, in the file's charset."""
    encoder = codecs.getincrementalencoder(delivery.charset)()
    schema = dict.fromkeys(names, pl.String)
    header = [pl.DataFrame([names], schema=schema, orient="row")] if delivery.header else []
    for frame in header:
        yield 0, _encode(encoder, _csv(delivery, frame))
    for batch in batches:
        yield batch.height, _encode(encoder, _csv(delivery, batch))
    try:
        yield 0, encoder.encode("", final=True)
    except UnicodeError:
        raise UnrenderableError("charset") from None


def _csv(delivery: Delivery, frame: pl.DataFrame) -> str:
    bare = delivery.enclosure == "none"
    if bare and _holds_any(frame, [delivery.separator, "\n", "\r"]):
        raise UnrenderableError("enclosure")
    buffer = io.BytesIO()
    frame.write_csv(
        buffer,
        include_header=False,
        separator=delivery.separator,
        quote_style="never" if bare else "always",
        line_terminator="\n",
    )
    return buffer.getvalue().decode()


def _holds_any(frame: pl.DataFrame, marks: Sequence[str]) -> bool:
    found = frame.select(pl.all().str.contains_any(list(marks)).any())
    return any(found.row(0))


def _encode(encoder: codecs.IncrementalEncoder, text: str) -> bytes:
    try:
        return encoder.encode(text)
    except UnicodeError:
        raise UnrenderableError("charset") from None
