"""Sensors: they ask the server and the lake what is to be done, and request runs for it.

What a look has to remember is in the lake: no tick, crash or lost storage can lose a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg

from responsys_assets.config.project import Project
from responsys_assets.errors import TransientServerError
from responsys_assets.exported.deadlines import late_lists
from responsys_assets.exported.poll import poll, take_note
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import digest
from responsys_assets.orchestration import catalog, jobs
from responsys_assets.orchestration.alerts import alert_sensor
from responsys_assets.orchestration.attempts import in_progress, next_attempt
from responsys_assets.orchestration.deadlines import deadline_name
from responsys_assets.orchestration.failures import TickFailure, plain_tick_failures
from responsys_assets.orchestration.tags import DEADLINE, EXPORTS, WANT
from responsys_assets.wants import (
    Want,
    exports_of,
    missing_today,
    outdated,
    wanted_exports,
)

_SECONDS = 60
_MOST_A_TICK = 10  # a long history comes in over several ticks, the newest days first

Outcome = dg.SensorResult | dg.SkipReason


def build(
    project: Project, known: Mapping[str, jobs.Job], *, automated: bool
) -> list[dg.SensorDefinition]:
    """A sensor for each server with lists, one that waits for all, one for late ones, the alert."""
    status = dg.DefaultSensorStatus.RUNNING if automated else dg.DefaultSensorStatus.STOPPED
    servers = dict.fromkeys(source.server for source in project.config.lists.values())
    found = [exports_ready(project, known, server, status) for server in servers]
    found.append(lists_complete(project, known, status))
    learnt = [name for name, source in project.config.lists.items() if source.deadline is None]
    if learnt:
        found.append(lists_late(project, known, learnt, status))
    if project.config.alert is not None:
        found.append(alert_sensor(project, status))
    return found


def exports_ready(
    project: Project, known: Mapping[str, jobs.Job], server: str, status: dg.DefaultSensorStatus
) -> dg.SensorDefinition:
    """Requests a run for each list and day that has exports to fetch or to stage anew."""
    names = [name for name, each in project.config.lists.items() if each.server == server]

    @dg.sensor(
        name=f"exports_ready_{server}",
        description=(
            f"Lists `{server}` and takes exports of {', '.join(names)} whose ready files are "
            "there. What was done is known from the lake; a file is tried three times."
        ),
        jobs=[known[jobs.ingest_name(name)] for name in names],
        minimum_interval_seconds=_SECONDS,
        default_status=status,
    )
    def sensor(context: dg.SensorEvaluationContext) -> Outcome:
        with plain_tick_failures():
            lake = Lake(project.lake_path)
            try:
                found = poll(project, lake, names)
                take_note(lake, found)
            except TransientServerError as error:
                return dg.SkipReason(f"{error} (asked again in {_SECONDS} s)")
            wants = wanted_exports(found.decisions, exports_of(lake, names), project)
            waiting = [
                f"{each.list}: {each.data.name} waits: {each.detail or each.reason}"
                for each in found.decisions
                if each.action == "wait"
            ]
            done = sum(each.action == "known" for each in found.decisions)
            said = [*waiting, f"{done} exports are known"]
            stuck: list[str] = []
            for unseen in found.unseen:
                passing = isinstance(unseen.error, TransientServerError)
                (said if passing else stuck).append(str(unseen))
            return _requests(context, project, wants, stuck, said)

    return sensor


def _requests(
    context: dg.SensorEvaluationContext,
    project: Project,
    wants: list[Want],
    stuck: list[str],
    said: list[str],
) -> Outcome:
    requests: list[dg.RunRequest] = []
    partitions = catalog.days(project)
    for want in wants:
        if len(requests) == _MOST_A_TICK:
            said.append("more in the next tick")
            break
        if want.day < partitions.start.date():
            stuck.append(
                f"{want.label} is before the first day there is: "
                f"set lists.{want.list_name}.since to that day or an earlier one"
            )
            continue
        if want.day > project.today():
            said.append(f"{want.label} waits for its day")
            continue
        if in_progress(context.instance, EXPORTS, want.label):
            said.append(f"{want.label} is being worked on")
            continue
        attempt = next_attempt(context.instance, want.digest, want.label, project.now())
        if attempt.number is None:
            (stuck if attempt.stuck else said).append(attempt.said)
            continue
        requests.append(
            dg.RunRequest(
                run_key=f"{want.label}:{want.digest}:{attempt.number}",
                job_name=jobs.ingest_name(want.list_name),
                partition_key=want.day.isoformat(),
                tags={EXPORTS: want.label, WANT: want.digest},
            )
        )
    return _outcome(context, requests, stuck, said)


def lists_complete(
    project: Project, known: Mapping[str, jobs.Job], status: dg.DefaultSensorStatus
) -> dg.SensorDefinition:
    """Requests a refresh once all required lists have the day's export."""

    @dg.sensor(
        name="lists_complete",
        description=(
            "Merges, selects and delivers once every required list has an accepted export of "
            "today, and again whenever something new was accepted."
        ),
        job=known[jobs.REFRESH],
        minimum_interval_seconds=_SECONDS,
        default_status=status,
    )
    def sensor(context: dg.SensorEvaluationContext) -> Outcome:
        with plain_tick_failures():
            lake = Lake(project.lake_path)
            missing = missing_today(project, lake)
            if missing:
                return dg.SkipReason(f"waiting for today's export of {', '.join(missing)}")
            lagging = outdated(project, lake)
            if not lagging:
                return dg.SkipReason("everything that was accepted is merged and delivered")
            want, what = digest(lagging)[:32], ", ".join(lagging)
            attempt = next_attempt(context.instance, want, what, project.now())
            if attempt.number is None:
                stuck = [attempt.said] if attempt.stuck else []
                return _outcome(context, [], stuck, [attempt.said])
            request = dg.RunRequest(run_key=f"{want}:{attempt.number}", tags={WANT: want})
            return _outcome(context, [request], [], [])

    return sensor


def lists_late(
    project: Project,
    known: Mapping[str, jobs.Job],
    names: Sequence[str],
    status: dg.DefaultSensorStatus,
) -> dg.SensorDefinition:
    """Requests a run that fails, once, when a list without deadline has stopped coming."""

    @dg.sensor(
        name="lists_late",
        description=(
            f"A run fails when the exports of {', '.join(names)} stop coming as often as they did. "
            "A list with a `deadline` has a schedule instead."
        ),
        jobs=[known[deadline_name(name)] for name in names],
        minimum_interval_seconds=_SECONDS,
        default_status=status,
    )
    def sensor(context: dg.SensorEvaluationContext) -> Outcome:
        with plain_tick_failures():
            requests = [
                dg.RunRequest(
                    run_key=f"{each.list_name}:{each.deadline.isoformat()}",
                    job_name=deadline_name(each.list_name),
                    tags={DEADLINE: each.deadline.isoformat()},
                )
                for each in late_lists(project, Lake(project.lake_path))
                if each.list_name in names
            ]
            said = [] if requests else ["no list has stopped coming"]
            return _outcome(context, requests, [], said)

    return sensor


def _outcome(
    context: dg.SensorEvaluationContext,
    requests: list[dg.RunRequest],
    stuck: list[str],
    said: list[str],
) -> Outcome:
    """Requests come first: what is stuck must not keep the rest."""
    if requests:
        for sentence in (*stuck, *said):
            context.log.warning("%s", sentence)
        return dg.SensorResult(run_requests=requests)
    if stuck:
        raise TickFailure("; ".join(stuck))
    return dg.SkipReason("; ".join(said))
