"""The sender's side of an encrypted export; it shares no code with the side that decrypts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from responsys_assets.errors import PgpError
from responsys_assets.pgp.home import GpgHome
from responsys_assets.pgp.process import environment, program


def encrypt(pieces: Iterable[bytes], target: Path, public_key: Path, *, compress: bool) -> None:
    """Stream into a PGP message for one public key, with gpg's own compression or none.

    Raises:
        PgpError: if gpg fails.
    """
    compression = ["--compress-level", "1"] if compress else ["--compress-algo", "none"]
    with GpgHome() as home:
        command = [program("gpg"), "--homedir", str(home.path), "--batch", "--quiet", "--no-tty"]
        command += ["--trust-model", "always", "--no-autostart", "--yes", *compression]
        command += ["--recipient-file", str(public_key), "--output", str(target), "--encrypt"]
        with subprocess.Popen(  # noqa: S603 (fixed arguments)
            command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
        ) as process:
            pipe = process.stdin
            if pipe is None:
                raise RuntimeError("gpg was started without an input")
            try:
                with pipe:
                    for piece in pieces:
                        pipe.write(piece)
            except BrokenPipeError:
                pass  # gpg has ended; its exit code says the rest
        if process.returncode != 0:
            target.unlink(missing_ok=True)
            raise PgpError(
                "encryption", f"gpg cannot encrypt for {public_key}; is the key expired?"
            )
