"""Arrow arrays from values of numpy, polars or Python.

By way of polars: pyarrow's own way imports pandas wherever that is installed, which takes as long
as staging a hundred thousand records.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import pyarrow as pa
from numpy.typing import NDArray


def to_arrow(values: pl.Series | NDArray[Any] | Sequence[str]) -> pa.Array:
    """An array; without a copy, unless the values are of Python. Text is `string_view`."""
    return pl.Series(values).to_arrow(compat_level=pl.CompatLevel.newest())


def coded(codes: NDArray[Any], names: Sequence[str]) -> pa.DictionaryArray:
    """An array of text in which each value is one of a few names, given by its number."""
    return pa.DictionaryArray.from_arrays(to_arrow(codes), to_arrow(names).cast(pa.string()))
