"""The values of profiles, taken from the rows that won, a column at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from responsys_assets.normalise import WHITESPACE
from responsys_assets.profiles.choice import Chosen
from responsys_assets.profiles.columns import Column
from responsys_assets.profiles.plan import MergePlan
from responsys_assets.system_columns import CHANNELS, LISTS, UPDATED_AT

TYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"),
}
"""How polars calls the types of the configuration."""

_CHANNEL_OF = {channel.permission: channel for channel in CHANNELS.values()}


class Values:
    """The columns of some profiles: `keys` are those of a range, `payload[n]` the values of list
    n by export."""

    def __init__(
        self,
        plan: MergePlan,
        keys: pl.DataFrame,
        chosen: Chosen,
        payload: Sequence[Mapping[int, pl.DataFrame]],
    ) -> None:
        self._plan = plan
        self._keys = keys
        self._chosen = chosen
        self._payload = [dict(sorted(frames.items())) for frames in payload]
        self._rows = [self._rows_of(n) for n in range(len(plan.lists))]
        self._contests: dict[tuple[int, ...], pl.Series] = {}

    def frame(self) -> pl.DataFrame:
        """All columns in the order of the plan's schema."""
        return pl.DataFrame([*self._columns()])

    def _columns(self) -> Iterator[pl.Series]:
        for name, part in zip(self._plan.match_columns, self._keys, strict=True):
            yield part.gather(self._chosen.keys).alias(name)
        for column in self._plan.columns:
            yield self._value(column).alias(column.name)
        yield self._chosen.newest.cast(TYPES["timestamp"]).alias(UPDATED_AT)
        yield self._lists().alias(LISTS)

    def _lists(self) -> pl.Series:
        """Names of the lists that have each profile."""
        names = [source.name for source in self._plan.lists]
        bits = pl.zeros(len(self._chosen), pl.UInt64, eager=True)
        for n in range(len(names)):
            bits |= self._chosen.has(n).cast(pl.UInt64) * (1 << n)
        told = {0: ""} | {
            each: ",".join(name for n, name in enumerate(names) if each >> n & 1)
            for each in bits.unique().to_list()
        }
        return bits.replace_strict(told, return_dtype=pl.String)

    def _rows_of(self, n: int) -> pl.Series:
        """Which row of all payload of list n each profile has; null if it is not in the list."""
        nth, first, begin = self._chosen.nth(n).cast(pl.UInt32), {}, 0
        for seq, frame in self._payload[n].items():
            first[seq] = begin
            begin += len(frame)
        if len(first) <= 1:
            return nth
        exports = self._chosen.exports(n)
        return nth + exports.replace_strict(first, default=None, return_dtype=pl.UInt32)

    def _value(self, column: Column) -> pl.Series:
        if column.rule == "permission":
            return self._permission(column.name)
        if column.rule == "deliverability":
            return self._deliverability(column)
        if column.rule in ("latest", "together") and len(column.lists) > 1:
            if column.lists not in self._contests:
                self._contests[column.lists] = self._rows_of_winners(column.lists)
            rows = self._contests[column.lists]
            return _filled(self._source(column, column.lists).gather(rows), column)
        values = {n: self._source(column, [n]).gather(self._rows[n]) for n in column.lists}
        return _filled(self._ruled(column, values), column)

    def _source(self, column: Column, lists: Sequence[int]) -> pl.Series:
        """A column of all payload of these lists, one after the other."""
        parts = [
            frame[column.name]
            if column.name in frame.columns
            else pl.repeat(None, len(frame), dtype=TYPES[column.kind], eager=True)
            for n in lists
            for frame in self._payload[n].values()
        ]
        if not parts:
            return pl.Series([None], dtype=TYPES[column.kind])
        return pl.concat(parts, rechunk=True)

    def _rows_of_winners(self, lists: tuple[int, ...]) -> pl.Series:
        """Which row of the payload of these lists wins; null if none has the profile."""
        winner, begin = self._chosen.winner(lists), 0
        rows = pl.repeat(None, len(winner), dtype=pl.UInt32, eager=True)
        for n in lists:
            rows = rows.zip_with(winner != n, self._rows[n] + begin)
            begin += sum(map(len, self._payload[n].values()))
        return rows

    def _ruled(self, column: Column, values: Mapping[int, pl.Series]) -> pl.Series:
        """The value by a rule that looks at the values of all lists; empty ones count as none."""
        if not values:
            return pl.repeat(None, len(self._chosen), dtype=TYPES[column.kind], eager=True)
        if len(values) == 1:
            return next(iter(values.values()))
        frame = pl.DataFrame({f"c{n}": value for n, value in values.items()})
        frame = frame.with_columns(self._chosen.times[n].alias(f"t{n}") for n in values)
        if column.kind == "text":
            frame = frame.with_columns(pl.col(f"c{n}").replace("", None) for n in values)
        candidates = [pl.col(f"c{n}") for n in values]
        match column.rule:
            case "priority":
                found = pl.coalesce(candidates)
            case "smallest":
                found = pl.min_horizontal(candidates)
            case "largest":
                found = pl.max_horizontal(candidates)
            case _:  # latest_non_empty: only lists with a value compete, the earlier wins a tie
                times = [pl.when(pl.col(f"c{n}").is_not_null()).then(f"t{n}") for n in values]
                newest = pl.max_horizontal(times)
                found = pl.coalesce(
                    pl.when(time == newest).then(value)
                    for time, value in zip(times, candidates, strict=True)
                )
        return frame.select(found.alias(column.name)).to_series()

    def _deliverability(self, column: Column) -> pl.Series:
        states = [
            _state(self._source(column, [n])).gather(self._rows[n]).fill_null("")
            for n in column.lists
        ]
        frame = pl.DataFrame({f"s{n}": state for n, state in enumerate(states)})
        any_is = {state: pl.any_horizontal(pl.all() == state) for state in "UD"}
        return frame.select(
            pl.when(any_is["U"])
            .then(pl.lit("U"))
            .when(any_is["D"])
            .then(pl.lit("D"))
            .otherwise(pl.lit(""))
        ).to_series()

    def _permission(self, name: str) -> pl.Series:
        channel = _CHANNEL_OF[name]
        states = pl.col("states")
        return (
            self._chosen.states.to_frame()
            .select(
                pl.when(states & channel.opted_out != 0)
                .then(pl.lit("O"))
                .when(states & channel.opted_in != 0)
                .then(pl.lit("I"))
                .otherwise(pl.lit(""))
            )
            .to_series()
        )


def _filled(values: pl.Series, column: Column) -> pl.Series:
    """Text is never null."""
    return values.fill_null("") if column.kind == "text" else values


def _state(sent: pl.Series) -> pl.Series:
    """Deliverability, trimmed and in upper case; what is neither U nor D does not matter."""
    usual = sent.is_in(["U", "D", ""])
    if usual.all():
        return sent
    return sent.str.strip_chars(WHITESPACE).str.to_uppercase()
