"""`responsys keys`: the pairs that the file server and the export job need."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from responsys_assets.commands.cli import Command, Reply, State, pass_state
from responsys_assets.config.environment import environment
from responsys_assets.errors import ConfigError, ResponsysError
from responsys_assets.lake.publish import FILE_MODE, disk_errors, make_private_folder
from responsys_assets.pgp.keys import new_pgp_key, read_keys
from responsys_assets.servers.ssh_keys import new_ssh_key

PGP_PRIVATE, PGP_PUBLIC = "responsys_pgp.asc", "responsys_pgp_public.asc"
SSH_PRIVATE, SSH_PUBLIC = "responsys_ssh", "responsys_ssh.pub"


@click.command("keys", cls=Command)
@click.argument("action", type=click.Choice(["new", "show"]))
@click.option("--folder", metavar="DIR", help="Where they are; else `keys` beside responsys.yaml.")
@click.option("--name", default="responsys_assets", show_default=True, help="Name in the keys.")
@click.option(
    "--email", default="responsys@example.com", show_default=True, help="Address in the PGP key."
)
@pass_state
def keys_command(state: State, *, action: str, folder: str | None, name: str, email: str) -> Reply:
    """Make the PGP and SSH key pairs, or print the public parts to upload.

    If PGP_PASSPHRASE is set, the private PGP key is protected by it.
    """
    place = Path(folder).absolute() if folder else state.config_file.parent / "keys"
    if action == "new":
        _make(place, name, email, environment(state.config_file).get("PGP_PASSPHRASE", ""))
    return _shown(place)


def _make(folder: Path, name: str, email: str, passphrase: str) -> None:
    for each in (PGP_PRIVATE, PGP_PUBLIC, SSH_PRIVATE, SSH_PUBLIC):
        if (folder / each).exists():
            raise ConfigError(
                "keys_exist",
                "this key exists already and is not replaced: exports may be encrypted for it; "
                "move it away first, or give another --folder",
                file=str(folder / each),
            )
    pgp = new_pgp_key(name, email, passphrase=passphrase or None)
    ssh = new_ssh_key(name)
    with disk_errors(f"cannot write the keys to {folder}"):
        make_private_folder(folder)
        write_private(folder / PGP_PRIVATE, pgp.private)
        write_private(folder / PGP_PUBLIC, pgp.public)
        write_private(folder / SSH_PRIVATE, ssh.private)
        write_private(folder / SSH_PUBLIC, f"{ssh.public}\n")


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _shown(folder: Path) -> Reply:
    pgp, ssh = folder / PGP_PUBLIC, folder / SSH_PUBLIC
    if not (pgp.exists() and ssh.exists()):
        raise ResponsysError(
            "no_keys", "there are no keys here; `responsys keys new` makes them", file=str(folder)
        )
    document: dict[str, Any] = {
        "folder": str(folder),
        "pgp": {
            "fingerprint": read_keys(pgp)[0].fingerprint,
            "public_key_file": str(pgp),
            "public_key": pgp.read_text(),
            "private_key_file": str(folder / PGP_PRIVATE),
        },
        "ssh": {
            "public_key_file": str(ssh),
            "public_key": ssh.read_text().strip(),
            "private_key_file": str(folder / SSH_PRIVATE),
        },
    }

    def show(console: Console) -> None:
        lines = [
            "SSH public key: give it to Responsys for the file server (it takes days).",
            "",
            document["ssh"]["public_key"],
            "",
            "PGP public key: import it in the key dialog of the export job. Fingerprint:",
            document["pgp"]["fingerprint"],
            "",
            document["pgp"]["public_key"],
            "Put these into .env beside responsys.yaml:",
            f"RESPONSYS_SSH_KEY_FILE={document['ssh']['private_key_file']}",
            f"PGP_PRIVATE_KEY_FILE={document['pgp']['private_key_file']}",
        ]
        console.file.write("\n".join(lines) + "\n")

    return Reply(document, show)
