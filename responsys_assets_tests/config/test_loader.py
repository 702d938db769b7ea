"""What a configuration may say, and how a wrong one is refused."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from responsys_assets.config.loader import config_path, load
from responsys_assets.config.schema import json_schema
from responsys_assets.errors import ConfigError

GOOD = """\
account: {name: acme, timezone: America/New_York}
lake: ./lake
keep: {exported: 90d, snapshots: 30, rejects: 30d}
servers:
  responsys:
    type: sftp
    host: files.example.net
    port: 22
    username: acme_scp
    private_key_file: ${SSH_KEY_FILE}
    host_keys: ["ssh-ed25519 AAAA"]
  outbox: {type: local, path: ./outbox}
keys:
  decrypt: {private_key_file: "${PGP_KEY_FILE}", passphrase: "${PGP_PASSPHRASE}"}
  signers: []
  recipients:
    partner: {public_key_file: keys/partner.asc}
lists:
  core:
    server: responsys
    folder: download
    files: "CORE_{YYYYMMDD}_{HHMISS}.csv.gpg"
    ready: {suffix: .ready, count: required, counts_header: false}
    export: full
    since: 2026-01-01
    encrypted: true
    delimiter: ","
    updated_at: MODIFIED_DATE_
    columns: {POINTS: integer}
    rename: {member_id: CUSTOMER_ID_}
    max_rejected: 5%
    deadline: "05:30"
  web:
    server: responsys
    files: {full: "WEB_{YYYY-MM-DD}.csv", incremental: "WEBI_{YYYYMMDD}_{HH}.csv"}
    ready: none
    settle: 10m
    required: false
profiles:
  match_on: CUSTOMER_ID_
  primary: core
  columns: all
  rules: {LOYALTY_TIER: {priority: [core, web]}, FIRST_NAME: latest_non_empty}
  together: [[POSTAL_STREET_1_, CITY_, POSTAL_CODE_]]
suppressions: [{file: suppressed.csv, column: EMAIL_ADDRESS_}]
segments:
  rome_gold:
    where: CITY_ = 'Rome' AND LOYALTY_TIER IN ('GOLD', 'SILVER')
    channel: email
    columns: [CUSTOMER_ID_, EMAIL_ADDRESS_]
deliveries:
  rome_to_partner:
    segment: rome_gold
    to: outbox
    folder: audiences
    file: "rome_{YYYYMMDD}.csv.gz.gpg"
    mode: full
    rename: {CUSTOMER_ID_: UID}
    compression: gzip
    encrypt_for: [partner]
    ready: {suffix: .ready, count: true}
    guard: {max_added: 25%, max_removed: 10, min_rows: 1}
    when_unchanged: skip
schedule: {cron: "0 6 * * *", on_missing: fail}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "responsys.yaml"
    path.write_text(text)
    return path


def refused(folder: Path, old: str, new: str) -> ConfigError:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        load(write(folder, GOOD.replace(old, new, 1)))
    return caught.value


def test_the_documented_example_is_accepted(tmp_path: Path) -> None:
    project = load(write(tmp_path, GOOD))
    core = project.config.lists["core"]
    assert [kind for kind, _ in project.config.lists["web"].patterns()] == ["full", "incremental"]
    assert core.declared_types == {"POINTS": "integer"}
    assert core.deadline == "30 5 * * *"
    assert core.since == dt.date(2026, 1, 1)
    assert project.config.keep.exported == dt.timedelta(days=90)
    assert project.lake_path == tmp_path / "lake"


@pytest.mark.parametrize(
    ("old", "new", "key", "line", "says"),
    [
        ("lake: ./lake", "lakee: ./lake", "lakee", 2, "did you mean lake"),
        ("    folder: download\n", "    foldr: x\n", "lists.core.foldr", 21, "did you mean folder"),
        ("name: acme, ", "", "account.name", 1, "required and missing"),
        ("port: 22", 'port: "22"', "servers.responsys.port", 8, "integer"),
        ("type: sftp", "type: ftp", "servers.responsys", 5, "'sftp', 'local'"),
        ('"${PGP_PASSPHRASE}"', "secret", "keys.decrypt.passphrase", 14, "environment variable"),
        ("export: full", "export: fulll", "lists.core.export", 24, "'full' or 'incremental'"),
        ("encrypted: true", "encrypted: yes", "lists.core.encrypted", 26, "boolean"),
        ('delimiter: ","', 'delimiter: "#"', "lists.core.delimiter", 27, "';'"),
        ("{YYYYMMDD}_{HHMISS}", "{YYYYMDD}", "lists.core.files", 22, "not a stamp"),
        ("max_rejected: 5%", "max_rejected: few", "lists.core.max_rejected", 31, "5%"),
        ("max_rejected: 5%", "max_shrink: none", "lists.core.max_shrink", 31, "5%"),
        ("max_rejected: 5%", "timestamp_format: '%H %Z'", "lists.core.timestamp_format", 31, "%z"),
        ("max_rejected: 5%", "timestamp_format: '%d%m%y'", "lists.core.timestamp_format", 31, "%Y"),
        ("max_rejected: 5%", "timestamp_format: '%c'", "lists.core.timestamp_format", 31, "write"),
        ("max_rejected: 5%", "timestamp_format: '%Q'", "lists.core.timestamp_format", 31, "%Q"),
        ("settle: 10m", "settle: ten", "lists.web.settle", 37, "10m"),
        ("America/New_York", "Mars/Base", "account.timezone", 1, "IANA"),
        ("America/New_York", "UTC, country: XX", "account.country", 1, "two letters"),
        ("America/New_York", "UTC, country: us", "account.country", 1, "[A-Z]"),
        ('cron: "0 6 * * *"', 'cron: "at six"', "schedule.cron", 64, "cron"),
        ("primary: core", "primary: cor", "profiles.primary", 41, "no list cor"),
        ("priority: [core, web]", "priority: [x]", "profiles.rules.LOYALTY_TIER.priority", 43, "x"),
        ("to: outbox", "to: inbox", "deliveries.rome_to_partner.to", 54, "no server inbox"),
        ("[partner]", "[nobody]", "deliveries.rome_to_partner.encrypt_for", 60, "nobody"),
        ("segment: rome_gold", "segment: rom", "deliveries.rome_to_partner.segment", 53, "rom"),
        ("    channel: email\n", "", "segments.rome_gold.channel", 47, "required"),
        ("mode: full", "mode: changes", "deliveries.rome_to_partner.file", 56, "{seq}"),
        ("FIRST_NAME: latest_non_empty", "EMAIL_PERMISSION_STATUS_: latest",
         "profiles.rules.EMAIL_PERMISSION_STATUS_", 43, "rules of their own"),
        ("CITY_ = 'Rome'", "CITY_ = = 'Rome'", "segments.rome_gold.where", 48, "does not parse"),
        ("CITY_ = 'Rome'", "CITY_ IS NULL", "segments.rome_gold.where", 48, "CITY_ = ''"),
        ("CITY_ = 'Rome'", "CITY_ = (SELECT 1)", "segments.rome_gold.where", 48, "subquery"),
        ("CITY_ = 'Rome'", "read_text('x') = ''", "segments.rome_gold.where", 48, "read_text"),
        ("    host_keys: [\"ssh-ed25519 AAAA\"]\n", "", "servers.responsys", 5, "pinned"),
        ("    settle: 10m\n", "", "lists.web.ready", 36, "settle"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_names_file_line_key_and_what_was_expected(
    tmp_path: Path, old: str, new: str, key: str, line: int, says: str
) -> None:
    error = refused(tmp_path, old, new)
    assert (error.key, error.line) == (key, line)
    assert says in error.message
    assert error.file == str(tmp_path / "responsys.yaml")


def test_one_column_with_two_types_is_refused_unless_it_is_left_out(tmp_path: Path) -> None:
    text = GOOD.replace(
        "    required: false\n", "    required: false\n    columns: {POINTS: number}\n"
    )
    with pytest.raises(ConfigError, match="is number here and integer in list core"):
        load(write(tmp_path, text))
    load(write(tmp_path, text.replace("columns: all", "columns: [CITY_]")))


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    assert "twice" in refused(tmp_path, "lake: ./lake", "lake: ./lake\nlake: ./pond").message


def test_a_file_that_is_not_yaml_names_the_line(tmp_path: Path) -> None:
    error = refused(tmp_path, "name: acme, ", "name: [acme, ")
    assert error.code == "config_syntax"
    assert error.line == 1


def test_json_is_a_configuration_too(tmp_path: Path) -> None:
    document = {
        "account": {"name": "acme", "timezone": "UTC"},
        "lake": "lake",
        "servers": {"here": {"type": "local", "path": "in"}},
        "lists": {"core": {"server": "here", "files": "CORE_{YYYYMMDD}.csv"}},
        "profiles": {"match_on": ["CUSTOMER_ID_"]},
    }
    path = write(tmp_path, json.dumps(document))
    assert load(path).config.profiles.match_columns == ("CUSTOMER_ID_",)


def test_a_missing_variable_is_named_only_when_it_is_needed(tmp_path: Path) -> None:
    project = load(write(tmp_path, GOOD), env={})
    with pytest.raises(ConfigError, match="SSH_KEY_FILE is not set"):
        project.path("${SSH_KEY_FILE}", "servers.responsys.private_key_file")
    named = load(write(tmp_path, GOOD), env={"SSH_KEY_FILE": "keys/id"})
    assert named.path("${SSH_KEY_FILE}", "x") == tmp_path / "keys" / "id"


def test_the_configuration_is_found_by_option_then_variable_then_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESPONSYS_CONFIG", raising=False)
    assert config_path(None) == tmp_path / "responsys.yaml"
    monkeypatch.setenv("RESPONSYS_CONFIG", "other.yaml")
    assert config_path(None) == tmp_path / "other.yaml"
    assert config_path("mine.yaml") == tmp_path / "mine.yaml"


def test_only_settings_that_decide_how_a_file_is_read_change_its_digest(tmp_path: Path) -> None:
    before = load(write(tmp_path, GOOD)).staging_settings("core")
    elsewhere = GOOD.replace("folder: download", "folder: other")
    assert load(write(tmp_path, elsewhere)).staging_settings("core") == before
    typed = GOOD.replace("POINTS: integer", "POINTS: number")
    assert load(write(tmp_path, typed)).staging_settings("core") != before


def test_the_json_schema_describes_every_section() -> None:
    schema = json_schema()
    assert set(schema["properties"]) >= {"account", "lists", "profiles", "segments", "deliveries"}
    assert schema["additionalProperties"] is False


def test_variables_beside_the_configuration_are_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("SSH_KEY_FILE='a $HOME'\nexport PGP_KEY_FILE=b # remark\n")
    monkeypatch.setenv("PGP_KEY_FILE", "c")
    project = load(write(tmp_path, GOOD))
    assert project.text("${SSH_KEY_FILE}:${PGP_KEY_FILE}", "x") == "a $HOME:c"


def test_a_line_of_variables_that_is_none_is_refused_without_repeating_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("hunter2\n")
    with pytest.raises(ConfigError, match="NAME=value") as caught:
        load(write(tmp_path, GOOD))
    assert "hunter2" not in str(caught.value)
