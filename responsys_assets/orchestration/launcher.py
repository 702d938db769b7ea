"""Runs as Dagster's own launcher starts them, with a look at whether their process still lives.

Dagster's code server notices when the process of a run dies. When the server died with it (the
machine went down, the memory ran out), nobody would: the run would count as running for hours
and hold back everything behind it.
"""

from __future__ import annotations

import os
from pathlib import Path

from dagster import DagsterEventType, DagsterRun
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus

_PID = "pid"
_TOLERANCE_SECONDS = 2  # clocks of the kernel and of events


class WatchedRunLauncher(DefaultRunLauncher):
    """For daemon and runs on one machine, where the one can see the processes of the others."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Called by the monitor for each run that should be running."""
        events = self._instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT)
        for entry in reversed(events):
            said = entry.dagster_event and entry.dagster_event.engine_event_data
            if said and _PID in said.metadata:
                pid = int(str(said.metadata[_PID].value))
                if _lives(pid, entry.timestamp):
                    break
                return CheckRunHealthResult(WorkerStatus.FAILED, f"process {pid} is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def _lives(pid: int, known_at: float) -> bool:
    """Whether the process that had this number at `known_at` still has it."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        booted = Path("/proc/stat").read_text()
    except FileNotFoundError:
        return not Path("/proc/self").exists() and _exists(pid)
    state, *fields = text.rpartition(")")[2].split()
    boot = next(int(line.split()[1]) for line in booted.splitlines() if line[:5] == "btime")
    started = boot + int(fields[18]) / os.sysconf("SC_CLK_TCK")
    return state != "Z" and started <= known_at + _TOLERANCE_SECONDS


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
