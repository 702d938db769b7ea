"""How one export is to be read: everything the blocks of it have in common."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pyarrow as pa

from responsys_assets.config.models import ProfileList
from responsys_assets.staged.charset import Charset
from responsys_assets.staged.columns import (
    ARROW_TYPES,
    PERMISSIONS,
    RECORD,
    SOURCE_FILE,
    SOURCE_LINE,
    UPDATED_US,
    Layout,
)
from responsys_assets.staged.records import Dialect


@dataclass(frozen=True)
class Reading:
    """The list's configuration, what the file's head said, and where the file comes from."""

    source: ProfileList
    layout: Layout
    dialect: Dialect
    charset: Charset
    zone: ZoneInfo
    file: str
    stamp: dt.datetime

    @property
    def schema(self) -> pa.Schema:
        """The columns of the staged Parquet."""
        return pa.schema(
            [
                *((column.name, ARROW_TYPES[column.kind]) for column in self.layout.columns),
                (SOURCE_FILE, pa.dictionary(pa.int32(), pa.string())),
                (SOURCE_LINE, pa.int64()),
                (RECORD, pa.int64()),
                (UPDATED_US, pa.int64()),
                (PERMISSIONS, pa.uint8()),
                *((name, pa.string_view()) for name in self.layout.key_names),
            ]
        )
