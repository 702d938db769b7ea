"""An OpenSSH server on loopback with a folder of files, and a wire of a given round trip to it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue

from responsys_assets.servers.ssh_keys import new_ssh_key

HOST = "127.0.0.1"
_PIECE = 1 << 18
_READY_SECONDS = 30.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def make_keys(folder: Path) -> str:
    """Keys of server and client in a folder; returns the server's public key."""
    host = new_ssh_key(kind="ed25519")
    for name, key in (("host", host), ("client", new_ssh_key(kind="ed25519"))):
        path = folder / name
        path.touch(0o600)
        path.write_text(key.private)
        path.with_suffix(".pub").write_text(key.public + "\n")
    (folder / "known_hosts").write_text(f"* {host.public}\n")
    return host.public


def user() -> str:
    """Whom the server lets in: who runs it."""
    return getpass.getuser()


@contextmanager
def serving(folder: Path, port: int) -> Iterator[None]:
    """OpenSSH's server, with the keys of `make_keys`, while the context lasts."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None, "install the package openssh-server"
    if os.geteuid() == 0:  # it wants this empty folder, which its package's service makes
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    options = {
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "client.pub",
        "ListenAddress": HOST,
        "Port": port,
        "PidFile": "none",
        "StrictModes": "no",
        "PermitRootLogin": "prohibit-password",
        "Subsystem": "sftp internal-sftp",
    }
    config = folder / "sshd_config"
    config.write_text("".join(f"{key} {value}\n" for key, value in options.items()))
    with subprocess.Popen([program, "-D", "-f", config], stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    until = time.monotonic() + _READY_SECONDS
    while True:
        try:
            socket.create_connection((HOST, port)).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def wire(port: int, to: int, seconds: float) -> Iterator[None]:
    """What comes at `port` goes to the port `to`, and back, each way half a round trip later."""
    with socket.create_server((HOST, port)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    near, _ = listener.accept()
                    far = socket.create_connection((HOST, to))
                    for source, target in ((near, far), (far, near)):
                        _carry(source, target, seconds / 2)

        threading.Thread(target=accept, daemon=True).start()
        yield


def _carry(source: socket.socket, target: socket.socket, seconds: float) -> None:
    """Move bytes one way; any number may be under way."""
    under_way: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

    def take() -> None:
        with suppress(OSError):
            while data := source.recv(_PIECE):
                under_way.put((time.monotonic() + seconds, data))
        under_way.put((time.monotonic() + seconds, b""))

    def give() -> None:
        with suppress(OSError):
            while True:
                due, data = under_way.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)

    for work in (take, give):
        threading.Thread(target=work, daemon=True).start()
