"""The configuration as frozen models: the single truth about what `responsys.yaml` may say.

Every model forbids unknown keys and is validated as strict JSON, so a number is never taken
for a text nor a text for a number.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from responsys_assets.config.patterns import FilePattern
from responsys_assets.config.values import (
    Country,
    Cron,
    Deadline,
    Duration,
    EnvReference,
    Identifier,
    Limit,
    TimeZoneName,
)

ColumnType = Literal["text", "integer", "number", "boolean", "date", "timestamp"]
NonEmpty = Annotated[str, StringConstraints(min_length=1)]


class Model(BaseModel):
    """Frozen, closed, strict."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class Account(Model):
    name: NonEmpty
    timezone: TimeZoneName = Field(
        description="Zone of the stamps in file names and of timestamps without an offset"
    )
    country: Country | None = Field(
        default=None,
        description="Country of mobile numbers without a calling code; none: they stay as they are",
    )


class Keep(Model):
    """Retention; nothing is removed unless it is said here."""

    exported: Duration | None = None
    snapshots: Annotated[int, Field(ge=1)] | None = None
    rejects: Duration | None = None


class SftpServer(Model):
    type: Literal["sftp"]
    host: NonEmpty
    port: Annotated[int, Field(ge=1, le=65535)] | EnvReference = 22
    username: NonEmpty
    private_key_file: NonEmpty | None = None
    passphrase: EnvReference | None = None
    password: EnvReference | None = None
    host_keys: tuple[NonEmpty, ...] = ()
    known_hosts_file: NonEmpty | None = None


class LocalServer(Model):
    type: Literal["local"]
    path: NonEmpty


Server = Annotated[SftpServer | LocalServer, Field(discriminator="type")]


class DecryptKey(Model):
    private_key_file: NonEmpty
    passphrase: EnvReference | None = None


class Recipient(Model):
    public_key_file: NonEmpty


Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{40}([0-9A-Fa-f]{24})?$")]


class Keys(Model):
    decrypt: DecryptKey | None = None
    signers: tuple[Fingerprint, ...] = Field(
        default=(), description="If not empty, exports must be signed by one of these"
    )
    recipients: dict[Identifier, Recipient] = {}


class ReadyFile(Model):
    """How a ready file of an export is named and what it says."""

    suffix: NonEmpty = ".ready"
    count: Literal["required", "optional", "none"] = "required"
    counts_header: bool = False


class FilesByKind(Model):
    full: FilePattern
    incremental: FilePattern


class ProfileList(Model):
    """One profile list: where its exports are and how to read them."""

    server: Identifier
    folder: str = ""
    files: FilePattern | FilesByKind
    ready: ReadyFile | Literal["none"] = ReadyFile()
    settle: Duration | None = None
    export: Literal["full", "incremental"] = "full"
    since: dt.date | None = None
    encrypted: bool = False
    delimiter: Literal[",", ";", "|", "tab", "\t"] = ","
    enclosure: Literal['"', "none"] = '"'
    header: bool = True
    charset: NonEmpty = "utf-8"
    updated_at: NonEmpty | None = None
    timestamp_format: NonEmpty = "%Y-%m-%d %H:%M:%S"
    columns: dict[NonEmpty, ColumnType] = {}
    rename: dict[NonEmpty, NonEmpty] = {}
    max_rejected: Limit = Limit(percent=5.0)
    required: bool = True
    deadline: Deadline | None = Field(
        default=None,
        description=(
            "When an export of the day must be accepted; without it the cadence of the list is "
            "learnt from its exports; none: the list is never late"
        ),
    )

    def patterns(self) -> Iterator[tuple[Literal["full", "incremental"], FilePattern]]:
        """The kinds of export this list has, each with its file-name pattern."""
        if isinstance(self.files, FilesByKind):
            yield "full", self.files.full
            yield "incremental", self.files.incremental
        else:
            yield self.export, self.files

    @property
    def separator(self) -> str:
        return "\t" if self.delimiter == "tab" else self.delimiter

    def name_of(self, file_column: str) -> str:
        """The name a column of the file has everywhere else."""
        return self.rename.get(file_column, file_column)

    def type_of(self, file_column: str) -> ColumnType:
        """The declared type; `columns` may use the file's name or the new one."""
        declared = self.columns.get(self.name_of(file_column))
        return declared or self.columns.get(file_column, "text")

    @property
    def declared_types(self) -> dict[str, ColumnType]:
        """Declared types by final name."""
        return {self.name_of(name): kind for name, kind in self.columns.items()}

    @property
    def updated_at_column(self) -> str | None:
        """Final name of the column that holds the time of a record's last update."""
        return None if self.updated_at is None else self.name_of(self.updated_at)


class Priority(Model):
    priority: Annotated[tuple[Identifier, ...], Field(min_length=1)]


Rule = Literal["latest", "latest_non_empty", "smallest", "largest"] | Priority


class Profiles(Model):
    """How lists become one row a person."""

    match_on: NonEmpty | Annotated[tuple[NonEmpty, ...], Field(min_length=1)]
    insert_new: bool = True
    primary: Identifier | None = None
    columns: Literal["all", "shared"] | Annotated[tuple[NonEmpty, ...], Field(min_length=1)] = "all"
    rules: dict[NonEmpty, Rule] = {}
    together: tuple[Annotated[tuple[NonEmpty, ...], Field(min_length=2)], ...] = ()

    @property
    def match_columns(self) -> tuple[str, ...]:
        return (self.match_on,) if isinstance(self.match_on, str) else self.match_on


class Suppression(Model):
    file: NonEmpty
    column: NonEmpty
    min_entries: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="Fewer entries stop the segments; default: half of those it had before",
    )


class Segment(Model):
    where: NonEmpty
    channel: Literal["email", "mobile", "postal", "none"]
    columns: Literal["all"] | Annotated[tuple[NonEmpty, ...], Field(min_length=1)] = "all"


class DeliveryReady(Model):
    suffix: NonEmpty = ".ready"
    count: bool = True


class Guard(Model):
    """What a plan may change before a person must let it go."""

    max_added: Limit | None = None
    max_removed: Limit | None = None
    min_rows: Annotated[int, Field(ge=0)] | None = None


class Delivery(Model):
    segment: Identifier
    to: Identifier
    folder: str = ""
    file: FilePattern
    mode: Literal["full", "changes"] = "full"
    columns: Annotated[tuple[NonEmpty, ...], Field(min_length=1)] | None = None
    rename: dict[NonEmpty, NonEmpty] = {}
    compression: Literal["none", "gzip"] = "none"
    encrypt_for: tuple[Identifier, ...] = ()
    sign: bool = False
    ready: DeliveryReady | Literal["none"] = "none"
    guard: Guard = Guard()
    when_unchanged: Literal["skip", "send"] = "skip"
    delimiter: Literal[",", ";", "|", "tab", "\t"] = ","
    enclosure: Literal['"', "none"] = '"'
    header: bool = True
    charset: NonEmpty = "utf-8"

    @property
    def separator(self) -> str:
        return "\t" if self.delimiter == "tab" else self.delimiter


class Schedule(Model):
    cron: Cron
    on_missing: Literal["fail", "proceed"] = "fail"


class Alert(Model):
    """A program that is told of every failed run, as one line on its standard input."""

    command: Annotated[tuple[NonEmpty, ...], Field(min_length=1)]  # no shell


class Config(Model):
    """Everything `responsys.yaml` says, in the order in which data flows."""

    account: Account
    lake: NonEmpty
    keep: Keep = Keep()
    servers: Annotated[dict[Identifier, Server], Field(min_length=1)]
    keys: Keys = Keys()
    lists: Annotated[dict[Identifier, ProfileList], Field(min_length=1)]
    profiles: Profiles
    suppressions: tuple[Suppression, ...] = ()
    segments: dict[Identifier, Segment] = {}
    deliveries: dict[Identifier, Delivery] = {}
    schedule: Schedule | None = None
    alert: Alert | None = None

    @field_validator("segments")
    @classmethod
    def _profiles_is_taken(cls, segments: dict[str, Segment]) -> dict[str, Segment]:
        if "profiles" in segments:
            raise ValueError("a segment cannot be called profiles: deliveries use that name")
        return segments
