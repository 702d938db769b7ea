"""A process with everything imported and no work begun; every case runs in a fork of it.

A sync in a new interpreter spends a second on imports; a fork spends none. It reads one JSON
request a line from stdin and answers each with a line:

    {"task": name, "folder": F, "result": FILE, ...}  starts a child; {"pid": n}
    {"wait": pid}                                     {"status": exit code, or -signal}
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

from responsys_assets_tests.faults import tasks


def serve() -> None:
    """Answer requests until there are no more."""
    tasks.warm_up()
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            answer = {"status": os.waitstatus_to_exitcode(status)}
        else:
            answer = {"pid": _start(request)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _start(request: dict[str, Any]) -> int:
    with warnings.catch_warnings():
        # the engines have threads that only tidy up
        warnings.filterwarnings("ignore", "This process", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    try:
        result = tasks.run(request)
    except BaseException:  # noqa: BLE001 - a child never comes back into the loop
        result = {"traceback": traceback.format_exc()}
    Path(request["result"]).write_text(json.dumps(result))
    os._exit(0)


if __name__ == "__main__":
    serve()
