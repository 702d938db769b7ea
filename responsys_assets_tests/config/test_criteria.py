"""The `where` of a segment: what parses, and what is refused."""

from __future__ import annotations

import pytest

from responsys_assets.config.criteria import Criteria, CriteriaError


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("CITY_ = 'Rome' AND TIER IN ('GOLD', 'SILVER')", {"CITY_", "TIER"}),
        ("NOT (A BETWEEN 1 AND 2) OR B LIKE 'x%'", {"A", "B"}),
        ("CASE WHEN A = '' THEN TRUE ELSE B > 1 + 2 * 3 END", {"A", "B"}),
        ("date_diff('day', BORN, TODAY) > 365", {"BORN"}),
        ("CAST(A AS INTEGER) = 1 AND B::DATE < TODAY - 3", {"A", "B"}),
        ("lower(trim(A)) || 'x' ILIKE coalesce(B, '') -- a remark", {"A", "B"}),
        ("\"odd name\" = 'it''s'", {"odd name"}),
        ("BORN + INTERVAL 18 YEARS <= TODAY", {"BORN"}),
    ],
)
def test_one_boolean_expression_is_accepted(text: str, columns: set[str]) -> None:
    criteria = Criteria.parse(text, {})
    assert criteria.columns == columns
    assert criteria.uses_today == ("TODAY" in text)


ATTACKS = [
    "1 = 1; DROP TABLE t",
    "1) OR (1 = 1",
    "A = 1) UNION SELECT (1",
    "A = 1) GROUP BY (B",
    "A IN (SELECT 1)",
    "EXISTS (SELECT 1 FROM t)",
    "(SELECT max(A) FROM t) = 1",
    "read_csv('/etc/passwd') IS NOT NULL",
    "read_text('x') = ''",
    "read_blob('x') = ''",
    "glob('*') = ''",
    "getenv('HOME') = ''",
    "current_setting('home_directory') = ''",
    "query('select 1') = ''",
    "query_table('t') = ''",
    "getvariable('x') = ''",
    "nextval('s') = 1",
    "random() < 0.5",
    "now() > A",
    "uuid() = A",
    "count(*) > 1",
    "sum(A) OVER () > 1",
    "sum(A) > 1",
    "A = ?",
    "A = $1",
    "A = $name",
    "t.A = 1",
    "main.t.A = 1",
    "COLUMNS('x') = 1",
    "*",
    "list_filter([1], x -> x > 1) = [1]",
    "A COLLATE NOCASE = 'x'",
    "TRY(A) = 1",
    "[1, 2][1] = 1",
    "{'a': 1}.a = 1",
    "unnest([1]) = 1",
    "main.lower(A) = 'x'",
    "",
    "   ",
    "-- nothing",
    "A = 1 LIMIT 1",
    "A = 1 ORDER BY A",
    "A = 'x",
    "A = 1, B = 2",
    "PRAGMA version",
    "ATTACH 'x'",
    "COPY t TO 'x'",
    "INSTALL httpfs",
    "SET threads = 1",
    "repeat('x', 1000000000) = ''",
    "lower(" * 300 + "A" + ")" * 300 + " = 1",
    "A = 1 " + "AND A = 1 " * 5000,
]


@pytest.mark.parametrize("text", ATTACKS, ids=range(len(ATTACKS)))
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(CriteriaError):
        Criteria.parse(text, {})


def test_a_null_test_on_text_is_refused_with_what_to_write() -> None:
    with pytest.raises(CriteriaError, match="write CITY_ <> ''"):
        Criteria.parse("CITY_ IS NOT NULL", {})
    assert Criteria.parse("POINTS IS NULL", {"POINTS": "integer"}).columns == {"POINTS"}
    assert Criteria.parse("points IS NULL", {"POINTS": "integer"}).columns == {"points"}
