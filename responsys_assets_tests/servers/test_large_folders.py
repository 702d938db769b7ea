"""A folder of a hundred thousand files, listed in a process of its own that is measured."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import responsys_assets
from responsys_assets.demo.server import SftpServer
from responsys_assets.servers.ssh_keys import new_ssh_key
from responsys_assets_tests.conftest import MakeProject, sftp_config, write_ssh_key

FILES = 100_000
SECONDS = 3.0
USUAL = 0.3  # seconds of the additions below; a machine that is slower has more time to list
MEGABYTES = 150.0

CHILD = """
import json, sys, time
from pathlib import Path
from responsys_assets.config.loader import load
from responsys_assets.servers import open_server

def additions():
    began, total = time.process_time(), 0
    for number in range(5_000_000):
        total += number
    return time.process_time() - began

pace = additions()
with open_server(load(Path(sys.argv[1]), {}), "files") as server:
    began = time.process_time()
    found = server.list_folder(sys.argv[2])
    seconds = time.process_time() - began
pace = max(pace, additions())
good = {file.name for file in found if file.name.isascii()}
# not ru_maxrss, which a process inherits from the one that started it
status = Path("/proc/self/status").read_text().splitlines()
peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
print(json.dumps([len(found), len(good), seconds, pace, peak]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """FILES empty files, and one whose name is not UTF-8."""
    path = tmp_path_factory.mktemp("large")
    names = [f"CORE_{number:08}.csv.gpg".encode() for number in range(FILES)]
    for name in (*names, b"bad-\xff\xfe.csv"):
        os.close(os.open(os.fsencode(path) + b"/" + name, os.O_CREAT | os.O_WRONLY))
    yield path
    shutil.rmtree(path)  # pytest keeps folders for a while, and this one is slow to remove


@contextmanager
def demo_server(folder: Path, place: Path, client_key: Path) -> Iterator[dict[str, Any]]:
    host_key = write_ssh_key(place / "host", new_ssh_key(kind="ed25519"))
    public = client_key.with_suffix(".pub")
    server = SftpServer(folder, host_key=host_key, authorized_key=public, username="acme_scp")
    with server:
        yield {**sftp_config(server, client_key), "folder": "/"}


@contextmanager
def open_ssh(folder: Path, place: Path, client_key: Path) -> Iterator[dict[str, Any]]:
    """One connection to the OpenSSH server of this machine, as the user who runs the test."""
    host_key = new_ssh_key(kind="ed25519")
    write_ssh_key(place / "host", host_key)
    options = {
        "HostKey": place / "host",
        "AuthorizedKeysFile": client_key.with_suffix(".pub"),
        "StrictModes": "no",
        "PermitRootLogin": "prohibit-password",
        "Subsystem": "sftp internal-sftp",
    }
    config = place / "sshd_config"
    config.write_text("".join(f"{key} {value}\n" for key, value in options.items()))
    if os.geteuid() == 0:  # it wants this empty folder, which its package's service makes
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                command = [str(SSHD), "-i", "-e", "-f", str(config)]
                line = connection.fileno()
                subprocess.run(
                    command, stdin=line, stdout=line, stderr=subprocess.PIPE, check=False
                )

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield {
            "type": "sftp",
            "host": "127.0.0.1",
            "port": listener.getsockname()[1],
            "username": getpass.getuser(),
            "private_key_file": str(client_key),
            "host_keys": [host_key.public],
            "folder": str(folder),
        }
        thread.join(10)


SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
SERVERS = [demo_server, *([open_ssh] if SSHD else [])]


@pytest.mark.scorecard(7)
@pytest.mark.parametrize("serving", SERVERS)
def test_a_hundred_thousand_files_are_listed_in_three_seconds_and_150_megabytes(
    make_project: MakeProject, folder: Path, tmp_path: Path, client_key: Path, serving: Any
) -> None:
    """The memory is the peak of the whole process; the time is its own, for how long the server
    takes is the server's. A machine that is slower than usual, by its pace at additions, has as
    much more time. The name that is not UTF-8 keeps none of the others.

    Fails when `Session.entries` decodes names, and when all of its entries are kept while listed
    files are pydantic models.
    """
    with serving(folder, tmp_path, client_key) as config:
        where = config.pop("folder")
        project = make_project(servers={"files": config})
        environment = {**os.environ, "PYTHONPATH": str(Path(responsys_assets.__file__).parents[1])}
        command = [sys.executable, "-c", CHILD, str(project.file), where]
        said = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    found, good, seconds, pace, peak = json.loads(said)
    assert (found, good) == (FILES + 1, FILES)
    assert seconds <= SECONDS * max(1.0, pace / USUAL)
    assert peak <= MEGABYTES
