"""Who wins in a list: the latest live row of every key, found over narrow columns only.

The rows of a list have one total order, and a row's `place` in it is an integer: so there are no
ties, and the greatest place is the latest row. The query reads `rows_<n>` and `holds_<n>`, which
`reading.py` describes, and knows nothing of where those come from.
"""

# ruff: noqa: S608 - no name or value in these queries comes from outside

from __future__ import annotations

from responsys_assets.profiles.live import ListExports
from responsys_assets.profiles.sql import among


def latest(n: int, source: ListExports) -> str:
    """A query for each live key of list `n` and the place of its latest row."""
    helpers = {}
    recent = among("r.seq", (one.seq for one in source.recent))
    row = f"SELECT r.key, r.place FROM rows_{n} AS r"
    live = f"{row} WHERE {recent}"
    if source.rivals:
        helpers["started"] = _started(n, source)
        live = (
            f"{row} LEFT JOIN started AS s USING (key) "
            f"WHERE {recent} AND r.seq >= coalesce(s.seq, 0)"
        )
    if source.may_reach_back:
        helpers |= {"kept": _kept(n, source), "reached": _reached(n, source)}
        older = among("r.seq", (one.seq for one in source.older))
        live = (
            f"{live} UNION ALL {row} JOIN reached AS s USING (key) WHERE {older} AND r.seq >= s.seq"
        )
    named = ", ".join(f"{name} AS ({query})" for name, query in helpers.items())
    return (
        f"{'WITH ' if named else ''}{named} "
        f"SELECT key, max(place) AS place FROM ({live}) GROUP BY key"
    )


def _started(n: int, source: ListExports) -> str:
    """The newest incomplete full export that has a key: it ends the key's older rows."""
    rivals = among("seq", (one.seq for one in source.rivals))
    return f"SELECT key, max(seq) AS seq FROM rows_{n} WHERE {rivals} GROUP BY key"


def _kept(n: int, source: ListExports) -> str:
    """Keys that the newest complete export only has among its holds, and `run`: how many complete
    exports in a row, from the newest on, hold them."""
    spoken = among("seq", (one.seq for one in (source.complete[0], *source.rivals)))
    ages = " ".join(f"WHEN {one.seq} THEN {age}" for age, one in enumerate(source.complete, 1))
    return (
        f"WITH held AS (SELECT DISTINCT key, CASE seq {ages} END AS age FROM holds_{n}), "
        "numbered AS (SELECT *, row_number() OVER (PARTITION BY key ORDER BY age) AS n FROM held "
        "WHERE key IS NOT NULL AND age IS NOT NULL) "
        "SELECT key, count(*) FILTER (age = n) AS run FROM numbered "
        f"ANTI JOIN (SELECT key FROM rows_{n} WHERE {spoken}) AS spoken USING (key) "
        "GROUP BY key HAVING min(age) = 1"
    )


def _reached(n: int, source: ListExports) -> str:
    """Where the live rows of kept keys start: at the newest older full export that has the key,
    or is complete and does not hold it; else at the very first export."""
    fulls = among("seq", (one.seq for one in source.older if one.full))
    ends = " ".join(f"WHEN {run} THEN {one.seq}" for run, one in enumerate(source.complete))
    return (
        "SELECT k.key, "
        f"coalesce(greatest(CASE any_value(k.run) {ends} END, max(o.seq)), 0) AS seq "
        f"FROM kept AS k LEFT JOIN (SELECT key, seq FROM rows_{n} WHERE {fulls}) AS o "
        "USING (key) GROUP BY k.key"
    )
