"""A Connect-style exporter: what a Responsys account would put on its file server, dirt included.

Three lists. CORE and LOYALTY are exported in full every day, WEB in full on the first day and
incrementally from then on. All three know some of the same people and disagree about them.

| list | looks like | the first day's dirt |
| --- | --- | --- |
| CORE | commas, quotes, newlines and accents in fields | a cut record, an unreadable date |
| LOYALTY | pipes without enclosure, key called member_id | a shifted record, an impossible date |
| WEB | gzip inside PGP | records without key, a permission that is neither I nor O |

Besides: keys that occur twice (some with equal times), a LOYALTY export that stopped early, so
its ready file is wrong, and a WEB increment that is sent again, mended.
"""

from __future__ import annotations

import datetime as dt
import io
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import polars as pl

from responsys_assets.demo.lists import Lists
from responsys_assets.demo.sender import encrypt

_CHUNK_ROWS = 200_000
_LATENCY = dt.timedelta(minutes=2)  # from the stamp to the file being complete

Part = pl.DataFrame | bytes


@dataclass(frozen=True)
class DemoExport:
    """One file of the account: its name, its content in pieces, and what its ready file says.

    `stamp` is local account time. `promised` is the ready file's count if it is wrong.
    """

    list_name: str
    name: str
    ready_name: str
    stamp: dt.datetime
    parts: tuple[Part, ...]
    delimiter: Literal[",", "|"] = ","
    inner_gzip: bool = False
    promised: int | None = None
    sent_after: dt.timedelta = _LATENCY

    @property
    def records(self) -> int:
        """Records in the file; a damaged one counts, a blank line does not."""
        return sum(
            part.height if isinstance(part, pl.DataFrame) else int(part.strip() != b"")
            for part in self.parts
        )

    def plaintext(self) -> Iterator[bytes]:
        """The CSV in pieces."""
        header = True
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
                continue
            for chunk in part.iter_slices(_CHUNK_ROWS):
                yield _csv(chunk, self.delimiter, header=header)
                header = False


def _csv(frame: pl.DataFrame, delimiter: str, *, header: bool) -> bytes:
    out = io.BytesIO()
    frame.write_csv(
        out,
        include_header=header,
        separator=delimiter,
        quote_style="always" if delimiter == "," else "never",
    )
    return out.getvalue()


@dataclass(frozen=True)
class Exporter:
    """Writes exports of `rows` records a list into `folder`, encrypted for `public_key`.

    The same rows, seed and first day give the same names and the same plaintext.
    """

    folder: Path
    public_key: Path
    rows: int
    first_day: dt.date
    timezone: dt.tzinfo
    seed: int = 2026

    @cached_property
    def lists(self) -> Lists:
        return Lists(self.seed, self.rows, self.first_day)

    def exports(self, day: int) -> list[DemoExport]:
        """What the account exports on a day, counted from 0; the first has the dirt."""
        first = day == 0
        core = self.lists.core(day)
        loyalty = self.lists.loyalty(day)
        out = [
            self._export("core", "CORE", self._stamp(day, "00:15"), _with_dirt(core, first)),
            self._export(
                "loyalty", "LOYALTY", self._stamp(day, "00:20"), _with_shift(loyalty, first)
            ),
        ]
        if not first:
            return [*out, self.increment(day)]
        web = self._export("web", "WEB_FULL", self._stamp(0, "00:30"), (self.lists.web(),))
        stopped = loyalty.head(max(10, min(500, loyalty.height // 2)))
        again = self._export("loyalty", "LOYALTY", self._stamp(0, "00:50"), (stopped,))
        return [*out, web, self.increment(day), replace(again, promised=loyalty.height)]

    def increment(self, day: int, *, mended: bool = False) -> DemoExport:
        """The increment of WEB; unmended, one of its dates cannot be read."""
        frame = self.lists.web_changes(day, mended=mended)
        export = self._export("web", "WEB_DELTA", self._stamp(day, "00:45"), (frame,))
        return replace(export, sent_after=dt.timedelta(minutes=12)) if mended else export

    def _stamp(self, day: int, time: str) -> dt.datetime:
        date = self.first_day + dt.timedelta(days=day)
        return dt.datetime.combine(date, dt.time.fromisoformat(time))

    def _export(
        self, list_name: str, kind: str, stamp: dt.datetime, parts: tuple[Part, ...]
    ) -> DemoExport:
        stem = f"{kind}_{stamp:%Y%m%d_%H%M%S}"
        suffix = "txt" if list_name == "loyalty" else "csv"
        # the three ready-file names that are seen in the field
        ready = {"core": f"{stem}.csv.gpg.ready", "loyalty": f"{stem}.ready"}
        return DemoExport(
            list_name,
            name=f"{stem}.{suffix}.gpg",
            ready_name=ready.get(list_name, f"{stem}.csv.ready"),
            stamp=stamp,
            parts=parts,
            delimiter="|" if list_name == "loyalty" else ",",
            inner_gzip=list_name == "web",
        )

    def write(self, export: DemoExport) -> Path:
        """Encrypt an export into the folder, then write its ready file.

        Raises:
            PgpError: if gpg cannot encrypt.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / export.name
        part = self.folder / f".{export.name}.part"
        content = export.plaintext()
        encrypt(
            _gzipped(content) if export.inner_gzip else content,
            part,
            self.public_key,
            compress=not export.inner_gzip,
        )
        moment = (export.stamp.replace(tzinfo=self.timezone) + export.sent_after).timestamp()
        os.utime(part, (moment, moment))
        part.replace(target)
        ready = self.folder / export.ready_name
        ready.write_text(f"{export.records if export.promised is None else export.promised}\n")
        os.utime(ready, (moment + 5, moment + 5))
        return target


def _with_dirt(core: pl.DataFrame, first: bool) -> tuple[Part, ...]:
    """One record that was cut after its third field, and a blank line."""
    if not first:
        return (core,)
    middle = core.height // 2
    cut = _csv(core[middle : middle + 1], ",", header=False)
    cut = b",".join(cut.split(b",")[:3]) + b"\n"
    return core[:middle], cut, b"\n", core[middle + 1 :]


def _with_shift(loyalty: pl.DataFrame, first: bool) -> tuple[Part, ...]:
    """One record whose name holds the delimiter, which nothing can escape."""
    if not first:
        return (loyalty,)
    middle = loyalty.height // 2
    shifted = _csv(loyalty[middle : middle + 1], "|", header=False)
    fields = shifted.split(b"|")
    fields[3] = b"Stubbs|Dummy"
    return loyalty[:middle], b"|".join(fields), loyalty[middle + 1 :]


def _gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(level=1, wbits=31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()
