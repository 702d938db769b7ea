"""Closing a receiver that is not delivered to any more: nobody is left there."""

from __future__ import annotations

import polars as pl

from responsys_assets.config.project import Project
from responsys_assets.config.targets import Target, may_collide
from responsys_assets.deliveries.plans import Plans
from responsys_assets.deliveries.receivers import ROWS, Received, Receivers
from responsys_assets.deliveries.removals import delivery_of, part_of, publish_part
from responsys_assets.deliveries.render import UnrenderableError
from responsys_assets.deliveries.rows import key_columns
from responsys_assets.deliveries.send import Release, transfer
from responsys_assets.deliveries.settle import settle, settle_half_sent
from responsys_assets.deliveries.states import DeliveryResult
from responsys_assets.errors import ConfigError, DeliveryError
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot
from responsys_assets.progress import SILENT, Progress

CLOSING = "closing"


def close(
    project: Project, lake: Lake, target: Target, word: Release, progress: Progress = SILENT
) -> DeliveryResult:
    """Remove everybody at a receiver: a file of removals, or an empty one for `mode: full`.

    Written as what was delivered there last, with the same columns, names and encryption.
    `word` says who closes it, and why.

    Raises:
        ConfigError: if the configuration still delivers there, or lacks the server or a key; if
            nothing was ever delivered there.
        ServerError: if the destination cannot take it; it may be closed again.
    """
    with lake.writing(progress.say):
        received = Receivers(project, lake).last(target)
        if received is None:
            raise ConfigError("unknown_target", f"nothing was ever delivered to {target}")
        _require_closable(project, received)
        plans = Plans(project, lake, received.delivery, target)
        settle_half_sent(plans)
        plan = plans.waiting()
        if plan is not None and plan.manifest["inputs"].get("part") != CLOSING:
            if plans.journal(plan).started:
                settle(plans, plan)
            plan = None
        base = plans.delivered() or received.plan
        if base.manifest.get("closed"):
            return plans.result(base)
        if plan is None:
            plans.require_base()
            plan = _publish(plans, base)
        plans.journal(plan).note("closed", who=word.who, why=word.why)
        transfer(plans, plan, progress)
        return plans.result(plan)


def _publish(plans: Plans, base: Snapshot) -> Snapshot:
    keys = pl.read_parquet(base.path / ROWS, columns=key_columns(base), glob=False)
    inputs = {"part": CLOSING, "base": base.name, "match_on": base.manifest["inputs"]["match_on"]}
    try:
        return publish_part(plans, base, part_of(base, keys), inputs, closed=True)
    except UnrenderableError as error:
        raise DeliveryError(
            "not_closable", f"{plans.target}: a value does not fit the {error.reason} of the file"
        ) from None


def _require_closable(project: Project, received: Received) -> None:
    target, config = received.target, project.config
    before = delivery_of(received.plan)
    for name, delivery in config.deliveries.items():
        theirs = Target.of(delivery)
        if theirs.shares_place(target, config) and may_collide(delivery, before):
            raise ConfigError(
                "target_in_use",
                f"delivery {name} goes to {target}, so it cannot be closed: take the delivery "
                "out of the configuration, or change where it goes, and close it then",
            )
    if target.server not in config.servers:
        raise ConfigError(
            "unknown_server",
            f"{target} cannot be closed without its server: put servers.{target.server} back "
            "into the configuration, close it, and take it out again",
            file=str(project.file),
        )
    shape = received.plan.manifest["shape"]
    for recipient in shape["encrypt_for"]:
        if recipient not in config.keys.recipients:
            raise ConfigError(
                "unknown_recipient",
                f"{target} was encrypted for {recipient}: put keys.recipients.{recipient} back "
                "into the configuration, close it, and take it out again",
                file=str(project.file),
            )
