"""Content is told from its bytes; containers that are cut or damaged are refused."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
import zlib

import pytest

from responsys_assets.errors import ExportError
from responsys_assets.staged.content import read_content

TEXT = b"".join(b"%d,some text,%d\n" % (n, n * 7919) for n in range(30_000))


def unpack(data: bytes) -> bytes:
    return b"".join(read_content(io.BytesIO(data)))


class OneWay:
    """A pipe: it cannot seek, so zip files written to it need data descriptors."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""


def zipped(
    *members: bytes, method: int = zipfile.ZIP_DEFLATED, pipe: bool = False, zip64: bool = False
) -> bytes:
    target = OneWay() if pipe else io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:  # type: ignore[call-overload]
        for number, member in enumerate(members):
            with archive.open(f"member{number}", "w", force_zip64=zip64) as file:
                file.write(member)
    return target.data if isinstance(target, OneWay) else target.getvalue()


@pytest.mark.parametrize(
    "packed",
    [
        TEXT,
        b"",
        gzip.compress(TEXT),
        gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]) + bytes(512),
        zipped(TEXT),
        zipped(TEXT, method=zipfile.ZIP_STORED),
        zipped(TEXT, pipe=True),
        zipped(TEXT, zip64=True),
        zipped(TEXT, pipe=True, zip64=True),
        gzip.compress(zipped(TEXT)),
        zipped(gzip.compress(TEXT)),
    ],
)
def test_the_text_comes_out_whatever_it_is_packed_in(packed: bytes) -> None:
    assert unpack(packed) in (TEXT, b"")
    assert (unpack(packed) == b"") == (packed == b"")


def test_an_empty_file_in_a_container_is_empty() -> None:
    assert unpack(zipped(b"")) == b""
    assert unpack(gzip.compress(b"")) == b""


def test_a_folder_in_an_archive_is_passed_over() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.mkdir("folder")
        archive.writestr("folder/data.csv", TEXT)
    assert unpack(target.getvalue()) == TEXT


@pytest.mark.parametrize("container", [gzip.compress(TEXT), zipped(TEXT), zipped(TEXT, pipe=True)])
def test_a_container_cut_anywhere_is_refused(container: bytes) -> None:
    chance = random.Random(1)  # noqa: S311 - not a secret
    cuts = [
        5,
        12,
        29,
        len(container) - 1,
        *(chance.randrange(4, len(container)) for _ in range(40)),
    ]
    for cut in cuts:
        with pytest.raises(ExportError) as caught:
            unpack(container[:cut])
        assert caught.value.code == "content_damaged"


@pytest.mark.parametrize("container", [gzip.compress(TEXT), zipped(TEXT), zipped(TEXT, pipe=True)])
def test_a_flipped_bit_is_refused_or_harmless(container: bytes) -> None:
    chance = random.Random(2)  # noqa: S311 - not a secret
    for _ in range(60):
        damaged = bytearray(container)
        damaged[chance.randrange(30, len(container))] ^= 1 << chance.randrange(8)
        try:
            assert unpack(bytes(damaged)) == TEXT  # such as a bit of a time in a directory
        except ExportError as error:
            assert error.code in ("content_damaged", "content_unreadable")  # noqa: PT017


@pytest.mark.parametrize(
    "data",
    [
        zipped(TEXT, TEXT),
        zipped(),
        zipped(TEXT, method=zipfile.ZIP_BZIP2),
        gzip.compress(gzip.compress(gzip.compress(TEXT))),
        b"-----BEGIN PGP MESSAGE-----\n",
        b"\x85\x01\x0c\x03" + bytes(20),
    ],
)
def test_what_cannot_be_one_text_is_refused(data: bytes) -> None:
    with pytest.raises(ExportError) as caught:
        unpack(data)
    assert caught.value.code == "content_unreadable"


def test_something_behind_a_container_is_refused() -> None:
    for container in (gzip.compress(TEXT), zipped(TEXT)):
        with pytest.raises(ExportError):
            unpack(container + b"more")


def test_a_bomb_stops_at_the_cap() -> None:
    engine = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(engine.compress(bytes(1 << 20)) for _ in range(300)) + engine.flush()
    for packed in (bomb, gzip.compress(bomb), zipped(bomb)):
        sizes = (len(piece) for piece in read_content(io.BytesIO(packed)))
        seen: list[int] = []
        with pytest.raises(ExportError) as caught:
            seen.extend(sizes)
        assert caught.value.code == "bomb"
        assert sum(seen) <= 64 << 20
