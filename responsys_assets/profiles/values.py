"""SQL that makes profiles: one narrow row a key that says whose row wins, then the values."""

# ruff: noqa: S608 - names are quoted by sql.py, values are bound

from __future__ import annotations

from collections.abc import Mapping, Sequence

from responsys_assets.normalise import WHITESPACE
from responsys_assets.profiles import permission, winners
from responsys_assets.profiles.columns import Column
from responsys_assets.profiles.live import Source
from responsys_assets.profiles.plan import MergePlan
from responsys_assets.profiles.sql import (
    Keys,
    Sql,
    combine,
    comma,
    identifier,
    literal,
    of_files,
    rows_of,
)
from responsys_assets.system_columns import CHANNELS, LISTS, UPDATED_AT

TYPES = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}
"""How duckdb calls the types of the configuration."""

_CHANNEL_OF = {channel.permission: channel.name for channel in CHANNELS.values()}


def choice(plan: MergePlan, keys: Keys) -> Sql:
    """A statement that makes the table `chosen`, one row a profile, from `latest_<n>` and
    `permission_<n>`.

    `id` numbers the profiles in the order of their keys; `t<n>` and `row<n>` are time and row id
    of the latest live row in list n (NULL if it has none); `w_<n>_<m>` is which of these lists
    has the latest, `newest` the time of the latest row; `states` what all lists say about
    permission.
    """
    everyone = range(len(plan.lists))
    said = []
    for n, source in enumerate(plan.lists):
        places = comma(f"{'place' if n == m else 'NULL'} AS p{m}" for m in everyone)
        said.append(f"SELECT {keys.list}, {places}, 0 AS states FROM latest_{n}")
        if permission.channels_of(source):
            nowhere = comma("NULL" for _ in everyone)
            said.append(f"SELECT {keys.list}, {nowhere}, states FROM permission_{n}")
    places = comma(f"max(p{n}) AS p{n}" for n in everyone)
    decided_by = everyone if plan.only_in is None else (plan.only_in,)
    decoded = comma(
        f"{winners.time_of_place(f'p{n}')} AS t{n}, {winners.row_of_place(f'p{n}')} AS row{n}"
        for n in everyone
    )
    contests = "".join(
        f", {_winner(lists)} AS {_contest(lists)}"
        for lists in dict.fromkeys(c.lists for c in plan.columns if _contested(c))
    )
    return Sql(
        "CREATE TEMP TABLE chosen AS WITH "
        f"said AS ({' UNION ALL '.join(said)}), "
        f"found AS (SELECT {keys.list}, {places}, bit_or(states)::UTINYINT AS states FROM said "
        f"GROUP BY {keys.list} HAVING coalesce({comma(f'p{n}' for n in decided_by)}) IS NOT NULL), "
        f"decoded AS (SELECT {keys.list}, states, {decoded} FROM found) "
        f"SELECT *, row_number() OVER (ORDER BY {keys.list}) - 1 AS id, "
        f"greatest({comma(f't{n}' for n in everyone)}) AS newest{contests} FROM decoded"
    )


def _contested(column: Column) -> bool:
    return column.rule in ("latest", "together") and len(column.lists) > 1


def _contest(lists: Sequence[int]) -> str:
    return "w_" + "_".join(map(str, lists))


def _winner(lists: Sequence[int]) -> str:
    """Which list has the latest row; `lists` are in order, so the earlier one wins a tie."""
    cases = " ".join(f"WHEN t{n} THEN {n}" for n in lists)
    return f"CASE greatest({comma(f't{n}' for n in lists)}) {cases} END"


def payload(
    plan: MergePlan, n: int, sources: Sequence[Source], types: Mapping[str, str]
) -> Sql | None:
    """A subquery for the values that list `n` may contribute: `row_id` and `c<i>` for column i.

    `types` are the columns that these exports have. None if the list contributes nothing.
    """
    columns = {"row_id": winners.ROW_ID}
    values: dict[str, object] = {}
    for i, column in enumerate(plan.columns):
        if column.rule == "permission" or n not in column.lists:
            continue
        there = f"r.{identifier(column.name)}" if column.name in types else "NULL"
        value = f"CAST({there} AS {TYPES[column.kind]})"
        if column.rule == "deliverability":
            # here, where values are few, and not after the joins, where they are many
            value = f"CASE {value} WHEN 'D' THEN 'D' ELSE upper(trim({value}, $whitespace)) END"
            values["whitespace"] = WHITESPACE
        columns[f"c{i}"] = value
    if len(columns) == 1:
        return None
    rows = of_files(rows_of(sources), f"payload_{n}", columns)
    return combine(rows.text, rows, Sql("", values if rows.values else {}))


def profiles(plan: MergePlan, keys: Keys, payloads: Sequence[Sql | None]) -> Sql:
    """A query for the profiles with `$first <= id < $past`, sorted by key."""
    shown = [
        f"p.{key} AS {identifier(name)}"
        for key, name in zip(keys.names, plan.match_columns, strict=True)
    ]
    shown += [f"{value_of(c, i)} AS {identifier(c.name)}" for i, c in enumerate(plan.columns)]
    names = comma(
        f"CASE WHEN p.row{n} IS NOT NULL THEN {literal(source.name)} END"
        for n, source in enumerate(plan.lists)
    )
    shown += [
        f"{winners.time_of('p.newest')} AS {identifier(UPDATED_AT)}",
        f"concat_ws(',', {names}) AS {identifier(LISTS)}",
    ]
    there = {n: part for n, part in enumerate(payloads) if part is not None}
    joins = " ".join(
        f"LEFT JOIN (SELECT s.* FROM {part} AS s SEMI JOIN part AS p ON s.row_id = p.row{n}) "
        f"AS s{n} ON s{n}.row_id = p.row{n}"
        for n, part in there.items()
    )
    return combine(
        "WITH part AS (SELECT * FROM chosen WHERE id >= $first AND id < $past) "
        f"SELECT {comma(shown)} FROM part AS p {joins} ORDER BY p.id",
        *there.values(),
    )


def value_of(column: Column, i: int) -> str:
    """The value of column `i`, by its rule; text is never NULL."""
    if column.rule == "permission":
        return permission.profile_state("p.states", _CHANNEL_OF[column.name])
    if column.rule == "deliverability":
        return _deliverability([f"s{n}.c{i}" for n in column.lists])
    value = _merged(column, i) if column.lists else f"CAST(NULL AS {TYPES[column.kind]})"
    return f"coalesce({value}, '')" if column.kind == "text" else value


def _merged(column: Column, i: int) -> str:
    candidates = {n: f"s{n}.c{i}" for n in column.lists}
    if _contested(column):
        cases = " ".join(f"WHEN {n} THEN {value}" for n, value in candidates.items())
        return f"CASE p.{_contest(column.lists)} {cases} END"
    empty_is_null = column.kind == "text"
    filled = {n: f"nullif({v}, '')" if empty_is_null else v for n, v in candidates.items()}
    if len(filled) == 1:
        return next(iter(filled.values()))
    if column.rule == "priority":
        return f"coalesce({comma(filled.values())})"
    if column.rule in ("smallest", "largest"):
        function = "least" if column.rule == "smallest" else "greatest"
        return f"{function}({comma(filled.values())})"
    # latest_non_empty: only lists with a value compete
    times = {n: f"CASE WHEN {value} IS NOT NULL THEN p.t{n} END" for n, value in filled.items()}
    cases = " ".join(f"WHEN {times[n]} THEN {value}" for n, value in filled.items())
    return f"CASE greatest({comma(times.values())}) {cases} END"


def _deliverability(values: Sequence[str]) -> str:
    def any_is(state: str) -> str:
        return " OR ".join(f"{value} = '{state}'" for value in values)

    return f"CASE WHEN {any_is('U')} THEN 'U' WHEN {any_is('D')} THEN 'D' ELSE '' END"
