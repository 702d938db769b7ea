"""How one export is to be read: everything the blocks of it have in common."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pyarrow as pa

from responsys_assets.config.models import ProfileList
from responsys_assets.lake.exports import Export
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
from responsys_assets.staged.times import DAY, micros

_SECOND = 1_000_000
_MICROSECOND = dt.timedelta(microseconds=1)


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
    until: int  # microseconds of UTC: what is said to be later is in the future

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


def latest_time(export: Export, source: ProfileList) -> int:
    """The latest time that its records may have, as microseconds of UTC: a day after the end of
    what its stamp names (a day, a second), or after it was written if that was later.

    A server's clock is believed up to the time at which the file was here.
    """
    patterns = dict(source.patterns())
    pattern = patterns.get(export.kind)
    length = pattern.precision if pattern else dt.timedelta(days=1)
    written = min(min(a.data.mtime, a.fetched_at.timestamp()) for a in export.arrivals)
    end = micros(export.stamp) + length // _MICROSECOND
    return max(end, int(written * _SECOND)) + DAY
