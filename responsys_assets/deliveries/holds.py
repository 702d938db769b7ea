"""What holds a plan until a person sends it, beyond its guard."""

from __future__ import annotations

from dataclasses import dataclass

from responsys_assets.config.project import Project
from responsys_assets.deliveries.files import shape_of
from responsys_assets.deliveries.guard import tripped
from responsys_assets.deliveries.rows import Counts
from responsys_assets.deliveries.source import Source, delivery_config
from responsys_assets.system_columns import CHANNELS, PERMISSION_COLUMNS

CONSENT_NOT_DELIVERED = "consent_not_delivered"


@dataclass(frozen=True)
class Hold:
    """A stable reason, and why in words."""

    reason: str
    detail: str


def holds(project: Project, name: str, source: Source, counts: Counts) -> list[Hold]:
    """Every reason to wait for a person; empty if the plan may go."""
    delivery = delivery_config(project, name)
    found = []
    if source.unheard:
        lists = ", ".join(source.unheard)
        found.append(
            Hold(
                "consent_incomplete",
                f"no export of {lists} was ever accepted, so the opt-outs there are unknown "
                "(required: false says that a list may be missing)",
            )
        )
    if hides_consent(project, name, source) and not _let_go_before(project, name, source):
        found.append(
            Hold(
                CONSENT_NOT_DELIVERED,
                "profiles include people who opted out, and no delivered column says so: add "
                "the permission columns to `columns`, or say `channel: none` if nobody is "
                "written to from it",
            )
        )
    minded = tripped(
        delivery.guard,
        rows=counts.rows,
        added=counts.added,
        removed=counts.removed,
        delivered=source.base.rows if source.base else None,
    )
    if minded:
        found.append(Hold("guard", f"the guard holds this delivery: {'; '.join(minded)}"))
    return found


def hides_consent(project: Project, name: str, source: Source) -> bool:
    """Whether it gives away people who opted out without saying that they did: an address without
    the permission of its channel, or no permission at all."""
    delivery = delivery_config(project, name)
    if delivery.segment != "profiles" or delivery.channel is not None:
        return False
    told = PERMISSION_COLUMNS.intersection(source.columns)
    return not told or any(
        channel.address in source.columns
        and channel.permission in source.types
        and channel.permission not in told
        for channel in CHANNELS.values()
    )


def _let_go_before(project: Project, name: str, source: Source) -> bool:
    """Whether a person has sent a held plan of the same configuration."""
    base = source.base
    return (
        base is not None
        and bool(base.manifest.get("hides_consent"))
        and base.manifest["shape"] == shape_of(delivery_config(project, name))
    )
