"""A corpus of files, well-formed and then damaged, and a reader of them with nothing in common
with ours: one regular expression."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

VALUES = [
    "", "", "", "007", "1e5", "NULL", "a,b;c|d", 'say "hi"', '"', "line\nbreak", "a\r\nb",
    "\nx\n\ny\n", "a\rb", "é", "e\u0301", "\u212b", "ß", "😀", "\0", " x ", "\t", "=1+1", "\ufeff",
    "x" * 12, "x" * 13, "long " * 400,
]  # fmt: skip
PLAIN = ["Rome", "12", "x y"]
MARKS = {",": ",", ";": ";", "|": "|", "tab": "\t"}


@dataclass(frozen=True)
class Form:
    """How a file is written."""

    delimiter: str
    newline: str
    quoted: bool
    charset: str
    mark: bytes  # byte order mark
    columns: int
    typed: bool  # whether the last column is a whole number

    @property
    def separator(self) -> str:
        return MARKS[self.delimiter]

    @property
    def codec(self) -> str:
        return "utf-16-le" if self.charset == "utf-16" else self.charset

    @property
    def names(self) -> list[str]:
        return ["id", *(f"c{n}" for n in range(1, self.columns))]

    @property
    def settings(self) -> dict[str, Any]:
        """The list's configuration."""
        typed = {"columns": {self.names[-1]: "integer"}} if self.typed else {}
        enclosure = '"' if self.quoted else "none"
        return {
            "delimiter": self.delimiter,
            "enclosure": enclosure,
            "charset": self.charset,
            **typed,
        }


@dataclass(frozen=True)
class Record:
    """Where a record is, line end included, and its values."""

    start: int
    end: int
    values: tuple[str, ...]


@dataclass
class File:
    """A file; `damage` fills the last two: records that an edit changed, and whether edits may
    have changed how the rest is read."""

    form: Form
    content: bytes
    head: int
    records: list[Record]
    touched: set[int] = field(default_factory=set)
    unsettled: bool = False

    def untouched(self) -> list[Record]:
        return [r for n, r in enumerate(self.records) if n not in self.touched]


def well_formed(chance: Random) -> File:
    """A file as an exporter would write it."""
    charset, mark = chance.choice(
        [
            *[("utf-8", b"")] * 6,
            ("utf-8", b"\xef\xbb\xbf"),
            ("latin-1", b""),
            ("cp1252", b""),
            ("utf-16", b"\xff\xfe"),
            ("utf-16-be", b""),
        ]
    )
    columns = chance.choice([2, 3, 3, 5, 8])
    form = Form(
        delimiter=chance.choice([",", ",", ",", *MARKS]),
        newline=chance.choice(["\n", "\n", "\r\n", "\r\n", "\r"]),
        quoted=chance.random() < 0.85,
        charset=charset,
        mark=mark,
        columns=columns,
        typed=columns > 2 and chance.random() < 0.3,
    )
    odd, always = chance.choice([0.05, 0.3, 0.8]), chance.choice([0, 0.3, 1])
    values = [v for v in VALUES if _fits(v, form)]
    content = mark + form.separator.join(form.names).encode(form.codec)
    content += form.newline.encode(form.codec)
    head, records = len(content), []
    for number in range(chance.randint(1, 40)):
        row = [f"{number:03}"]
        row += [chance.choice(values if chance.random() < odd else PLAIN) for _ in form.names[1:]]
        if form.typed:
            row[-1] = chance.choice(["", "7", "-12"])
        cells = [_cell(value, form, quote=chance.random() < always) for value in row]
        raw = (form.separator.join(cells) + form.newline).encode(form.codec)
        records.append(Record(len(content), len(content) + len(raw), tuple(row)))
        content += raw
    return File(form, content, head, records)


def _fits(value: str, form: Form) -> bool:
    try:
        value.encode(form.codec)
    except UnicodeEncodeError:
        return False
    return form.quoted or not set(value) & {form.separator, "\n", "\r"}


def _cell(value: str, form: Form, *, quote: bool) -> str:
    if form.quoted and (quote or set(value) & {form.separator, "\n", "\r", '"'}):
        return '"' + value.replace('"', '""') + '"'
    return value


Edit = tuple[int, int, bytes]
"""Where, how many bytes go, and what comes instead."""


def damage(file: File, chance: Random) -> File:
    """The file after one to four edits of its records."""
    edits: dict[int, Edit] = {}
    for _ in range(chance.choice([1, 1, 1, 2, 3, 4])):
        place = chance.randrange(file.head, len(file.content) + 1)
        edit = chance.choice(_EDITS)(file, place, chance)
        if all(place + edit[1] <= at or at + size < place for at, size, _ in edits.values()):
            edits[place] = edit
    content = file.content
    out = File(file.form, content, file.head, file.records)
    for at, size, new in sorted(edits.values(), reverse=True):
        old, content = content[at : at + size], content[:at] + new + content[at + size :]
        out.touched |= _hit(file, at, size)
        structure = {0x22, 0x0D, 0x0A} if file.form.newline == "\r" else {0x22}
        out.unsettled |= bool(structure & {*old, *new})
        if file.form.codec.startswith("utf-16"):  # half a character may make others of the rest
            out.touched |= set(range(len(file.records)))
    out.content = content
    return out


def _hit(file: File, at: int, size: int) -> set[int]:
    """The records that an edit changes: one without its line end goes on into the next."""
    unit = len("\n".encode(file.form.codec))
    width = unit * len(file.form.newline)
    hit = set()
    for number, record in enumerate(file.records):
        if record.start <= at < record.end or at <= record.start < at + size:
            hit.add(number)
            if at + size > record.end - width:
                hit.add(number + 1)
    return hit | ({len(file.records) - 1} if at == len(file.content) else set())


def _insert(*things: bytes) -> Callable[[File, int, Random], Edit]:
    return lambda file, place, chance: (place, 0, chance.choice(things))


def _replace(file: File, place: int, chance: Random) -> Edit:
    return place, min(1, len(file.content) - place), bytes([chance.choice([*b'",\n\r;x\0', 0x80])])


def _flip(file: File, place: int, chance: Random) -> Edit:
    byte = file.content[place : place + 1]
    return place, len(byte), bytes(b ^ 1 << chance.randrange(8) for b in byte)


def _cut(file: File, place: int, chance: Random) -> Edit:
    return place, min(chance.choice([1, 2, 7, 60]), len(file.content) - place), b""


def _end(file: File, place: int, chance: Random) -> Edit:
    return place, len(file.content) - place, b""


def _twice(file: File, place: int, chance: Random) -> Edit:
    record = chance.choice(file.records)
    return record.start, 0, file.content[record.start : record.end]


_EDITS: list[Callable[[File, int, Random], Edit]] = [
    _insert(b'"'),
    _insert(b'"', b'""', b'",', b',"', b'"\n', b'\n"'),
    _insert(b",", b";", b"|", b"\t"),
    _insert(b"\n", b"\r\n", b"\r", b"\n\n", b"\r\r\n"),
    _insert(b"\0", b"\0\0"),
    _insert(b"\xef\xbb\xbf", b"\xff\xfe", b"\xe9", "é".encode(), b"\xed\xa0\x80"),
    _insert(b"x" * 3000, b'"' * 5, b"," * 300),
    _replace,
    _flip,
    _cut,
    _end,
    _twice,
]


@dataclass(frozen=True)
class Grammar:
    """RFC 4180 for one file, as a regular expression."""

    form: Form
    newline: str

    @property
    def field(self) -> str:
        mark = re.escape(self.form.separator)
        if not self.form.quoted:
            return f"(?:[^{mark}{self.newline}]*)"
        return f'(?:"(?:[^"]|"")*"|[^"{mark}{self.newline}]*)'

    def records(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """Offset and values of each record of a text that has nothing else but blank lines.

        Raises:
            ValueError: if there is anything else.
        """
        end = "\r?(?:\n|\\Z)" if self.newline == "\n" else "(?:\r|\\Z)"
        mark, last = re.escape(self.form.separator), self.field.replace("]*)", "]*?)")
        record = re.compile(f"((?:{self.field}{mark})*?)({last}){end}")
        one = re.compile(f"({self.field}){mark}")
        at = 0
        while at < len(text):
            found = record.match(text, at)
            if found is None:
                raise ValueError(f"no record at {at}")
            if found[1] or found[2]:
                cells = [*one.findall(found[1]), found[2]]
                yield at, [self._value(cell) for cell in cells]
            at = found.end()

    def _value(self, cell: str) -> str:
        if self.form.quoted and cell.startswith('"'):
            return cell[1:-1].replace('""', '"')
        return cell

    def is_record(self, raw: str) -> list[str] | None:
        """The values of a text that is one whole record with the right number of columns."""
        try:
            found = list(self.records(raw))
        except ValueError:
            return None
        return found[0][1] if len(found) == 1 and len(found[0][1]) == self.form.columns else None


def grammar_of(file: File) -> Grammar:
    """The grammar of a file: CR ends records if no LF is outside of quotes."""
    text = file.content.decode(file.form.codec, "replace")
    outside = "".join(text.split('"')[::2]) if file.form.quoted else text
    return Grammar(file.form, "\r" if "\r" in outside and "\n" not in outside else "\n")
