"""Receipts: what arrived, what became of it, and what a person decided. The state is derived.

    exported/<list>/<date>/<sha12>/<file>             the export as it was sent
    exported/<list>/<date>/<sha12>/<id>.arrival.json  one for every time it was seen anew
    exported/<list>/<date>/<sha12>/<n>.verdict.json   accept, retry or withdraw, by a person
    staged/<list>/<date>/<sha>.json                   the reading in force: accepted if any was
    staged/<list>/<date>/<sha>.refused.json           a newer reading that was not accepted
    staged/<list>/<date>/<sha>.parquet                the staged records, if it was accepted
    staged/<list>/<date>/<sha>.holds.parquet          opt-outs and keys of rejected records
    rejects/<list>/<date>/<sha>.parquet               the quarantine: rejected records, raw

`<sha>` hashes the stamp and the content, so equal bytes of two hours are two exports. An export
that is staged anew gets new files, `<sha>.<edition>.parquet`; its receipt then names these.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from responsys_assets.errors import LakeError
from responsys_assets.lake.publish import Workspace

Kind = Literal["full", "incremental"]
Action = Literal["accept", "retry", "withdraw"]
PRUNED = ".pruned.json"  # after the name of a file that retention removed
REFUSED = ".refused.json"


class Receipt(BaseModel):
    """A small JSON file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises LakeError if the file is missing or damaged."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            said = f"this receipt cannot be read; {cls.remedy(path)}"
            raise LakeError("receipt_damaged", said, file=str(path)) from None

    @classmethod
    def remedy(cls, path: Path) -> str:
        """What to do about a damaged receipt; nothing that was said is lost by it."""
        return f"restore {path.name} from a backup of the lake; nothing else holds what it says"

    def write(self, workspace: Workspace, path: Path) -> None:
        workspace.publish_bytes((self.model_dump_json(indent=2) + "\n").encode(), path)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as a server showed it: its identity is name, size and mtime.

    Small, for a folder may hold a hundred thousand.
    """

    name: str
    size: int
    mtime: float

    def as_json(self) -> str:
        """As it stands in receipts."""
        return _REMOTE_FILE.dump_json(self).decode()


_REMOTE_FILE = TypeAdapter(RemoteFile)


class Arrival(Receipt):
    """An export that was fetched, or seen again with the same content.

    `stamp` has the account's offset; `ready_text` is the ready file's content.
    """

    list: str
    server: str
    folder: str
    kind: Kind
    stamp: dt.datetime
    data: RemoteFile
    ready: RemoteFile | None
    ready_text: str | None
    ambiguous_ready: bool = False
    unsettled: bool = False  # its mtime was far ahead, and it was not seen for long enough yet
    sha256: str
    fetched_at: dt.datetime

    @classmethod
    def remedy(cls, path: Path) -> str:
        list_name = path.parts[-4]
        return (
            "restore it from a backup of the lake. Without one, delete it only if the server of "
            f"{list_name} still has the export, or once it was sent again: then it is fetched "
            "anew. Else its records would leave the profiles"
        )

    @property
    def day(self) -> dt.date:
        """The partition: the day of the stamp in account time."""
        return self.stamp.date()

    @property
    def identity(self) -> str:
        """Hash of what the server showed: what is shown otherwise gets a receipt of its own."""
        shown = self.model_dump_json(
            include={"data", "ready", "ready_text", "ambiguous_ready", "unsettled"}
        )
        return hashlib.sha256(shown.encode()).hexdigest()[:12]

    @property
    def export_id(self) -> str:
        """Hash of stamp and content."""
        text = f"{self.stamp.isoformat()}|{self.sha256}"
        return hashlib.sha256(text.encode()).hexdigest()


class Verdict(Receipt):
    """What a person decided on an export.

    `opt_outs`: a withdrawal also takes back what the export says of consent.
    """

    export_id: str
    action: Action
    who: str
    when: dt.datetime
    why: str
    opt_outs: bool = False

    @classmethod
    def remedy(cls, path: Path) -> str:
        list_name = path.parts[-4]
        return (
            "restore it from a backup of the lake. Without one, move it out of the lake and decide "
            f"again before the next sync, with `responsys exports {list_name} accept|retry|withdraw"
            " FILE --why TEXT`: else the export counts as if nobody had decided"
        )


class Outcome(Receipt):
    """What staging made of an export.

    `reason` is a stable code, `detail` a sentence for a person. For `staged`,
    `records == staged + rejected`; `unidentified` counts rejects whose key cannot be read.
    `columns` are the staged data columns with their types, in the order of the file;
    `new_columns` and `gone_columns` differ from the accepted export before it.
    `odd_permissions` counts values that are not understood and so count as opt-outs.
    `edition` counts how often it was staged anew. `match_on` are the columns of its keys,
    `spelling` the rules by which these were normalised. `zone` is the time zone in which its
    wall-clock times of update were read, None if it has none; `resolution` how long the moment
    lasts that such a time tells (microseconds).
    """

    list: str
    file: str
    export_id: str
    state: Literal["staged", "held", "failed"]
    reason: str | None = None
    detail: str | None = None
    records: int = 0
    staged: int = 0
    rejected: int = 0
    blank: int = 0
    unidentified: int = 0
    rejected_by_reason: dict[str, int] = {}
    odd_permissions: int = 0
    new_columns: tuple[str, ...] = ()
    gone_columns: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    match_on: tuple[str, ...] | None = None
    spelling: str | None = None
    zone: str | None = None
    resolution: int = 1
    settings: str
    evidence: str
    edition: int = 0
    parquet_sha256: str | None = None
    holds_sha256: str | None = None
    rejects_sha256: str | None = None
    decided_at: dt.datetime

    @classmethod
    def remedy(cls, path: Path) -> str:
        """Without its receipt an export is read anew, if its file is still in the lake."""
        if path.name.endswith(REFUSED):
            return "delete it: the reading that was accepted stays in force, as before"
        list_name, day = path.parts[-3:-1]
        exported = path.parents[3] / "exported" / list_name / day
        if any(_holds_file_of(arrival, path.stem) for arrival in exported.glob("*/*.arrival.json")):
            return (
                "restore it from a backup of the lake, or delete it: the next sync reads the "
                "export anew from the lake, with today's settings and keys. Until that reading is "
                "accepted its records are not in the profiles"
            )
        return (
            "restore it from a backup of the lake; do not delete it, for the export it is about is "
            "no longer in the lake and its records would leave the profiles. Without a backup, "
            "have the export sent again, and delete this receipt then"
        )


def _holds_file_of(receipt: Path, export_id: str) -> bool:
    """Whether this is a receipt of that export, with the file as it was sent beside it."""
    try:
        arrival = Arrival.read(receipt)
    except LakeError:
        return False
    return arrival.export_id == export_id and (receipt.parent / arrival.data.name).is_file()
