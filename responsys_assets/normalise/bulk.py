"""Many values at once: the usual ones as bytes, the odd ones one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pyarrow as pa

_AT_ONCE = 1 << 16  # rows that stay in the processor's cache


def in_parts(values: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """The values changed, some rows at a time."""
    parts = (values[at : at + _AT_ONCE] for at in range(0, len(values), _AT_ONCE))
    return pl.concat([values.clear(), *map(change, parts)])


def translated(values: pl.Series, table: bytes) -> tuple[pl.Series, pl.Series]:
    """Texts with each byte replaced as the table says, and which of them got a zero."""
    texts = values.to_arrow(compat_level=pl.CompatLevel.oldest())
    valid, offsets, data = texts.buffers()
    if data is None:
        return values, pl.repeat(False, len(values), dtype=pl.Boolean, eager=True)
    replaced = data.to_pybytes().translate(table)
    array = pa.LargeStringArray.from_buffers(
        len(texts), offsets, pa.py_buffer(replaced), valid, offset=texts.offset
    )
    marked = np.zeros(len(texts), np.bool_)
    if 0 in replaced:
        ends = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
        zeros = np.flatnonzero(np.frombuffer(replaced, np.uint8)[ends[0] : ends[-1]] == 0)
        marked[np.searchsorted(ends, zeros + ends[0], "right") - 1] = True
    return pl.Series(values.name, array), pl.Series(marked)


def rewritten(
    values: pl.Series, usual: pl.Series, odd: pl.Series, rewrite: Callable[[str], str]
) -> pl.Series:
    """`usual`, but for odd values what `rewrite` makes of them, one by one."""
    places = odd.arg_true()
    if not len(places):
        return usual
    texts = values.gather(places).to_list()
    known = {text: rewrite(text) for text in set(texts)}
    return usual.clone().scatter(places, pl.Series([known[t] for t in texts], dtype=pl.String))
