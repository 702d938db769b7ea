"""Alerts: the configured program is told of every failed run that is not tried again by itself."""

# no `from __future__ import annotations`: Dagster looks at the type of `context` itself

import subprocess

import dagster as dg

from responsys_assets.config.project import Project
from responsys_assets.errors import ResponsysError
from responsys_assets.orchestration.failures import plain_tick_failures

_WILL_RETRY = "dagster/will_retry"
_SECONDS = 30
_PATIENCE_SECONDS = 60


def alert_sensor(project: Project, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """A sensor of failed runs: late lists, held exports and deliveries, servers that refuse us."""

    @dg.run_failure_sensor(
        name="alert",
        description="Runs the `alert` command of the configuration for every failed run.",
        minimum_interval_seconds=_SECONDS,
        default_status=status,
    )
    def alert(context: dg.RunFailureSensorContext) -> None:
        with plain_tick_failures():
            if context.dagster_run.tags.get(_WILL_RETRY) != "true":
                tell(project, said_by(context))

    return alert


def said_by(context: dg.RunFailureSensorContext) -> str:
    """What failed and why, in our own sentences: nothing of a record is in them."""
    reasons = []
    for event in context.get_step_failure_events():
        said = event.step_failure_data.user_failure_data
        reasons.append((said and said.description) or "see its log in the Dagster UI")
    run = context.dagster_run
    day = run.tags.get("dagster/partition")
    what = f"{run.job_name} of {day}" if day else run.job_name
    return f"{what} failed: {' '.join(reasons) or 'its process has died'} (run {run.run_id})"


def tell(project: Project, sentence: str) -> None:
    """Give a sentence to the configured program, on its standard input.

    Raises:
        ResponsysError: if it cannot be started, fails or hangs.
    """
    if project.config.alert is None:
        raise RuntimeError("only called with an alert")
    command = project.config.alert.command
    try:
        subprocess.run(  # noqa: S603 - the operator's own program, without a shell
            command,
            input=f"{project.config.account.name}: {sentence}\n",
            text=True,
            cwd=project.file.absolute().parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE_SECONDS,
            check=True,
        )
    except OSError as error:
        why = f"cannot be started ({error.strerror})"
    except subprocess.TimeoutExpired:
        why = f"did not end within {_PATIENCE_SECONDS} s"
    except subprocess.CalledProcessError as error:
        why = f"ended with code {error.returncode}"
    else:
        return
    raise ResponsysError("alert_failed", f"alert.command: {command[0]} {why}; mend it")
