"""The latest live row of every key in one list, found over narrow columns only.

A row's place in the total order is one integer: `updated_at` (absent = oldest), the export's
order, the record. So there are no ties, and the largest one also says where its row is.
"""

# ruff: noqa: S608 - names are quoted by sql.py, values are bound

from __future__ import annotations

from collections.abc import Iterator

from responsys_assets.profiles.live import ListExports
from responsys_assets.profiles.sql import SEQ, Keys, Sql, combine, holds_of, of_files, rows_of

_NO_TIME = 2**62  # added to times (all within the years 1 to 9999), so that absent ones are 0
_RECORDS = 2**40  # records of an export
_ROWS = 2**64

_PLACE = (
    f"coalesce(r._updated_us + {_NO_TIME}, 0)::HUGEINT * {_ROWS} + {SEQ} * {_RECORDS} + r._record"
)

ROW_ID = f"{SEQ} * {_RECORDS} + r._record"
"""Where a row is: its export and its record."""


def row_id(seq: int, record: int) -> int:
    """The same for a row that is known."""
    return seq * _RECORDS + record


def time_of_place(place: str) -> str:
    """The time in a place, shifted so that 0 is none."""
    return f"({place} >> 64)::BIGINT"


def row_of_place(place: str) -> str:
    """The row id in a place."""
    return f"({place} & {_ROWS - 1})::BIGINT"


def seq_of_row(row: str) -> str:
    """The export of a row id."""
    return f"{row} // {_RECORDS}"


def time_of(shifted: str) -> str:
    """`updated_at` of a row as TIMESTAMPTZ, NULL if it had none."""
    return f"CASE WHEN {shifted} > 0 THEN make_timestamptz({shifted} - {_NO_TIME}) END"


def latest_rows(number: int, source: ListExports, keys: Keys) -> Iterator[Sql]:
    """Statements that make `latest_<number>`: each live key and the place of its latest row."""
    rows = {**keys.staged, "seq": SEQ, "place": _PLACE}
    recent = of_files(rows_of(source.recent), f"recent_{number}", rows)
    if source.rivals:
        yield _started(number, source, keys)
        live = combine(
            f"SELECT {keys.of('r')}, r.place FROM {recent} AS r "
            f"LEFT JOIN started_{number} AS s USING ({keys.list}) "
            "WHERE r.seq >= coalesce(s.seq, 0)",
            recent,
        )
    else:
        live = combine(f"SELECT {keys.list}, place FROM {recent}", recent)
    if source.may_reach_back:
        yield _kept(number, source, keys)
        yield _reached(number, source, keys)
        older = of_files(rows_of(source.older), f"older_{number}", rows)
        live = combine(
            f"{live} UNION ALL SELECT {keys.of('r')}, r.place FROM {older} AS r "
            f"JOIN reached_{number} AS s USING ({keys.list}) WHERE r.seq >= s.seq",
            live,
            older,
        )
    yield combine(
        f"CREATE TEMP TABLE latest_{number} AS "
        f"SELECT {keys.list}, max(place)::HUGEINT AS place FROM ({live}) GROUP BY {keys.list}",
        live,
    )


def _started(number: int, source: ListExports, keys: Keys) -> Sql:
    """The newest incomplete full export that has a key: it ends the key's older rows."""
    rows = of_files(rows_of(source.rivals), f"rivals_{number}", {**keys.staged, "seq": SEQ})
    return combine(
        f"CREATE TEMP TABLE started_{number} AS "
        f"SELECT {keys.list}, max(seq) AS seq FROM {rows} GROUP BY {keys.list}",
        rows,
    )


def _kept(number: int, source: ListExports, keys: Keys) -> Sql:
    """Keys that the newest complete export only has among its holds, and `run`: how many complete
    exports in a row, from the newest on, hold them."""
    held = of_files(
        holds_of(source.complete),
        f"holds_{number}",
        {**keys.staged, "age": f"list_position($ages_{number}, {SEQ})"},
    )
    spoken = of_files(
        rows_of((source.complete[0], *source.rivals)), f"spoken_{number}", keys.staged
    )
    ages = Sql("", {f"ages_{number}": [s.seq for s in source.complete]})
    return combine(
        f"CREATE TEMP TABLE kept_{number} AS "
        f"WITH held AS (SELECT DISTINCT {keys.list}, age FROM {held} WHERE k0 IS NOT NULL), "
        "numbered AS (SELECT *, "
        f"row_number() OVER (PARTITION BY {keys.list} ORDER BY age) AS n FROM held) "
        f"SELECT {keys.list}, count(*) FILTER (age = n) AS run FROM numbered "
        f"ANTI JOIN {spoken} AS spoken USING ({keys.list}) "
        f"GROUP BY {keys.list} HAVING min(age) = 1",
        held,
        spoken,
        ages,
    )


def _reached(number: int, source: ListExports, keys: Keys) -> Sql:
    """Where the live rows of kept keys start: at the newest older full export that has the key,
    or is complete and does not hold it; else at the very first export."""
    older = of_files(
        rows_of([s for s in source.older if s.full]),
        f"fulls_{number}",
        {**keys.staged, "seq": SEQ},
    )
    ages = Sql("", {f"ages_{number}": [s.seq for s in source.complete]})
    return combine(
        f"CREATE TEMP TABLE reached_{number} AS "
        f"SELECT {keys.of('k')}, "
        f"coalesce(greatest(any_value($ages_{number}[k.run + 1]), max(o.seq)), 0) AS seq "
        f"FROM kept_{number} AS k LEFT JOIN {older} AS o USING ({keys.list}) "
        f"GROUP BY {keys.of('k')}",
        older,
        ages,
    )
