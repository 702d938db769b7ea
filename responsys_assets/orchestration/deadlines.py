"""Deadlines: a job that fails when a list's export of the day is late."""

# no `from __future__ import annotations`: Dagster looks at the type of `context` itself

import datetime as dt

import dagster as dg

from responsys_assets.config.project import Project
from responsys_assets.lake.days import Day
from responsys_assets.lake.lake import Lake
from responsys_assets.orchestration.failures import plain_failures
from responsys_assets.orchestration.runless import tell_day
from responsys_assets.orchestration.tags import DAY


def deadline_name(list_name: str) -> str:
    return f"deadline_{list_name}"


def deadline_job(project: Project, list_name: str) -> dg.JobDefinition:
    """A job that fails if the list's export of the day was not accepted."""

    @dg.op(name=f"judge_{deadline_name(list_name)}")
    def judge(context: dg.OpExecutionContext) -> None:
        with plain_failures():
            said = context.run.tags.get(DAY)
            day = dt.date.fromisoformat(said) if said else project.today()
            found = Day.read(Lake(project.lake_path), list_name, day)
            if found.accepted:
                context.log.info("%s is there", found.accepted[-1].file)
                return
            tell_day(context.instance, project, list_name, day)
            late = found.refusal or found.absence or f"the export of {list_name} is not staged yet"
            raise dg.Failure(
                f"{late}, and its deadline has passed. See `responsys doctor`", allow_retries=False
            )

    @dg.job(
        name=deadline_name(list_name),
        description=f"Fails when the day's export of {list_name} is late.",
        executor_def=dg.in_process_executor,
    )
    def deadline() -> None:
        judge()

    return deadline
