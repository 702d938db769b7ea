"""The demo's folder: keys, account, project; and its SFTP server.

DIR/account/download|upload   what the server shows
DIR/keys                      all keys, made on the spot
DIR/project                   responsys.yaml, .env, lake, outbox
DIR/demo.json                 rows, days, seed: what the exporter was told
"""

from __future__ import annotations

import datetime as dt
import json
import socket
import string
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

from responsys_assets.config.loader import DEFAULT_FILE, load
from responsys_assets.config.project import Project
from responsys_assets.config.schema import json_schema
from responsys_assets.demo.exporter import Exporter
from responsys_assets.demo.people import email
from responsys_assets.demo.server import SftpServer
from responsys_assets.lake.publish import make_private_folder
from responsys_assets.pgp.keys import new_pgp_key
from responsys_assets.servers.ssh_keys import new_ssh_key

TIMEZONE = "America/New_York"
USERNAME = "demo_scp"
_PASSPHRASE = "demo"  # noqa: S105 - it protects nothing but the demo's made-up people


@dataclass(frozen=True)
class Wish:
    """What the exporter is told; `first_day` as ISO date."""

    rows: int
    days: int
    seed: int
    first_day: str


@dataclass(frozen=True)
class DemoAccount:
    """A demo that has been made."""

    folder: Path
    wish: Wish
    port: int
    host_key: str

    @property
    def config_file(self) -> Path:
        return self.folder / "project" / DEFAULT_FILE

    @property
    def partner_key(self) -> Path:
        """The partner's private key, with which deliveries are tried."""
        return self.folder / "keys" / "partner.asc"

    def project(self) -> Project:
        """The project that syncs the account."""
        return load(self.config_file)

    def exporter(self) -> Exporter:
        """The account's own export jobs."""
        return Exporter(
            folder=self.folder / "account" / "download",
            public_key=self.folder / "keys" / "responsys_pgp_public.asc",
            rows=self.wish.rows,
            first_day=dt.date.fromisoformat(self.wish.first_day),
            timezone=ZoneInfo(TIMEZONE),
            seed=self.wish.seed,
        )

    def server(self) -> SftpServer:
        """The account's file server, on the port that the project knows; not started yet."""
        keys = self.folder / "keys"
        return SftpServer(
            self.folder / "account",
            host_key=keys / "host_key",
            authorized_key=keys / "responsys_ssh.pub",
            username=USERNAME,
            port=self.port,
        )


def open_account(folder: Path) -> DemoAccount | None:
    """The finished demo in a folder, if there is one."""
    try:
        said = json.loads((folder / "demo.json").read_text())
    except FileNotFoundError:
        return None
    return DemoAccount(folder, Wish(**said["wish"]), said["port"], said["host_key"])


def make_account(folder: Path, *, rows: int, days: int, seed: int, today: dt.date) -> DemoAccount:
    """Make the folder with keys, empty account and project; its history ends today."""
    first_day = today - dt.timedelta(days=days - 1)
    account = DemoAccount(
        folder, Wish(rows, days, seed, first_day.isoformat()), _free_port(), _make_keys(folder)
    )
    for each in ("account/download", "account/upload", "project/outbox"):
        make_private_folder(folder / each)
    _make_project(account)
    return account


def finish_account(account: DemoAccount) -> None:
    """Remember that the history is complete: from now on the folder is a demo to go on with."""
    said = {"wish": asdict(account.wish), "port": account.port, "host_key": account.host_key}
    (account.folder / "demo.json").write_text(json.dumps(said, indent=2) + "\n")


def _make_keys(folder: Path) -> str:
    """All key pairs; returns the public host key."""
    keys = make_private_folder(folder / "keys")
    with ThreadPoolExecutor() as pool:  # finding primes takes seconds
        making = pool.submit(new_pgp_key, "Demo partner", "partner@example.com")
        own = new_pgp_key("Demo project", "demo@example.com", passphrase=_PASSPHRASE)
        partner = making.result()
    ssh = new_ssh_key("demo")
    host = new_ssh_key("demo-host", kind="ed25519")
    for name, text in {
        "responsys_pgp.asc": own.private,
        "responsys_pgp_public.asc": own.public,
        "partner.asc": partner.private,
        "partner_public.asc": partner.public,
        "responsys_ssh": ssh.private,
        "responsys_ssh.pub": f"{ssh.public}\n",
        "host_key": host.private,
        "host_key.pub": f"{host.public}\n",
    }.items():
        (keys / name).write_text(text)
        (keys / name).chmod(0o600)
    return " ".join(host.public.split()[:2])


def _make_project(account: DemoAccount) -> None:
    project = make_private_folder(account.folder / "project")
    values = {
        "port": str(account.port),
        "host_key": account.host_key,
        "timezone": TIMEZONE,
        "since": account.wish.first_day,
        "folder": str(account.folder),
    }
    templates = files("responsys_assets.templates")
    for source, target in (
        ("demo.yaml", project / DEFAULT_FILE),
        ("demo_readme.md", account.folder / "README.md"),
        ("workspace.yaml", project / "workspace.yaml"),
    ):
        text = (templates / source).read_text(encoding="utf-8")
        target.write_text(
            string.Template(text).substitute(values) if source != "workspace.yaml" else text
        )
    (project / "responsys.schema.json").write_text(json.dumps(json_schema(), indent=2) + "\n")
    (project / ".env").write_text(
        "RESPONSYS_SSH_KEY_FILE=../keys/responsys_ssh\n"
        "PGP_PRIVATE_KEY_FILE=../keys/responsys_pgp.asc\n"
        f"PGP_PASSPHRASE={_PASSPHRASE}\n"
    )
    start = account.wish.rows // 4  # people of all three lists, one in 50
    suppressed = range(start + 1, start + account.wish.rows, 50)
    lines = ["EMAIL_ADDRESS_", *(email(person) for person in suppressed)]
    (project / "suppressed.csv").write_text("\n".join(lines) + "\n")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
