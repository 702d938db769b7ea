"""The code location of a worker that dies, with its code server, at the n-th rename it makes.

`$DIE_AT` names a file that holds n; it is gone when the worker dies of it, which it does not
before somebody has put a file `.now` beside it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path

from responsys_assets.orchestration.build import load_definitions
from responsys_assets_tests.orchestration.world import until

_order = Path(os.environ["DIE_AT"])
_folder = str(_order.parent)
_left = int(_order.read_text()) if _order.exists() else 0


def _die(event: str, arguments: tuple[object, ...]) -> None:
    global _left  # noqa: PLW0603 - a hook has nowhere else to count
    if event == "os.rename" and str(arguments[1]).startswith(_folder):
        _left -= 1
        if _left == 0:
            until(_order.with_suffix(".now").exists)
            _order.unlink()
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)


if _left and multiprocessing.parent_process() is not None:
    sys.addaudithook(_die)

defs = load_definitions()
