"""Work in a process of its own, whose memory and that of its gpg can be told apart from ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

_HEAD = """
import json, resource, sys
from pathlib import Path
from responsys_assets.config.loader import load
from responsys_assets.errors import PgpError
from responsys_assets.pgp import decrypting, encrypting
from responsys_assets.pgp.decrypt import keyring
project = load(Path(sys.argv[1]), {})
"""
# Of all children, the largest; a child counts our size until it becomes gpg. Not so for ourselves:
# rusage would count the process that started us.
_TAIL = """
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
ours = int(status["VmHWM"].split()[0]) >> 10
theirs = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
print(json.dumps([result, ours, theirs]))
"""


@dataclass(frozen=True)
class Measured:
    """What the script put into `result`, and the most memory, in MiB, that it and gpg had."""

    result: list[list[str | float]]
    python: int
    gpg: int


def environment() -> dict[str, str]:
    """That of a process that imports what we import and has our temporary folder."""
    path = os.pathsep.join([str(Path.cwd()), *sys.path])
    return {**os.environ, "TMPDIR": tempfile.gettempdir(), "PYTHONPATH": path}


def measured(script: str, *arguments: str) -> Measured:
    """Run a script; it has `project`, of its first argument, and puts a list into `result`."""
    done = subprocess.run(
        [sys.executable, "-c", _HEAD + script + _TAIL, *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return Measured(*json.loads(done.stdout))
