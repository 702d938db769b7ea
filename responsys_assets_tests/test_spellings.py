"""Look-alikes are the same: an opt-out, a key, a suppression in another spelling hits its person.

Through real staging, merge and selection, with every spelling that people were mailed by.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Literal

import polars as pl
import pytest

from responsys_assets.config.models import Segment, Suppression
from responsys_assets.profiles.refresh import refresh as merge
from responsys_assets.progress import SILENT
from responsys_assets.segments.refresh import refresh as select
from responsys_assets_tests.profiles.line import NOW, STAMP, Line

ADDRESS = "ann@xn--bcher-kva.example"
SPELLINGS = {
    "zero width": "a\u200bnn@xn--bcher-kva.example",
    "byte order mark": "\ufeffann@xn--bcher-kva.example",
    "soft hyphen": "ann@xn--bcher\u00ad-kva.example",
    "direction marks": "\u202aann@xn--bcher-kva.example\u202c\u200e",
    "NUL": "ann\0@xn--bcher-kva.example",
    "full-width at": "ann＠xn--bcher-kva.example",
    "full-width dot": "ann@xn--bcher-kva．example",
    "final dot": "ann@xn--bcher-kva.example.",
    "brackets": "<ann@xn--bcher-kva.example>",
    "name": "Ann <ann@xn--bcher-kva.example>",
    "link": "mailto:ann@xn--bcher-kva.example",
    "domain of letters": "ann@bücher.example",
    "domain of letters apart": "ann@bu\u0308cher.example",
    "case": "ANN@BÜCHER.EXAMPLE",
    "single quotes": "'ann@xn--bcher-kva.example'",
    "no-break space": "\u00a0ann@xn--bcher-kva.example\u3000",
}
NUMBER = "447400123456"
NUMBERS = {
    "plus": "+44 7400 123456",
    "zeros": "0044 7400 123456",
    "national": "07400 123456",
    "national without its zero": "7400123456",
    "zero in brackets": "+44 (0)7400 123456",
    "spreadsheet": "447400123456.0",
    "national of a spreadsheet": "7400123456.0",
    "extension": "07400 123456 x12",
    "extension in words": "+44 7400 123456 ext. 12",
    "extension of a link": "tel:+44-7400-123456;ext=12",
    "full-width digits": "＋４４７４００１２３４５６",
    "direction marks": "\u202a+447400123456\u202c",
}
CASES = [
    *(pytest.param("EMAIL", ADDRESS, odd, id=f"e-mail, {how}") for how, odd in SPELLINGS.items()),
    *(pytest.param("MOBILE", NUMBER, odd, id=f"mobile, {how}") for how, odd in NUMBERS.items()),
]
COLUMNS = {"EMAIL": "EMAIL_ADDRESS_", "MOBILE": "MOBILE_NUMBER_"}
CHANNELS: dict[str, Literal["email", "mobile"]] = {"EMAIL": "email", "MOBILE": "mobile"}


def a_line(folder: Path, channel: str, match_on: str, suppressions: str = "") -> Line:
    """A list that has a key, an address, its permission and a time."""
    line = Line(folder, columns={}, updated_at="u")
    config, column = line.project.config, COLUMNS[channel]
    reachable = Segment(where="true", channel=CHANNELS[channel], columns=("id", column))
    changes: dict[str, object] = {
        "account": config.account.model_copy(update={"country": "GB"}),
        "profiles": config.profiles.model_copy(update={"match_on": match_on}),
        "segments": {"everyone": reachable},
    }
    if suppressions:
        changes["suppressions"] = (Suppression(file=suppressions, column=column),)
    ticks = iter(range(1000))
    line.project = replace(
        line.project,
        config=config.model_copy(update=changes),
        now=lambda: NOW + dt.timedelta(minutes=next(ticks)),
    )
    return line


def send(line: Line, channel: str, *records: tuple[str, str, str], day: int = 0) -> None:
    """A full export: key, address and permission of each record, updated at noon of its day."""
    rows = [f"id,{COLUMNS[channel]},{channel}_PERMISSION_STATUS_,u"]
    stamp = STAMP + dt.timedelta(days=day - 10)
    for key, address, said in records:
        quoted = address.replace('"', '""')
        rows.append(f'{key},"{quoted}",{said},{stamp:%Y-%m-%d} 00:00:00')
    line.send("\n".join([*rows, ""]).encode(), stamp=stamp)


def reached(line: Line) -> list[str]:
    """The customers in the segment, after merging and selecting anew."""
    merge(line.project, line.lake, SILENT)
    snapshot, _ = select(line.project, line.lake, "everyone")
    keys: list[str] = pl.read_parquet(snapshot.path / "part-0.parquet")["id"].to_list()
    return keys


@pytest.mark.scorecard(26)
@pytest.mark.parametrize(("channel", "plain", "odd"), CASES)
def test_an_opt_out_closes_the_address_in_every_spelling(
    tmp_path: Path, channel: str, plain: str, odd: str
) -> None:
    for number, (person, opted_out) in enumerate([(plain, odd), (odd, plain)]):
        line = a_line(tmp_path / str(number), channel, "id")
        send(line, channel, ("K1", person, "I"), ("K2", "", "I"))
        assert reached(line) == ["K1"]
        send(line, channel, ("K1", person, "I"), ("K3", opted_out, "O"), day=1)
        assert reached(line) == []


@pytest.mark.scorecard(26)
@pytest.mark.parametrize(("channel", "plain", "odd"), CASES)
def test_a_key_is_one_person_in_every_spelling(
    tmp_path: Path, channel: str, plain: str, odd: str
) -> None:
    for number, (first, second) in enumerate([(plain, odd), (odd, plain)]):
        line = a_line(tmp_path / str(number), channel, COLUMNS[channel])
        send(line, channel, ("K1", first, "O"))
        assert reached(line) == []
        # a newer record says nothing: the opt-out of the same person stands
        send(line, channel, ("K2", second, ""), ("K3", second, ""), day=1)
        assert reached(line) == []
        profiles, _ = merge(line.project, line.lake, SILENT)
        assert profiles is not None
        assert profiles.rows == 1
        send(line, channel, ("K2", second, "I"), day=2)
        assert reached(line) == ["K2"]


@pytest.mark.scorecard(26)
@pytest.mark.parametrize(("channel", "plain", "odd"), CASES)
def test_a_suppression_keeps_its_person_out_in_every_spelling(
    tmp_path: Path, channel: str, plain: str, odd: str
) -> None:
    for number, (person, entry) in enumerate([(plain, odd), (odd, plain)]):
        folder = tmp_path / str(number)
        line = a_line(folder, channel, "id", suppressions="s.csv")
        send(line, channel, ("K1", person, "I"))
        (folder / "s.csv").write_text(f'{COLUMNS[channel]}\n"{entry}"\n')
        assert reached(line) == []


def test_a_permission_with_what_nobody_sees_is_what_it_says(tmp_path: Path) -> None:
    line = a_line(tmp_path, "EMAIL", "id")
    send(
        line,
        "EMAIL",
        ("K1", "a@x.com", "I\u200b"),
        ("K2", "b@x.com", "\ufeffI\u00a0"),
        ("K3", "c@x.com", "O\u200b"),
        ("K4", "d@x.com", "I."),
    )
    assert reached(line) == ["K1", "K2"]


def test_another_country_stages_the_numbers_anew(tmp_path: Path) -> None:
    line = a_line(tmp_path, "MOBILE", "MOBILE_NUMBER_")
    before = line.project.staging_settings("core")
    account = line.project.config.account.model_copy(update={"country": "DE"})
    config = line.project.config.model_copy(update={"account": account})
    assert replace(line.project, config=config).staging_settings("core") != before


def test_addresses_that_were_closed_under_older_rules_stay_closed(tmp_path: Path) -> None:
    """Profiles from before this normaliser have closed addresses as it did not write them."""
    line = a_line(tmp_path, "EMAIL", "id")
    send(line, "EMAIL", ("K1", ADDRESS, "I"), ("K2", "b@x.com", "I"))
    assert reached(line) == ["K1", "K2"]
    profiles, _ = merge(line.project, line.lake, SILENT)
    assert profiles is not None
    pl.DataFrame({"address": ["ann@bücher.example"]}).write_parquet(
        profiles.path / "closed" / "email.parquet"
    )
    segments = {"everyone": line.project.config.segments["everyone"]}
    again = segments["everyone"].model_copy(update={"where": "true OR true"})
    config = line.project.config.model_copy(update={"segments": {"everyone": again}})
    line.project = replace(line.project, config=config)
    assert reached(line) == ["K2"]
