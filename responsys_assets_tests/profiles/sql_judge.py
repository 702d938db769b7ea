"""The merge as one portable query: what wins, said once more, for engines that share no code.

It knows nothing of rejects: exports without any are its world, of which the newest full one and
what follows it are live. Keys are one column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

OLDEST = -(2**62)  # the time of a row without one


@dataclass(frozen=True)
class Judged:
    """A column: its rule, the lists that it may come from in order, whether it is text."""

    rule: str
    lists: Sequence[str]
    text: bool


def query(
    live_from: Mapping[str, int], columns: Mapping[str, Judged], permissions: Mapping[str, str]
) -> str:
    """Profiles in the order of their keys, from a table `rows_<list>` of each list.

    `live_from` is the number of the first live export of each list; `permissions` are columns
    with the name of their channel. The tables have `k`, `seq`, `record`, `us` (time of update),
    `since` (when an opt-out counts) and the columns of the list.
    """
    lists = [*live_from]
    tables = [_latest_row(name, first) for name, first in live_from.items()]
    tables += [_said(name, permissions) for name in lists]
    keys = " UNION ".join(f"SELECT k FROM {name}" for name in lists)
    shown = [f"{_value(name, column)} AS {name}" for name, column in columns.items()]
    shown += [f"{_permission(channel, lists)} AS {name}" for name, channel in permissions.items()]
    times = {name: f"{name}.t" for name in lists}
    newest = _best(lists, times, times, ">")
    names = " || ".join(f"CASE WHEN {name}.k IS NULL THEN '' ELSE ',{name}' END" for name in lists)
    joins = " ".join(
        f"LEFT JOIN {name} ON {name}.k = every.k LEFT JOIN said_{name} ON said_{name}.k = every.k"
        for name in lists
    )
    return (
        f"WITH {', '.join(tables)}, every AS ({keys}) "
        f"SELECT every.k, {', '.join(shown)}, nullif({newest}, {OLDEST}) AS UPDATED_AT_, "
        f"substr({names}, 2) AS LISTS_ FROM every {joins} ORDER BY every.k"
    )


def _latest_row(name: str, first: int) -> str:
    order = f"coalesce(us, {OLDEST}) DESC, seq DESC, record DESC"
    return (
        f"{name} AS (SELECT * FROM (SELECT *, coalesce(us, {OLDEST}) AS t, "
        f"row_number() OVER (PARTITION BY k ORDER BY {order}) AS place "
        f"FROM rows_{name} WHERE seq >= {first}) AS ordered WHERE place = 1)"
    )


def _said(name: str, permissions: Mapping[str, str]) -> str:
    times = ", ".join(
        f"max(CASE WHEN {column} = 'O' THEN since END) AS {channel}_out, "
        f"max(CASE WHEN {column} = 'I' THEN coalesce(us, {OLDEST}) END) AS {channel}_in"
        for column, channel in permissions.items()
    )
    return f"said_{name} AS (SELECT k, {times} FROM rows_{name} GROUP BY k)"


def _permission(channel: str, lists: Sequence[str]) -> str:
    out = " OR ".join(
        f"said_{name}.{channel}_out >= coalesce(said_{name}.{channel}_in, {OLDEST})"
        for name in lists
    )
    into = " OR ".join(f"said_{name}.{channel}_in IS NOT NULL" for name in lists)
    return f"CASE WHEN {out} THEN 'O' WHEN {into} THEN 'I' ELSE '' END"


def _value(name: str, column: Judged) -> str:
    times = {each: f"{each}.t" for each in column.lists}
    raw = {each: f"{each}.{name}" for each in column.lists}
    filled = {each: f"nullif({value}, '')" for each, value in raw.items()} if column.text else raw
    rules: dict[str, Callable[[], str]] = {
        "latest": lambda: _best(column.lists, times, raw, ">"),
        "latest_non_empty": lambda: _best(
            column.lists,
            {
                each: f"CASE WHEN {filled[each]} IS NOT NULL THEN {times[each]} END"
                for each in column.lists
            },
            raw,
            ">",
        ),
        "priority": lambda: f"coalesce({', '.join([*filled.values(), 'NULL'])})",
        "smallest": lambda: _best(column.lists, filled, filled, "<"),
        "largest": lambda: _best(column.lists, filled, filled, ">"),
        "deliverability": lambda: _deliverability([*raw.values()]),
    }
    found = rules[column.rule]()
    return f"coalesce({found}, '')" if column.text else found


def _best(
    lists: Sequence[str], marks: Mapping[str, str], values: Mapping[str, str], better: str
) -> str:
    """The value of the list with the best mark; of equal ones the earlier list's."""
    cases = []
    for place, name in enumerate(lists):
        beaten = [
            f"({marks[other]} IS NULL OR {marks[name]} {better}{'=' if place < at else ''} "
            f"{marks[other]})"
            for at, other in enumerate(lists)
            if other != name
        ]
        cases.append(
            f"WHEN {' AND '.join([f'{marks[name]} IS NOT NULL', *beaten])} THEN {values[name]}"
        )
    return f"CASE {' '.join(cases)} END"


def _deliverability(values: Sequence[str]) -> str:
    said = ", ".join(f"coalesce({value}, '')" for value in values)
    return f"CASE WHEN 'U' IN ({said}) THEN 'U' WHEN 'D' IN ({said}) THEN 'D' ELSE '' END"
