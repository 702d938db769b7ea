"""Three profile lists made by seed, of any size, straight to files: nothing is kept in memory.

The shape is that of a mid-sized account: keys that overlap, some that repeat within a list, 23
columns and about 330 bytes a row with every field quoted. A list of `size` 1.0 has two million
rows, all three together 5.4 million of 2.4 million people.
"""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

PEOPLE = 2_400_000
ROWS = {"core": 2_000_000, "loyalty": 1_600_000, "web": 1_800_000}
KEY = "CUSTOMER_ID_"
UPDATED_AT = "MODIFIED_DATE_"
_STEPS = (1_000_003, 700_001, 1_300_021)  # primes: their multiples visit every person once
_REPEATED = 0.02  # of a list's rows are of a key that it has already

_CITIES = "['Rome','Milan','Turin','Paris','Lyon','Berlin','Hamburg','Vienna','Madrid','Boston']"
_NAMES = "['Ada','Bo','Chiara','Dmitri','Eve','Farid','Grace','Hugo','Ines','Jonas','Kim','Lena']"


def _moment(first: str, seconds: str) -> str:
    """SQL for a time some seconds after a day."""
    return f"strftime(TIMESTAMP '{first}' + to_seconds({seconds}), '%Y-%m-%d %H:%M:%S')"


# r(n): the n-th random number of a row; key: the number of its person
_SHARED = {
    KEY: "'C' || lpad(key::VARCHAR, 11, '0')",
    "EMAIL_ADDRESS_": "'person.' || key || '@mail' || (key % 97) || '.example.com'",
    "EMAIL_PERMISSION_STATUS_": "CASE WHEN r(1) % 10 = 0 THEN 'O' ELSE 'I' END",
    "EMAIL_DELIVERABILITY_STATUS_": "CASE WHEN r(2) % 50 = 0 THEN 'U' ELSE 'D' END",
    "EMAIL_FORMAT_": "CASE WHEN r(3) % 4 = 0 THEN 'T' ELSE 'H' END",
    "MOBILE_NUMBER_": "CASE WHEN r(4) % 3 = 0 THEN '' ELSE '39' || (3200000000 + key) END",
    "MOBILE_PERMISSION_STATUS_": "['O','','','','I','I','I','I','I','I'][1 + r(5) % 10]",
    UPDATED_AT: _moment("2025-06-01", "r(6) % 31536000"),
    "CREATED_DATE_": _moment("2015-01-01", "r(7) % 300000000"),
    "FIRST_NAME": f"{_NAMES}[1 + r(8) % 12]",
    "LAST_NAME": "'Surname' || (r(9) % 50000)",
    "POSTAL_STREET_1_": "(1 + r(10) % 900) || ' Street of the ' || (r(11) % 9000) || ' Martyrs'",
    "CITY_": f"{_CITIES}[1 + r(12) % 10]",
    "STATE_": "'S' || (r(13) % 60)",
    "POSTAL_CODE_": "lpad((r(14) % 100000)::VARCHAR, 5, '0')",
    "COUNTRY_": "['IT','FR','DE','AT','ES','US'][1 + r(15) % 6]",
    "LANGUAGE": "['it','fr','de','en'][1 + r(16) % 4]",
}
_OWN = {
    "core": {
        "GENDER": "['F','M','X',''][1 + r(20) % 4]",
        "BIRTH_DATE": "strftime(DATE '1940-01-01' + (r(21) % 25000)::INTEGER, '%Y-%m-%d')",
        "SOURCE": "'source ' || (r(22) % 300)",
        "STORE": "'store ' || (r(23) % 4000)",
        "AGENT": "'agent ' || (r(24) % 90000)",
        "COMMENT": "md5((r(25))::VARCHAR) || left(md5((r(27))::VARCHAR), 30)",
    },
    "loyalty": {
        "LOYALTY_TIER": "['GOLD','SILVER','BRONZE',''][1 + r(20) % 4]",
        "POINTS": "(r(21) % 100000)::VARCHAR",
        "STORE": "'store ' || (r(23) % 4000)",
        "CARD": "(4000000000000000 + r(22) % 1000000000000)::VARCHAR",
        "SINCE": "strftime(DATE '2005-01-01' + (r(24) % 7000)::INTEGER, '%Y-%m-%d')",
        "COMMENT": "md5((r(25))::VARCHAR) || left(md5((r(27))::VARCHAR), 30)",
    },
    "web": {
        "LAST_PAGE": "'/shop/category-' || (r(20) % 500) || '/item-' || (r(21) % 100000)",
        "VISITS": "(r(22) % 1000)::VARCHAR",
        "BASKET": "((r(23) % 100000) / 100)::VARCHAR",
        "DEVICE": "['phone','tablet','desktop'][1 + r(24) % 3]",
        "CAMPAIGN": "'campaign ' || (r(26) % 2000)",
        "COMMENT": "md5((r(25))::VARCHAR) || left(md5((r(27))::VARCHAR), 30)",
    },
}


def write_csv(name: str, target: Path, *, size: float, seed: int, share: float = 1.0) -> int:
    """Write a list as CSV; returns its number of records.

    `share` below 1 makes an increment: that share of the list's keys, all of them newer.
    """
    rows = round(ROWS[name] * size * share)
    connection = duckdb.connect(":memory:")
    connection.execute("SET preserve_insertion_order = true")
    connection.execute(
        f"COPY ({_query(name, rows, size, seed, newer=share < 1)}) TO "
        f"'{target}' (FORMAT csv, HEADER, FORCE_QUOTE *)"
    )
    connection.close()
    return rows


def _query(name: str, rows: int, size: float, seed: int, *, newer: bool) -> str:
    number = list(ROWS).index(name)
    people = round(PEOPLE * size)
    distinct = max(1, rows - round(rows * _REPEATED))
    columns = {**_SHARED, **_OWN[name]}
    if newer:
        columns[UPDATED_AT] = _moment("2026-06-02", "r(6) % 3600")
    shown = ", ".join(
        f"{_drawn(text, seed * 10 + number)} AS {column}" for column, text in columns.items()
    )
    key = f"((i % {distinct}) * {_STEPS[number]} + {number * 7919}) % {people}"
    return f"SELECT {shown} FROM (SELECT i, {key} AS key FROM range({rows}) AS t(i))"


def _drawn(text: str, seed: int) -> str:
    """`r(n)` as random numbers of the row."""
    return re.sub(r"\br\((\d+)\)", rf"((hash(i * 32 + \1, {seed}) >> 8)::BIGINT)", text)
