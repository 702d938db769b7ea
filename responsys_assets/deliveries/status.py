"""Where a delivery is, read from the lake alone."""

from __future__ import annotations

from dataclasses import dataclass

from responsys_assets.config.project import Project
from responsys_assets.deliveries.plans import Plans
from responsys_assets.deliveries.source import delivery_config
from responsys_assets.deliveries.states import DeliveryResult
from responsys_assets.lake.lake import Lake


@dataclass(frozen=True)
class DeliveryStatus:
    """What was delivered last and when (ISO 8601, UTC), and the plan that follows, if any."""

    delivered: DeliveryResult | None
    delivered_at: str | None
    waiting: DeliveryResult | None

    @property
    def latest(self) -> DeliveryResult | None:
        """What there is to say about the delivery now."""
        return self.waiting or self.delivered


def status(project: Project, lake: Lake, name: str) -> DeliveryStatus:
    """Writes nothing, asks no server. A plan that waits may be void: only sending checks that.

    Raises:
        ConfigError: if there is no such delivery.
    """
    delivery_config(project, name)
    plans = Plans(project, lake, name)
    received, waiting = plans.receivers.last(plans.target), plans.waiting()
    return DeliveryStatus(
        delivered=plans.result(received.plan) if received else None,
        delivered_at=received.at if received else None,
        waiting=plans.result(waiting) if waiting else None,
    )
