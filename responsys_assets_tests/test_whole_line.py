"""The whole line as a user runs it: a real SFTP server, real gpg, one `sync` after another."""

from __future__ import annotations

import csv
import gzip
import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from responsys_assets.config.project import Project
from responsys_assets.errors import ExitCode, ServerError
from responsys_assets.ingest import ExportReport
from responsys_assets.lake.exports import read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.receipts import Action, Verdict
from responsys_assets.sync import sync
from responsys_assets_tests.conftest import Account, MakeProject, PgpKeys, write_ssh_key

HEADER = ("CUSTOMER_ID_", "EMAIL_ADDRESS_", "EMAIL_PERMISSION_STATUS_", "CITY_", "MODIFIED_DATE_")
Row = tuple[str, ...]

ANN = ("1", "ann@example.com", "I", "Rome", "2026-11-01 10:00:00")
BOB = ("2", "bob@example.com", "I", "Rome", "2026-11-01 10:00:00")
CAT = ("3", "cat@example.com", "O", "Rome", "2026-11-01 10:00:00")


@dataclass
class Feed:
    """An exporter: encrypted files with ready files in a folder of a real SFTP server."""

    folder: Path
    keys: PgpKeys
    project: Project

    def send(
        self, name: str, rows: list[Row], *, count: int | None = None, to: str = "own"
    ) -> Path:
        text = io.StringIO(newline="")
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([HEADER, *rows])
        target = self.folder / name
        target.unlink(missing_ok=True)
        home = self.keys.folder / "feed"
        home.mkdir(mode=0o700, exist_ok=True)
        subprocess.run(
            ["gpg", "--homedir", home, "--batch", "--quiet", "--trust-model", "always",
             "--recipient-file", self.keys.public(to), "-o", target, "--encrypt"],
            input=text.getvalue().encode(),
            check=True,
            capture_output=True,
        )  # fmt: skip
        promised = len(rows) if count is None else count
        target.with_name(f"{name}.ready").write_text(f"{promised}\n")
        return target

    def delivered(self) -> list[dict[str, str]]:
        """The partner's latest file, opened with the partner's key alone."""
        outbox = self.project.file.parent / "outbox"
        newest = max(outbox.glob("*.gpg"), key=lambda path: path.stat().st_mtime_ns)
        home = self.keys.folder / "partner-home"
        home.mkdir(mode=0o700, exist_ok=True)
        gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
        subprocess.run([*gpg, "--import", str(self.keys.private("partner"))], check=True)
        plain = subprocess.run([*gpg, "-d", str(newest)], check=True, capture_output=True).stdout
        return list(csv.DictReader(io.StringIO(gzip.decompress(plain).decode())))

    def decide(self, file: str, action: Action) -> None:
        """What `responsys exports core accept FILE` writes."""
        lake = Lake(self.project.lake_path)
        (export,) = [e for e in read_exports(lake, "core") if e.file == file]
        verdict = Verdict(
            export_id=export.export_id,
            action=action,
            who="ann",
            when=self.project.now(),
            why="checked",
        )
        with lake.writing(), lake.workspace() as work:
            verdict.write(work, export.folder / f"{len(export.verdicts) + 1:04}.verdict.json")


@pytest.fixture
def feed(
    sftp_account: Account,
    sftp_folder: Path,
    pgp_keys: PgpKeys,
    make_project: MakeProject,
    tmp_path: Path,
) -> Feed:
    (tmp_path / "outbox").mkdir()
    common = {
        "server": "responsys",
        "folder": sftp_folder.name,
        "encrypted": True,
        "updated_at": "MODIFIED_DATE_",
    }
    project = make_project(
        servers={"responsys": sftp_account.config, "outbox": {"type": "local", "path": "outbox"}},
        keys={
            "decrypt": {"private_key_file": str(pgp_keys.private("own"))},
            "recipients": {"partner": {"public_key_file": str(pgp_keys.public("partner"))}},
        },
        lists={
            "core": {**common, "files": "CORE_{YYYYMMDD}.csv.gpg"},
            "web": {**common, "files": "WEB_{YYYYMMDD}.csv.gpg", "required": False},
        },
        profiles={"match_on": "CUSTOMER_ID_"},
        segments={
            "rome": {
                "where": "CITY_ = 'Rome'",
                "channel": "email",
                "columns": ["CUSTOMER_ID_", "EMAIL_ADDRESS_"],
            }
        },
        deliveries={
            "partner": {
                "segment": "rome",
                "to": "outbox",
                "file": "rome_{YYYYMMDD}_{HHMISS}.csv.gz.gpg",
                "compression": "gzip",
                "encrypt_for": ["partner"],
                "rename": {"CUSTOMER_ID_": "UID"},
                "ready": {"suffix": ".ready"},
            }
        },
    )
    return Feed(sftp_folder, pgp_keys, project)


def tree(root: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in [root, *root.rglob("*")]
    }


def states(reports: list[ExportReport]) -> dict[str, tuple[str, str | None]]:
    return {report.file: (report.state, report.reason) for report in reports}


def test_encrypted_exports_become_a_delivered_segment(feed: Feed) -> None:
    feed.send("CORE_20261101.csv.gpg", [ANN, BOB, CAT])
    newer = ("2", "new-bob@example.com", "I", "Rome", "2026-11-02 10:00:00")
    feed.send("WEB_20261102.csv.gpg", [newer])
    result = sync(feed.project)
    assert result.exit_code is ExitCode.DONE
    assert result.profiles is not None
    assert result.profiles.rows == 3
    assert result.deliveries["partner"].state == "delivered"
    assert feed.delivered() == [
        {"UID": "1", "EMAIL_ADDRESS_": "ann@example.com"},
        {"UID": "2", "EMAIL_ADDRESS_": "new-bob@example.com"},
    ]


def test_a_sync_does_without_a_pandas_that_is_installed(feed: Feed, tmp_path: Path) -> None:
    """Importing it takes half a second. Fails if the staging has pyarrow make an array from one
    of numpy."""
    (tmp_path / "trap").mkdir()
    (tmp_path / "trap/pandas.py").write_text("raise RuntimeError('imported')")
    feed.send("CORE_20261101.csv.gpg", [ANN, BOB, ("", *CAT[1:])])
    script = "import sys; from responsys_assets.commands.main import run; sys.exit(run(['sync']))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=feed.project.file.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "trap"), *sys.path])},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert [row["UID"] for row in feed.delivered()] == ["1", "2"]


def test_the_second_sync_does_nothing_and_says_so(feed: Feed) -> None:
    feed.send("CORE_20261101.csv.gpg", [ANN])
    assert sync(feed.project).changed
    before = tree(feed.project.lake_path), tree(feed.project.file.parent / "outbox")
    again = sync(feed.project)
    assert not again.changed
    assert again.lists["core"].known == 1
    assert again.lists["core"].exports == []
    assert again.deliveries["partner"].state == "unchanged"
    assert (tree(feed.project.lake_path), tree(feed.project.file.parent / "outbox")) == before


def test_a_new_export_redoes_only_what_depends_on_it(feed: Feed) -> None:
    feed.send("CORE_20261101.csv.gpg", [ANN])
    feed.send("WEB_20261101.csv.gpg", [BOB])
    first = sync(feed.project)
    lake = feed.project.lake_path
    before = tree(lake / "staged" / "core"), tree(lake / "exported" / "core")
    feed.send("WEB_20261102.csv.gpg", [BOB, CAT])
    second = sync(feed.project)
    assert [report.file for report in second.lists["web"].exports] == ["WEB_20261102.csv.gpg"]
    assert (tree(lake / "staged" / "core"), tree(lake / "exported" / "core")) == before
    assert first.profiles is not None
    assert second.profiles is not None
    assert second.profiles.name != first.profiles.name
    # cat opted out, so the segment has the same people: nothing is sent again
    assert second.deliveries["partner"].state == "unchanged"


def test_a_wrong_count_holds_the_file_and_removes_nobody(feed: Feed) -> None:
    feed.send("CORE_20261101.csv.gpg", [ANN, BOB])
    sync(feed.project)
    bad = feed.send("CORE_20261102.csv.gpg", [ANN], count=2)
    held = sync(feed.project)
    assert states(held.lists["core"].exports) == {bad.name: ("held", "count_mismatch")}
    assert held.exit_code is ExitCode.WAITING
    assert held.profiles is not None
    assert held.profiles.rows == 2
    assert sync(feed.project).exit_code is ExitCode.WAITING
    bad.unlink()
    bad.with_name(f"{bad.name}.ready").unlink()
    assert sync(feed.project).exit_code is ExitCode.DONE


def test_a_person_may_accept_what_was_held_and_withdraw_what_was_accepted(feed: Feed) -> None:
    feed.send("CORE_20261101.csv.gpg", [ANN, BOB])
    feed.send("CORE_20261102.csv.gpg", [ANN], count=2)
    sync(feed.project)
    feed.decide("CORE_20261102.csv.gpg", "accept")
    accepted = sync(feed.project)
    assert states(accepted.lists["core"].exports) == {"CORE_20261102.csv.gpg": ("staged", None)}
    assert accepted.exit_code is ExitCode.DONE
    assert accepted.profiles is not None
    assert accepted.profiles.rows == 1
    feed.decide("CORE_20261102.csv.gpg", "withdraw")
    withdrawn = sync(feed.project)
    assert withdrawn.profiles is not None
    assert withdrawn.profiles.rows == 2


def test_a_mended_ready_file_lets_the_export_through(feed: Feed) -> None:
    sent = feed.send("CORE_20261101.csv.gpg", [ANN], count=2)
    assert sync(feed.project).exit_code is ExitCode.WAITING
    sent.with_name(f"{sent.name}.ready").write_text("1\r\n")
    mended = sync(feed.project)
    assert states(mended.lists["core"].exports) == {sent.name: ("staged", None)}


def test_an_opt_out_survives_old_files_sent_again_and_leaving_the_list(feed: Feed) -> None:
    feed.send("CORE_20261102.csv.gpg", [ANN, ("2", *BOB[1:2], "O", *BOB[3:])])
    sync(feed.project)
    feed.send("CORE_20261101.csv.gpg", [ANN, BOB])
    feed.send("CORE_20261103.csv.gpg", [ANN])
    feed.send("WEB_20261103.csv.gpg", [(*BOB[:4], "2026-11-03 00:00:00")])
    result = sync(feed.project)
    assert result.profiles is not None
    assert result.profiles.rows == 2
    assert [row["UID"] for row in feed.delivered()] == ["1"]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[: len(data) // 2], "damaged"),
        (lambda data: data[:-30] + bytes(30), "damaged"),
        (lambda _: b"hello", "not_pgp"),
    ],
)
def test_a_damaged_message_fails_alone_and_leaves_nothing_readable(
    feed: Feed, damage: Callable[[bytes], bytes], reason: str
) -> None:
    feed.send("WEB_20261101.csv.gpg", [BOB])
    bad = feed.send("CORE_20261101.csv.gpg", [ANN] * 50)
    bad.write_bytes(damage(bad.read_bytes()))
    result = sync(feed.project)
    assert states(result.lists["core"].exports) == {bad.name: ("failed", reason)}
    assert result.exit_code is ExitCode.WAITING
    assert result.profiles is not None
    assert result.profiles.rows == 1
    for path in feed.project.lake_path.rglob("*"):
        assert path.is_dir() or b"ann@example.com" not in path.read_bytes(), path


def test_a_message_for_somebody_else_fails_with_the_reason(feed: Feed) -> None:
    sent = feed.send("CORE_20261101.csv.gpg", [ANN], to="partner")
    result = sync(feed.project)
    assert states(result.lists["core"].exports) == {sent.name: ("failed", "wrong_recipient")}


def test_a_wrong_host_key_stops_the_sync_before_anything_is_written(
    feed: Feed, make_project: MakeProject, tmp_path: Path
) -> None:
    from responsys_assets.servers.ssh_keys import new_ssh_key  # noqa: PLC0415

    feed.send("CORE_20261101.csv.gpg", [ANN])
    other = write_ssh_key(tmp_path / "other", new_ssh_key(kind="ed25519")).with_suffix(".pub")
    server = feed.project.config.servers["responsys"].model_dump(mode="json", exclude_none=True)
    server["host_keys"] = [" ".join(other.read_text().split()[:2])]
    project = make_project(
        servers={"responsys": server},
        lists={"core": {"server": "responsys", "files": "CORE_{YYYYMMDD}.csv.gpg"}},
    )
    with pytest.raises(ServerError) as caught:
        sync(project)
    assert caught.value.code == "host_key"
    assert not (project.lake_path / "exported").exists()


def test_two_syncs_at_once_make_one_snapshot_and_one_delivery(feed: Feed) -> None:
    feed.send("CORE_20261101.csv.gpg", [ANN, BOB])
    command = (
        "import sys; from pathlib import Path; from responsys_assets.config.loader import load; "
        "from responsys_assets.sync import sync; sync(load(Path(sys.argv[1])))"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", command, str(feed.project.file)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for _ in range(2)
    ]
    assert [process.wait() for process in running] == [0, 0]
    lake = feed.project.lake_path
    assert len([p for p in (lake / "profiles").iterdir() if p.is_dir()]) == 1
    assert len(list((feed.project.file.parent / "outbox").glob("*.gpg"))) == 1


def test_the_same_content_sent_again_is_known(feed: Feed) -> None:
    sent = feed.send("CORE_20261101.csv.gpg", [ANN])
    first = sync(feed.project)
    os.utime(sent, (0, sent.stat().st_mtime + 60))
    again = sync(feed.project)
    assert not again.changed
    assert again.lists["core"].exports == []
    assert again.lists["core"].known == 1
    assert first.profiles is not None
    assert again.profiles is not None
    assert again.profiles.name == first.profiles.name
