"""What delivered files hold, byte for byte."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responsys_assets.config.models import Delivery
from responsys_assets.deliveries.render import _chunks
from responsys_assets.deliveries.rows import as_text
from responsys_assets.errors import ConfigError, DeliveryError
from responsys_assets_tests.conftest import PgpKeys
from responsys_assets_tests.deliveries.outbox import SEGMENT, Line, records
from responsys_assets_tests.segments.small_lake import person

PEOPLE = [person("a"), person("b", CITY_="Paris", POINTS=None), person("C", CITY_='"Üs",\n x')]


def test_a_file_is_utf8_with_header_and_every_field_quoted(line: Line) -> None:
    result = line.deliver(PEOPLE)
    assert (result.state, result.rows, result.added) == ("delivered", 3, 3)
    assert line.files() == {
        result.files[0]: '"CUSTOMER_ID_","CITY_","POINTS"\n'
        '"C","""Üs"",\n x","1"\n'
        '"a","Rome","1"\n'
        '"b","Paris",""\n'
    }


def test_the_name_has_the_time_of_the_plan_in_the_account_and_the_number_of_the_delivery(
    line: Line,
) -> None:
    line.configure(file="g_{YYYYMMDD}_{HHMI}_{seq}.csv")
    assert line.deliver(PEOPLE).files == ("g_20261101_0502_1.csv",)
    assert line.deliver(PEOPLE[:2]).files == ("g_20261101_0504_2.csv",)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"delimiter": ";"}, b'"CUSTOMER_ID_";"CITY_"\n"a";"x;y"\n'),
        ({"delimiter": "tab", "enclosure": "none"}, b"CUSTOMER_ID_\tCITY_\na\tx;y\n"),
        ({"header": False}, b'"a","x;y"\n'),
        ({"rename": {"CUSTOMER_ID_": "UID"}}, b'"UID","CITY_"\n"a","x;y"\n'),
        ({"columns": ["CITY_"]}, b'"CITY_"\n"x;y"\n'),
        (
            {"charset": "utf-16"},
            '\ufeff"CUSTOMER_ID_","CITY_"\n"a","x;y"\n'.encode("utf-16-le"),
        ),
    ],
)
def test_the_format_is_configured(line: Line, settings: dict[str, Any], expected: bytes) -> None:
    line.configure(**{"columns": ["CUSTOMER_ID_", "CITY_"], "file": "f.csv", **settings})
    line.deliver([person("a", CITY_="x;y")])
    assert (line.outbox / "f.csv").read_bytes() == expected


def test_latin1_is_written_as_latin1(line: Line) -> None:
    line.configure(charset="latin-1", file="f.csv", columns=["CITY_"], header=False)
    line.deliver([person("a", CITY_="Zürich")])
    assert (line.outbox / "f.csv").read_bytes() == '"Zürich"\n'.encode("latin-1")


def test_values_of_every_type_are_written_plainly(line: Line) -> None:
    columns = ["POINTS", "SCORE", "MEMBER", "BORN", "SEEN"]
    line.configure(segment={**SEGMENT, "columns": columns}, enclosure="none", file="f.csv")
    seen = dt.datetime(2026, 7, 1, 8, 30, 0, 1500, dt.UTC)
    line.deliver(
        [
            person("a", SCORE=1e21, MEMBER=False, SEEN=seen),
            person("b", POINTS=-(2**63), SCORE=-2.0),
            person("c", **dict.fromkeys(columns)),
        ]
    )
    assert line.files()["f.csv"] == (
        "POINTS,SCORE,MEMBER,BORN,SEEN\n"
        "1,1000000000000000000000,false,1990-01-02,2026-07-01 08:30:00.001500+00:00\n"
        "-9223372036854775808,-2,true,1990-01-02,2026-11-01 10:00:00+00:00\n"
        ",,,,\n"
    )


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.floats(allow_nan=False, allow_infinity=False),
            st.integers(-(2**60), 2**60).map(float),
            st.decimals(-1000, 1000, places=2).map(float),
        ),
        min_size=1,
        max_size=200,
    )
)
def test_a_number_is_written_in_the_shortest_digits_that_mean_it(numbers: list[float]) -> None:
    expected = []
    for number in numbers:
        text = format(Decimal(repr(number)), "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        expected.append("0" if number == 0 else text)
    with duckdb.connect() as connection:
        connection.register("t", pl.DataFrame({"x": numbers}).to_arrow())
        found = connection.execute(f"SELECT {as_text('x', 'number')} FROM t").fetchall()
    assert [text for (text,) in found] == expected


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=20))
def test_any_text_comes_back_as_it_was(values: list[str]) -> None:
    delivery = Delivery.model_validate_json('{"segment": "x", "to": "y", "file": "z.csv"}')
    frame = pl.DataFrame({"A": values, "B": values[::-1]})
    content = b"".join(part for _, part in _chunks(delivery, ["A", "B"], [frame]))
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert rows == [["A", "B"], *map(list, zip(values, values[::-1], strict=True))]


def test_equal_content_is_compressed_to_equal_bytes(line: Line, tmp_path: Path) -> None:
    contents = []
    for name in ("x.csv.gz", "y.csv.gz"):
        line.configure(compression="gzip", file=name)
        assert line.deliver(PEOPLE).state == "delivered"
        contents.append((line.outbox / name).read_bytes())
    assert contents[0] == contents[1]
    assert len(records(gzip.decompress(contents[0]).decode())) == 3


def test_the_ready_file_counts_records_and_not_lines_or_header(line: Line) -> None:
    line.configure(file="f.csv", ready={"suffix": ".ready", "count": True}, folder="a/b")
    line.deliver(PEOPLE)
    assert line.files("a/b")["f.csv.ready"] == "3"
    line.configure(file="g.csv", ready={"suffix": ".ok", "count": False}, folder="a/b")
    line.deliver(PEOPLE)
    assert line.files("a/b")["g.csv.ok"] == ""


def _gpg(home: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    home.mkdir(mode=0o700, exist_ok=True)
    return subprocess.run(
        ["gpg", "--homedir", str(home), "--batch", "--yes", *arguments],
        capture_output=True,
        check=True,
    )


@pytest.mark.parametrize("sign", [False, True])
def test_an_encrypted_file_is_for_its_recipients_and_holds_the_rows(
    line: Line, pgp_keys: PgpKeys, tmp_path: Path, sign: bool
) -> None:
    line.keys["keys"] = {
        "decrypt": {"private_key_file": str(pgp_keys.private("own"))},
        "recipients": {"partner": {"public_key_file": str(pgp_keys.public("partner"))}},
    }
    line.configure(file="f.csv.gz.gpg", compression="gzip", encrypt_for=["partner"], sign=sign)
    assert line.deliver(PEOPLE).state == "delivered"
    home = tmp_path / "g"
    _gpg(home, "--import", str(pgp_keys.private("partner")), str(pgp_keys.public("own")))
    done = _gpg(home, "--status-fd", "2", "--decrypt", str(line.outbox / "f.csv.gz.gpg"))
    assert (b"GOODSIG" in done.stderr) is sign
    rows = records(gzip.decompress(done.stdout).decode())
    assert [row["CUSTOMER_ID_"] for row in rows] == ["C", "a", "b"]
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)


def test_no_plaintext_of_an_encrypted_file_is_ever_on_disk(
    line: Line, pgp_keys: PgpKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.keys["keys"] = {
        "recipients": {"partner": {"public_key_file": str(pgp_keys.public("partner"))}}
    }
    line.configure(file="f.csv.gpg", encrypt_for=["partner"])
    seen: list[bytes] = []
    original = pl.DataFrame.write_csv

    def watch(self: pl.DataFrame, *args: Any, **kwargs: Any) -> Any:
        for path in line.folder.rglob("*"):
            if path.is_file() and path.suffix != ".parquet":
                seen.append(path.read_bytes())
        return original(self, *args, **kwargs)

    monkeypatch.setattr(pl.DataFrame, "write_csv", watch)
    line.deliver([person("canary-4711")])
    left = [path for path in line.folder.rglob("*") if path.is_file()]
    seen += [path.read_bytes() for path in left if path.suffix != ".parquet"]
    assert seen
    assert not [content for content in seen if b"canary-4711" in content]


@pytest.mark.parametrize("value", ["x,y", "x\ny", "x\ry"])
def test_a_value_that_enclosure_none_cannot_express_holds_the_delivery(
    line: Line, value: str
) -> None:
    line.configure(enclosure="none", file="f.csv")
    result = line.deliver([person("a", CITY_=value)])
    assert (result.state, result.reason, result.files) == ("held", "enclosure", ())
    assert result.detail is not None
    assert "enclosure" in result.detail
    assert value not in result.detail
    assert line.plan().snapshot == result.snapshot
    with pytest.raises(DeliveryError, match="enclosure") as caught:
        line.send(release=True)
    assert caught.value.code == "not_releasable"
    assert line.files() == {}
    line.configure(enclosure='"', file="f.csv")
    assert line.deliver().state == "delivered"


def test_a_value_that_the_charset_lacks_holds_the_delivery(line: Line) -> None:
    line.configure(charset="latin-1", file="f.csv")
    result = line.deliver([person("a", CITY_="Łódź")])
    assert (result.state, result.reason) == ("held", "charset")
    assert result.as_json()["detail"] == result.detail
    assert "Łódź" not in str(result.detail)


@pytest.mark.parametrize(
    ("delivery", "key", "says"),
    [
        ({"columns": ["CUSTOMER_ID_", "CITY"]}, "deliveries.gold.columns", "did you mean CITY_"),
        ({"columns": ["EMAIL_ADDRESS_"]}, "deliveries.gold.columns", "no column EMAIL_ADDRESS_"),
        ({"rename": {"NAME": "X"}}, "deliveries.gold.rename", "no column NAME"),
        ({"rename": {"CITY_": "POINTS"}}, "deliveries.gold.rename", "two columns"),
        ({"charset": "klingon"}, "deliveries.gold.charset", "no charset klingon"),
        ({"charset": "base64"}, "deliveries.gold.charset", "no charset base64"),
        (
            {"mode": "changes", "rename": {"CITY_": "CHANGE_"}},
            "deliveries.gold",
            "says what changed",
        ),
        (
            {"mode": "changes", "segment": {**SEGMENT, "columns": ["CITY_"]}},
            "deliveries.gold.columns",
            "needs the match column CUSTOMER_ID_",
        ),
    ],
)
def test_a_delivery_that_does_not_fit_its_source_is_a_configuration_error(
    line: Line, delivery: dict[str, Any], key: str, says: str
) -> None:
    segment = delivery.pop("segment", None)
    line.configure(segment=segment, **delivery)
    line.profiles(PEOPLE)
    with pytest.raises(ConfigError, match=says) as caught:
        line.plan()
    assert caught.value.key == key


def test_a_delivery_of_profiles_leaves_out_the_suppressed_and_never_tells_permission(
    line: Line,
) -> None:
    line.keys["suppressions"] = [{"file": "s.csv", "column": "EMAIL_ADDRESS_"}]
    (line.folder / "s.csv").write_text("EMAIL_ADDRESS_\nA@example.com\n")
    line.configure(segment=None, file="f.csv", channel="none")
    line.keys["deliveries"]["gold"]["segment"] = "profiles"
    result = line.deliver([*PEOPLE, person("o", EMAIL_PERMISSION_STATUS_="O")])
    rows = records(line.files()["f.csv"])
    assert [row["CUSTOMER_ID_"] for row in rows] == ["C", "b", "o"]
    assert result.rows == 3
    assert not [name for name in rows[0] if name.endswith("STATUS_")]
    line.keys["deliveries"]["gold"]["columns"] = ["CUSTOMER_ID_", "EMAIL_PERMISSION_STATUS_"]
    line.deliver()
    rows = records(line.files()["f.csv"])
    assert [row["EMAIL_PERMISSION_STATUS_"] for row in rows] == ["I", "I", "O"]
