"""Accepted exports made from Python rows, written straight into a lake."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal

import polars as pl

from responsys_assets.config.models import Config
from responsys_assets.config.project import Project
from responsys_assets.consent.refresh import known_exports
from responsys_assets.consent.refresh import refresh as record
from responsys_assets.lake.exports import Export
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.receipts import Arrival, Outcome, RemoteFile, Verdict
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.profiles.plan import MergePlan, make_plan, read_accepted
from responsys_assets.system_columns import CHANNELS, PERMISSION_COLUMNS

NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
STAMP = dt.datetime(2026, 11, 1, 6, 0, tzinfo=dt.timezone(dt.timedelta(hours=1)))

POLARS = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"),
}

Key = tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A staged row; `updated_us` None means that it has no time."""

    key: Key
    values: Mapping[str, Any]
    updated_us: int | None = None


@dataclass(frozen=True)
class Hold:
    """What a rejected record still says; `key` None if it cannot be read.

    A record that may have had one of several keys has as many holds: its number in all of them.
    `doubt`: its permission could not be read, and so is taken for an opt-out.
    """

    key: Key | None
    values: Mapping[str, str] = field(default_factory=dict)
    updated_us: int | None = None
    record: int | None = None
    doubt: bool = False


@dataclass(frozen=True)
class Sent:
    """An accepted export. `columns` are its data columns with their types.

    An export with a hold without a key is incomplete, as is one with `unidentified` rejects.
    """

    list: str
    columns: Mapping[str, str]
    rows: Sequence[Row] = ()
    holds: Sequence[Hold] = ()
    kind: Literal["full", "incremental"] = "full"
    stamp: dt.datetime = STAMP
    mtime: float = 1.0
    unidentified: int = 0
    content: str = ""
    width: int = 1  # number of match columns

    @property
    def incomplete(self) -> int:
        return self.unidentified + sum(hold.key is None for hold in self.holds)

    @property
    def sha256(self) -> str:
        """Of the bytes, had there been any: differs with `content`."""
        return hashlib.sha256(f"{self.list}|{self.stamp}|{self.content}".encode()).hexdigest()


def project_of(
    folder: Path, lists: Mapping[str, Mapping[str, Any]], profiles: Mapping[str, Any]
) -> Project:
    """A project with these lists; what is not said is some default."""
    config = {
        "account": {"name": "acme", "timezone": "Europe/Rome"},
        "lake": "lake",
        "servers": {"here": {"type": "local", "path": "outbox"}},
        "lists": {
            name: {"server": "here", "files": f"{name}_{{YYYYMMDD}}.csv", **source}
            for name, source in lists.items()
        },
        "profiles": {"match_on": "ID", **profiles},
    }
    return Project(
        Config.model_validate(config, strict=False), folder / "responsys.yaml", {}, lambda: NOW
    )


def plan_of(project: Project, lake: Lake) -> MergePlan:
    """What a merge would be made of now."""
    exports = known_exports(lake)
    record(project, lake, exports)
    return make_plan(project, read_accepted(project, lake, exports))


def withdraw(export: Export, *, opt_outs: bool = False) -> None:
    """As a person does."""
    verdict = Verdict(
        export_id=export.export_id,
        action="withdraw",
        who="ann",
        when=NOW,
        why="wrong file",
        opt_outs=opt_outs,
    )
    (export.folder / "0001.verdict.json").write_text(verdict.model_dump_json())


def hashes(snapshot: Snapshot | None) -> dict[str, str]:
    """The sha256 of every file of a snapshot, by name."""
    assert snapshot is not None
    return {entry["name"]: entry["sha256"] for entry in snapshot.manifest["files"]}


def put(lake: Lake, sent: Sent, shuffle: int | None = None, group: int = 1000) -> Export:
    """Write an export with its receipts as fetching and staging would have.

    `shuffle` is a seed for the order of the rows in the Parquet file, which means nothing, as
    does the number of rows of a `group` in it.
    """
    name = f"{sent.list}_{sent.stamp:%Y%m%d%H%M%S}.csv"
    seen = RemoteFile(name=name, size=1, mtime=sent.mtime)
    arrival = Arrival(
        list=sent.list,
        server="here",
        folder="",
        kind=sent.kind,
        stamp=sent.stamp,
        data=seen,
        ready=None,
        ready_text=None,
        sha256=sent.sha256,
        fetched_at=NOW,
    )
    export = Export(lake, sent.list, (arrival,), (), None)
    _write(export.folder / f"{arrival.identity}.arrival.json", arrival.model_dump_json().encode())
    export.parquet.parent.mkdir(parents=True, exist_ok=True)
    _staged(sent, name, shuffle).write_parquet(export.parquet, row_group_size=group)
    if sent.holds:
        _holds(sent).write_parquet(export.holds)
    outcome = Outcome(
        list=sent.list,
        file=name,
        export_id=export.export_id,
        state="staged",
        records=len(sent.rows) + len(sent.holds),
        staged=len(sent.rows),
        rejected=len(sent.holds),
        unidentified=sent.incomplete,
        odd_permissions=_odd(sent),
        columns=tuple(sent.columns.items()),
        settings="s",
        evidence=export.evidence,
        parquet_sha256=_sha256(export.parquet),
        holds_sha256=_sha256(export.holds) if sent.holds else None,
        decided_at=NOW,
    )
    _write(export.receipt, outcome.model_dump_json().encode())
    return export


def stamp_us(days: float = 0) -> int:
    """Microseconds of STAMP and so many days."""
    return int((STAMP + dt.timedelta(days=days)).timestamp()) * 1_000_000


def day(number: int) -> dt.datetime:
    """The stamp of an export that many days after the first."""
    return STAMP + dt.timedelta(days=number)


def profiles_of(snapshot: Snapshot | None) -> list[dict[str, Any]]:
    """The rows of a snapshot, in the order of its files."""
    assert snapshot is not None
    files = [path for path in snapshot.files if path.parent == snapshot.path]
    return pl.read_parquet(files, glob=False).to_dicts()


def by_key(snapshot: Snapshot | None, column: str) -> dict[str, Any]:
    """The values of a column by the match column ID."""
    return {row["ID"]: row[column] for row in profiles_of(snapshot)}


def closed_addresses(snapshot: Snapshot | None, channel: str) -> list[str]:
    """The closed addresses of a channel."""
    assert snapshot is not None
    return pl.read_parquet(snapshot.path / "closed" / f"{channel}.parquet")["address"].to_list()


def _staged(sent: Sent, name: str, shuffle: int | None) -> pl.DataFrame:
    schema: dict[str, pl.DataType] = {c: POLARS[kind] for c, kind in sent.columns.items()}
    schema |= {"_source_file": pl.String(), "_source_line": pl.Int64(), "_record": pl.Int64()}
    schema |= {"_updated_us": pl.Int64(), "_permissions": pl.UInt8()}
    schema |= {f"_key_{n}": pl.String() for n in range(sent.width)}
    rows = [
        [
            *(row.values.get(c, "" if t == "text" else None) for c, t in sent.columns.items()),
            *(name, record + 1, record, row.updated_us, _permissions(sent, row)),
            *row.key,
        ]
        for record, row in enumerate(sent.rows, 1)
    ]
    if shuffle is not None:
        Random(shuffle).shuffle(rows)  # noqa: S311 - no secret
    return pl.DataFrame(rows, schema=schema, orient="row")


def _permissions(sent: Sent, row: Row) -> int:
    """Two bits a channel, from the lowest on: 1 opted in, 2 opted out."""
    bits = {"": 0, "I": 1, "i": 1}
    said = [
        str(row.values.get(column, "")).strip() if column in sent.columns else ""
        for column in (f"{name}_PERMISSION_STATUS_" for name in ("EMAIL", "MOBILE", "POSTAL"))
    ]
    return sum(bits.get(value, 2) << 2 * place for place, value in enumerate(said))


def _odd(sent: Sent) -> int:
    """How many permission values are neither I nor O nor empty."""
    return sum(
        str(row.values.get(column, "")).strip() not in ("", "I", "i", "O", "o")
        for row in sent.rows
        for column in PERMISSION_COLUMNS & {*sent.columns}
    )


def held_columns(columns: Collection[str]) -> list[str]:
    """What a hold can say of an export with these columns, as staging writes it."""
    channels = [c for c in CHANNELS.values() if c.permission in columns]
    return [name for c in channels for name in (c.permission, c.address)]


def _holds(sent: Sent) -> pl.DataFrame:
    texts = held_columns(sent.columns)
    schema: dict[str, pl.DataType] = {"_record": pl.Int64(), "_updated_us": pl.Int64()}
    schema |= {"_doubt": pl.Boolean()}
    schema |= {f"_key_{n}": pl.String() for n in range(sent.width)}
    schema |= {name: pl.String() for name in texts}
    rows = [
        [
            *(hold.record or len(sent.rows) + number, hold.updated_us, hold.doubt),
            *(hold.key or (None,) * sent.width),
            *(hold.values.get(c, "") for c in texts),
        ]
        for number, hold in enumerate(sent.holds, 1)
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
