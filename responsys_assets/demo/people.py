"""Synthetic people: every value is a pure function of seed, list, field, person and version.

Nothing is stored and nothing is random: a 64-bit mixing function (splitmix64, public domain,
Steele/Lea/Flood 2014) over whole columns takes the place of a generator, so the same seed gives
the same bytes and a million rows take seconds. No name, address or number belongs to anybody:
mail goes to example.com (RFC 2606), telephone numbers begin with 555.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Ids = npt.NDArray[np.int64]
Draws = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

FIRST_NAMES = [
    "Adda",
    "Bytea",
    "Cél",
    "Dâta",
    "Enumé",
    "Fída",
    "Gridö",
    "Hashim",
    "Índice",
    "Json",
    "Kéya",
    "Lópe",
    "Máppa",
    "Nullam",
    "Objéta",
    "Párse",
    "Quéry",
    "Recørd",
    "Següe",
    "Tablè",
    "Útif",
    "Várchar",
    "Wördy",
    "Xmlia",
    "Yámla",
    "Zerö",
]
LAST_NAMES = [
    "Exampleson",
    "O'Sample",
    "Testerová",
    "Demoğlu",
    "Mockensen",
    "Placeholder",
    "Fixturé",
    "Stubbs-Dummy",
    "Synthétique",
    "Nobody",
    "Füllwert",
    "Specimen",
    "Beispiel",
    "Prueba",
    "Loremipsum",
]
CITIES = (
    ("Rome", "00184", "IT"),
    ("Rome", "00153", "IT"),
    ("Milan", "20121", "IT"),
    ("Paris", "75003", "FR"),
    ("Zürich", "08001", "CH"),
    ("São Paulo", "01310", "BR"),
    ("Boston", "02139", "US"),
    ("Málaga", "29001", "ES"),
)
STREETS = ("Sample Street", "Via Esempio", "Rue de l'Exemple", "Musterstraße", "Calle Ejemplo")
REMARKS = (
    "",
    "",
    "",
    'likes "quotes", and commas',
    "two lines:\nthis is the second",
    "Grüße, señora",
    "plain remark",
    'ends with a quote "',
)
CATEGORIES = ("shoes", "books", "garden", "música", "toys", "")
TIERS = ("NONE", "BRONZE", "SILVER", "GOLD")


def draw(seed: int, what: str, ids: Ids, version: Any = 0) -> Draws:
    """64 uniform bits for each id; `what` names the field, `version` a state of the person."""
    salt = int.from_bytes(hashlib.sha256(f"{seed}|{what}".encode()).digest()[:8], "little")
    with np.errstate(over="ignore"):
        mixed = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt)
        mixed += np.asarray(version).astype(np.uint64) * np.uint64(0xD1B54A32D192ED03)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def below(draws: Draws, limit: int) -> Ids:
    """Uniform whole numbers from 0 to `limit` - 1."""
    return (draws % np.uint64(limit)).astype(np.int64)


def chance(draws: Draws, per_mille: float) -> Flags:
    """True for about `per_mille` of a thousand."""
    return np.asarray(below(draws, 1_000_000) < int(per_mille * 1000), dtype=np.bool_)


def pick(draws: Draws, pool: Sequence[str]) -> pl.Series:
    """One text of the pool for each draw."""
    return pl.Series("", pool, dtype=pl.String).gather(below(draws, len(pool)))


def padded(numbers: Ids, width: int, prefix: str = "") -> pl.Series:
    """Numbers as text of a fixed width, such as C0000042."""
    texts = pl.Series("", numbers).cast(pl.String).str.zfill(width)
    return pl.Series("", [prefix], dtype=pl.String) + texts if prefix else texts


def email(person: int) -> str:
    """The address of one person."""
    return f"person{person:07d}@example.com"


def moments(seconds: Ids, pattern: str = "%Y-%m-%d %H:%M:%S") -> pl.Series:
    """Local times, given as seconds since 1970, as text."""
    return pl.from_epoch(pl.Series("", seconds), time_unit="s").dt.strftime(pattern)


def where(flags: Flags, yes: pl.Series | str, no: pl.Series | str) -> pl.Series:
    """`yes` where the flag is set, else `no`."""
    columns = [
        pl.lit(side) if isinstance(side, str) else pl.lit(side).alias("side") for side in (yes, no)
    ]
    chosen = pl.when(pl.lit(pl.Series(flags))).then(columns[0]).otherwise(columns[1])
    return pl.DataFrame({"flag": flags}).select(chosen.alias("")).to_series()
