"""Claims of rejected records that a later version of their export has settled by itself.

When an export is sent again with the same stamp, a record that was rejected in the first content
may be good in the later one. It is the same record if the later content has more staged records
with its key (or one that it may have had) than the first, and they say what it said: an opt-out,
if it plainly said so; anything, if its permission could not be read and was taken for an opt-out.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from responsys_assets.consent.ledger import Counted, ListLedger
from responsys_assets.errors import LakeError
from responsys_assets.staged.columns import KEY_PART, PERMISSIONS, RECORD
from responsys_assets.system_columns import CHANNELS

DOUBT = "_doubt"
_COUNT = "_count"


def superseded_claims(ledger: ListLedger) -> dict[str, pl.DataFrame]:
    """By entry, the records (`_record`) and the opt-outs (`bits`) that are in doubt no more.

    Raises:
        LakeError: if a file of the ledger cannot be read.
    """
    try:
        return {
            counted.entry.name: _superseded(counted, later)
            for counted in ledger.entries
            if counted.claims is not None and (later := _sent_again(ledger, counted))
        }
    except (OSError, pl.exceptions.PolarsError):
        raise LakeError(
            "ledger_unreadable",
            f"a file of the consent ledger of list {ledger.name} cannot be read; run "
            "`responsys verify`",
        ) from None


def _sent_again(ledger: ListLedger, counted: Counted) -> list[Counted]:
    """Later contents of an export's stamp that are in force."""
    entry = counted.entry
    return [
        other
        for other in ledger.entries
        if other.entry.order > entry.order
        and (other.entry.stamp, other.entry.kind) == (entry.stamp, entry.kind)
        and other.entry.match_on == entry.match_on
        and not other.opt_outs_only
    ]


def _superseded(counted: Counted, later: Sequence[Counted]) -> pl.DataFrame:
    assert counted.claims is not None  # noqa: S101 - for the type checker
    claims = pl.read_parquet(counted.claims, glob=False)
    doubt = pl.col(DOUBT) if DOUBT in claims.columns else pl.lit(value=False)
    keys = [name for name in claims.columns if name.startswith(KEY_PART)]
    ended = [pl.DataFrame(schema={RECORD: pl.Int64, "bits": pl.UInt8})]
    for channel in CHANNELS.values():
        for claimed, bits in (
            (claims.filter(doubt), channel.opted_in | channel.opted_out),
            (claims.filter(~doubt), channel.opted_out),
        ):
            records = _sent_well(counted, later, claimed.select(RECORD, *keys).drop_nulls(), bits)
            bit = pl.lit(channel.opted_out, pl.UInt8).alias("bits")
            ended.append(records.to_frame().with_columns(bit))
    return pl.concat(ended).group_by(RECORD).agg(pl.col("bits").bitwise_or())


def _sent_well(
    counted: Counted, later: Sequence[Counted], claims: pl.DataFrame, bits: int
) -> pl.Series:
    """The records among these claims of whose key a later content has more statements of a kind."""
    keys = [name for name in claims.columns if name.startswith(KEY_PART)]
    said = pl.col(PERMISSIONS) & bits != 0
    records = [claims.clear()[RECORD]]
    before = _counts(counted, claims, keys, said)
    for other in later if len(claims) else ():
        more = (
            _counts(other, claims, keys, said)
            .join(before, keys, how="left", suffix="_before")
            .filter(pl.col(_COUNT) > pl.col(f"{_COUNT}_before").fill_null(0))
        )
        records.append(claims.join(more, keys, how="semi")[RECORD])
    return pl.concat(records)


def _counts(
    counted: Counted, claims: pl.DataFrame, keys: Sequence[str], said: pl.Expr
) -> pl.DataFrame:
    """How many statements of a channel an entry has of each of the keys."""
    return (
        pl.scan_parquet(counted.statements, glob=False)
        .filter(said)
        .select(pl.col(keys).cast(pl.String))
        .join(claims.lazy().select(keys).unique(), list(keys), how="semi")
        .group_by(keys)
        .agg(pl.len().alias(_COUNT))
        .collect(engine="streaming")
    )
