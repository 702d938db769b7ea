"""Deadlines, said or learnt: a job that fails when a list is late."""

# no `from __future__ import annotations`: Dagster looks at the type of `context` itself

import datetime as dt

import dagster as dg

from responsys_assets.config.project import Project
from responsys_assets.exported.clues import clues
from responsys_assets.exported.deadlines import late
from responsys_assets.lake.exports import read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.orchestration.failures import plain_failures
from responsys_assets.orchestration.runless import tell_day
from responsys_assets.orchestration.tags import DEADLINE


def deadline_name(list_name: str) -> str:
    return f"deadline_{list_name}"


def deadline_job(project: Project, list_name: str) -> dg.JobDefinition:
    """A job that fails if the list is late: at the deadline that started it, else now."""

    @dg.op(name=f"judge_{deadline_name(list_name)}")
    def judge(context: dg.OpExecutionContext) -> None:
        with plain_failures():
            said = context.run.tags.get(DEADLINE)
            now = dt.datetime.fromisoformat(said) if said else project.now()
            lake = Lake(project.lake_path)
            found = late(project, list_name, read_exports(lake, list_name), now)
            if found is None:
                context.log.info("%s is on time", list_name)
                return
            tell_day(context.instance, project, list_name, found.day)
            sentences = [str(found), *clues(project, lake, found), "see `responsys doctor`"]
            raise dg.Failure("; ".join(sentences), allow_retries=False)

    @dg.job(
        name=deadline_name(list_name),
        description=f"Fails when {list_name} is late.",
        executor_def=dg.in_process_executor,
    )
    def deadline() -> None:
        judge()

    return deadline
