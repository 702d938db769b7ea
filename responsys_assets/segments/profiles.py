"""The current profiles as an input: files, columns, types, values."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

from responsys_assets.errors import LakeError
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot, SnapshotStore
from responsys_assets.normalise import normalise

_TYPES: tuple[tuple[type[pl.DataType], str], ...] = (
    (pl.String, "text"),
    (pl.Boolean, "boolean"),
    (pl.Date, "date"),
    (pl.Datetime, "timestamp"),
    (pl.Float64, "number"),
    (pl.Int64, "integer"),
)


def current_profiles(lake: Lake) -> Snapshot:
    """The snapshot that segments are made from.

    Raises:
        LakeError: if there is none yet.
    """
    snapshot = SnapshotStore(lake.profiles()).current()
    if snapshot is None:
        raise LakeError(
            "no_profiles", "there are no profiles yet: no export was staged; see `responsys status`"
        )
    return snapshot


def profile_files(snapshot: Snapshot) -> list[Path]:
    """The data files of a snapshot; those in subfolders are something else."""
    return [path for path in snapshot.files if path.parent == snapshot.path]


def column_types(files: Sequence[Path]) -> dict[str, str]:
    """The columns of Parquet files in order, with their types as the configuration calls them."""
    with files[0].open("rb") as file:  # polars would take a path for a pattern
        schema = pl.read_parquet_schema(file)
    return {name: _type_of(kind) for name, kind in schema.items()}


@dataclass(frozen=True)
class ProfileValues:
    """A column of all profiles as it is (`value`) and as it is compared (`normal`)."""

    rows: pl.DataFrame

    @classmethod
    def read(cls, profiles: Sequence[Path], column: str, country: str | None) -> ProfileValues:
        """The column of these files."""
        values = pl.scan_parquet(list(profiles), glob=False).select(pl.col(column).alias("value"))
        rows = values.collect()
        return cls(rows.with_columns(normalise(rows["value"], column, country).alias("normal")))

    def like(self, normalised: pl.Series) -> pl.DataFrame:
        """The distinct values (column `value`) that normalise to one of `normalised`."""
        wanted = normalised.alias("normal").to_frame().lazy()
        rows = self.rows.lazy().join(wanted, on="normal", how="semi")
        return rows.select("value").unique().collect()

    def of_domains(self, domains: Collection[str]) -> pl.DataFrame:
        """The distinct values that are addresses of one of these domains."""
        if not domains:
            return self.rows.select("value").clear()
        domain = self.rows["normal"].str.extract("@([^@]*)$")
        chosen = domain.is_in([*domains])
        return self.rows.filter(chosen).select("value").unique()

    def hashed(self, hashes: Collection[str]) -> pl.DataFrame:
        """The distinct values with one of these MD5 or SHA-256 hashes of what they normalise to."""
        if not hashes:
            return self.rows.select("value").clear()
        with duckdb.connect(":memory:") as connection:
            connection.register("people", self.rows.to_arrow())
            connection.register("hashes", pa.table({"hash": sorted(hashes)}))
            people = connection.sql(
                "SELECT DISTINCT value FROM people SEMI JOIN hashes "
                "ON hash IN (md5(normal), sha256(normal))"
            )
            return self.rows.select("value").clear().vstack(people.pl())


def _type_of(kind: pl.DataType) -> str:
    return next((name for known, name in _TYPES if isinstance(kind, known)), str(kind).lower())
