"""Schedules in account time: the daily sync, and a judge at each list's deadline."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from responsys_assets.config.project import Project
from responsys_assets.orchestration import jobs
from responsys_assets.orchestration.deadlines import deadline_name
from responsys_assets.orchestration.tags import DEADLINE


def build(
    project: Project, known: Mapping[str, jobs.Job], *, automated: bool
) -> list[dg.ScheduleDefinition]:
    """The daily sync, if there is a `schedule`, and the deadlines of the lists."""
    status = dg.DefaultScheduleStatus.RUNNING if automated else dg.DefaultScheduleStatus.STOPPED
    config = project.config
    found = []
    if config.schedule is not None:
        found.append(daily_sync(project, known[jobs.DAILY_SYNC], config.schedule.cron, status))
    for name, source in config.lists.items():
        if source.deadline not in (None, "none"):
            job = known[deadline_name(name)]
            found.append(deadline(project, job, name, source.deadline, status))
    return found


def daily_sync(
    project: Project, job: jobs.Job, cron: str, status: dg.DefaultScheduleStatus
) -> dg.ScheduleDefinition:
    """Runs the whole line for the day."""

    @dg.schedule(
        name=jobs.DAILY_SYNC,
        job=job,
        cron_schedule=cron,
        execution_timezone=project.config.account.timezone,
        default_status=status,
        description="All of `responsys sync`, for the day in account time.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(partition_key=_day(context, project))

    return schedule


def deadline(
    project: Project, job: jobs.Job, list_name: str, cron: str, status: dg.DefaultScheduleStatus
) -> dg.ScheduleDefinition:
    """Runs the job that fails if the list's export of the day is not there."""

    @dg.schedule(
        name=deadline_name(list_name),
        job=job,
        cron_schedule=cron,
        execution_timezone=project.config.account.timezone,
        default_status=status,
        description=f"By then the export of {list_name} must be accepted; else a run fails.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(tags={DEADLINE: context.scheduled_execution_time.isoformat()})

    return schedule


def _day(context: dg.ScheduleEvaluationContext, project: Project) -> str:
    """The scheduled moment's day in account time, however late the tick is."""
    return context.scheduled_execution_time.astimezone(project.zone).date().isoformat()
