"""Opt-outs that were recorded under another match key, and whose record has nothing of today's.

Such an opt-out is of whoever has another identifying value of its record in a live row: the
customer id that was the match key then, for example.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from responsys_assets.normalise import normalise
from responsys_assets.profiles.keys import key_names
from responsys_assets.profiles.live import ListExports
from responsys_assets.staged.columns import KEY_PART
from responsys_assets.system_columns import IDENTIFYING


def identifying(
    recorded: Sequence[str], names: Iterable[str], country: str | None
) -> dict[str, pl.Expr]:
    """The identifying values that a file of statements has, by column, as they are compared.

    `recorded` are the columns of its `_key_<n>`, `names` those of the file.
    """
    has = {*names}
    texts = {column: pl.col(f"{KEY_PART}{n}") for n, column in enumerate(recorded)}
    texts |= {column: pl.col(column) for column in IDENTIFYING if column in has}
    return {
        column: normalise(text.cast(pl.String).fill_null(""), column, country).alias(_id(column))
        for column, text in texts.items()
    }


def placed(
    opt_outs: pl.DataFrame,
    columns: Iterable[str],
    lists: Sequence[ListExports],
    match_columns: Sequence[str],
    country: str | None,
) -> pl.DataFrame:
    """The opt-outs with the keys of the live rows that have one of their identifying values.

    `opt_outs` has these under the names that `identifying` gives to `columns`.
    """
    keys = key_names(len(match_columns))
    wanted = [*columns]
    rest = [name for name in opt_outs.columns if name not in {*keys, *map(_id, wanted)}]
    found = [
        rows.join(opt_outs.lazy().drop(keys), on=_id(column), how="inner")
        .select(*keys, *rest)
        .collect()
        for column in wanted
        for rows in _rows_with(column, lists, keys, country)
    ]
    return pl.concat([opt_outs.select(*keys, *rest).clear(), *found]).unique()


def _rows_with(
    column: str, lists: Sequence[ListExports], keys: Sequence[str], country: str | None
) -> Iterator[pl.LazyFrame]:
    """Keys of live rows, and their values of a column."""
    for source in lists:
        for one in source.recent:
            if one.rows is not None and column in one.columns:
                value = normalise(pl.col(column).cast(pl.String).fill_null(""), column, country)
                yield (
                    pl.scan_parquet(one.rows, glob=False, hive_partitioning=False)
                    .select(
                        *(
                            pl.col(f"{KEY_PART}{n}").cast(pl.String).alias(key)
                            for n, key in enumerate(keys)
                        ),
                        value.alias(_id(column)),
                    )
                    .filter(pl.col(_id(column)) != "")
                )


def _id(column: str) -> str:
    return f"_id_{column}"
