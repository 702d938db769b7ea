"""What a receiver must hear at once of people who opted out, whatever holds the rest of a plan."""

from __future__ import annotations

from responsys_assets.config.project import Project
from responsys_assets.config.targets import Target
from responsys_assets.deliveries.reach import Reach
from responsys_assets.deliveries.removals import Part, part_of
from responsys_assets.deliveries.source import Source, delivery_config
from responsys_assets.deliveries.states import people
from responsys_assets.errors import ConfigError
from responsys_assets.lake.publish import Workspace
from responsys_assets.lake.snapshots import Snapshot


def opt_outs(
    project: Project, name: str, source: Source, base: Snapshot, work: Workspace
) -> Part | None:
    """The part that goes at once; None if nobody opted out since.

    It may be of a full delivery, which cannot say it: see `may_go`.
    """
    reach, delivery = Reach(project, name, source), delivery_config(project, name)
    lost = reach.lost(work, base)
    told = reach.told(work, base, lost)
    if not lost.height and told is None:
        return None
    part = part_of(base, lost, told)
    if may_go(part) or delivery.mode == "full":
        return part
    layout = [*zip(source.columns, source.names, strict=True)]
    return Part(delivery, layout, lost, told)


def may_go(part: Part) -> bool:
    """Whether it can be said without a whole new file."""
    return part.delivery.mode == "changes"


def in_words(project: Project, part: Part) -> list[str]:
    """Whom it is about, and what becomes of them."""
    at_once = may_go(part) and not _without_key(project, part)
    said = []
    if part.counts.removed:
        said.append(
            f"the receiver still has {people(part.counts.removed)} who may not be reached any more"
            + ("; the next `sync` or `apply` removes them at once" if at_once else "")
        )
    if part.counts.updated:
        said.append(
            f"the receiver does not know that {people(part.counts.updated)} opted out"
            + ("; the next `sync` or `apply` tells it at once" if at_once else "")
        )
    return said


def require_recipients(project: Project, name: str, target: Target, part: Part) -> None:
    """What goes at once is encrypted as the receiver got it last, so those keys are needed.

    Raises:
        ConfigError: naming the first one that the configuration does not have any more.
    """
    for recipient in _without_key(project, part):
        raise ConfigError(
            "unknown_recipient",
            f"delivery {name} has opt-outs to send at once to {target}, and what went there "
            f"last was encrypted for {recipient}: put keys.recipients.{recipient} back into "
            "the configuration until they have gone, or look at the whole plan with "
            f"`responsys plan {name}` and send it with `responsys apply {name} --release`",
            file=str(project.file),
        )


def _without_key(project: Project, part: Part) -> list[str]:
    known = project.config.keys.recipients
    return [recipient for recipient in part.delivery.encrypt_for if recipient not in known]
