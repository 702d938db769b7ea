"""The `where` of a segment: one boolean expression, parsed by DuckDB and held to an allow-list.

DuckDB's own parser decides what the text means, so nothing is translated; everything that is
not known to be harmless is refused (no subquery, no function that reads files or settings).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import duckdb

TODAY = "TODAY"

FUNCTIONS = frozenset(
    """
    lower upper trim ltrim rtrim length substr substring left right replace concat reverse
    coalesce nullif ifnull greatest least starts_with ends_with contains prefix suffix
    regexp_matches split_part strip_accents
    date_diff datediff date_add date_sub date_part date_trunc year month day dayofweek
    isodow dayofyear week quarter hour minute second last_day make_date to_days to_months
    to_years to_hours to_weeks strftime
    trunc abs round floor ceil ceiling sign mod power sqrt
    """.split()
)
_OPERATORS = frozenset("+ - * / % // || ~~ !~~ ~~* !~~* ^ **".split()) | {
    "like_escape",
    "not_like_escape",
    "ilike_escape",
    "not_ilike_escape",
}
_CLASSES = frozenset(
    {"COMPARISON", "CONJUNCTION", "OPERATOR", "BETWEEN", "CASE", "CAST", "CONSTANT"}
)
_TYPES = frozenset(
    """
    varchar text string char bool boolean tinyint smallint integer int bigint hugeint
    float real double decimal numeric date time timestamp timestamptz interval
    """.split()
) | {"timestamp with time zone"}
_MAX_LENGTH = 20_000
_MAX_DEPTH = 200


class CriteriaError(ValueError):
    """A `where` that is not one harmless boolean expression; says what to write instead."""


@dataclass(frozen=True)
class Criteria:
    """A checked expression and the columns it names (`TODAY` is not one)."""

    text: str
    columns: frozenset[str]
    uses_today: bool

    @classmethod
    def parse(cls, text: str, types: Mapping[str, str]) -> Criteria:
        """Check `text`; `types` are the declared types (a column not in it is text).

        Raises:
            CriteriaError: with what is not allowed and what to write.
        """
        tree = _tree(text)
        types = {name.lower(): kind for name, kind in types.items()}
        names: set[str] = set()
        for node in _nodes(tree):
            _check(node, types)
            if node.get("class") == "COLUMN_REF":
                names.add(node["column_names"][0])
        today = {name for name in names if name.upper() == TODAY}
        return cls(text, frozenset(names - today), bool(today))


def _tree(text: str) -> dict[str, Any]:
    if len(text) > _MAX_LENGTH:
        raise CriteriaError(f"is longer than {_MAX_LENGTH} characters")
    # Bare, it must parse, or it leans on our parentheses; in parentheses, it cannot go on after
    # the expression. The line end keeps a trailing comment from swallowing the last one.
    _parse(f"SELECT 1 FROM t WHERE {text}")  # noqa: S608 - parsed, never executed
    statements = _parse(f"SELECT 1 FROM t WHERE (\n{text}\n)")  # noqa: S608 - as above
    if len(statements) != 1:
        raise CriteriaError("expected one expression, found several statements")
    node = statements[0]["node"]
    rest = {
        "modifiers": node.get("modifiers"),
        "group_expressions": node.get("group_expressions"),
        "group_sets": node.get("group_sets"),
        "having": node.get("having"),
        "qualify": node.get("qualify"),
        "sample": node.get("sample"),
        "cte": node.get("cte_map", {}).get("map"),
    }
    plain = node.get("type") == "SELECT_NODE" and not any(rest.values())
    if not plain or node["from_table"].get("type") != "BASE_TABLE" or not node["where_clause"]:
        raise CriteriaError("expected one boolean expression and nothing after it")
    return dict(node["where_clause"])


@lru_cache(maxsize=256)  # the same text is parsed at load and by every refresh
def _parse(query: str) -> list[dict[str, Any]]:
    with duckdb.connect(config={"enable_external_access": False}) as connection:
        row = connection.execute("SELECT json_serialize_sql(?)", [query]).fetchone()
    document: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    if document.get("error"):
        reason = str(document.get("error_message", "")).split("\n")[0]
        raise CriteriaError(f"does not parse: {reason}")
    return list(document["statements"])


def _nodes(node: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Every dictionary with a class, whatever key it hangs on."""
    if depth > _MAX_DEPTH:
        raise CriteriaError("is nested too deeply")
    if isinstance(node, dict):
        if "class" in node:
            yield node
        for child in node.values():
            yield from _nodes(child, depth + 1)
    elif isinstance(node, list):
        for child in node:
            yield from _nodes(child, depth + 1)


def _check(node: dict[str, Any], types: Mapping[str, str]) -> None:
    kind = node["class"]
    if kind == "COLUMN_REF":
        if len(node["column_names"]) != 1:
            raise CriteriaError("name columns without a table or schema in front")
    elif kind == "FUNCTION":
        _check_function(node)
    elif kind == "TYPE":
        if str(node["type_name"]).lower() not in _TYPES:
            raise CriteriaError(f"a cast to {node['type_name']} is not allowed")
    elif kind == "SUBQUERY":
        raise CriteriaError("a subquery is not allowed; write one expression over the columns")
    elif kind not in _CLASSES:
        raise CriteriaError(f"{kind.lower().replace('_', ' ')} expressions are not allowed")
    elif node.get("type") in ("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"):
        _check_null_test(node, types)
    elif node.get("type") in ("OPERATOR_UNPACK", "OPERATOR_TRY", "ARRAY_EXTRACT", "STRUCT_EXTRACT"):
        raise CriteriaError("this operator is not allowed")


def _check_function(node: dict[str, Any]) -> None:
    name = str(node["function_name"]).lower()
    path = node.get("qualified_name", {}).get("path", [name])
    if node.get("schema") or node.get("catalog") or len(path) != 1:
        raise CriteriaError("functions are named without a schema")
    if name in _OPERATORS and node.get("is_operator", True):
        return
    if name not in FUNCTIONS | _OPERATORS:
        raise CriteriaError(f"the function {name} is not allowed")
    if node.get("distinct") or node.get("filter") or node["order_bys"].get("orders"):
        raise CriteriaError(f"{name}: DISTINCT, FILTER and ORDER BY are not allowed")


def _check_null_test(node: dict[str, Any], types: Mapping[str, str]) -> None:
    for child in node.get("children", []):
        if child.get("class") != "COLUMN_REF":
            continue
        column = child["column_names"][0]
        if types.get(column.lower(), "text") == "text" and column.upper() != TODAY:
            negated = node["type"] == "OPERATOR_IS_NOT_NULL"
            raise CriteriaError(
                f"{column} is text and text is never NULL; write {column} "
                f"{'<>' if negated else '='} ''"
            )
