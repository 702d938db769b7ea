"""What the assets are called, where they belong, and what depends on what."""

from __future__ import annotations

import datetime as dt
import re

import dagster as dg

from responsys_assets.config.models import Config
from responsys_assets.config.project import Project

OWNERS = ("team:data-engineering",)
_FIRST_DAY = dt.date(2015, 1, 1)

CONSENT = dg.AssetKey("consent")
PROFILES = dg.AssetKey("profiles")


def exported_key(list_name: str) -> dg.AssetKey:
    return dg.AssetKey(["exported", list_name])


def staged_key(list_name: str) -> dg.AssetKey:
    return dg.AssetKey(["staged", list_name])


def segment_key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["segments", name])


def delivery_key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["deliveries", name])


def delivery_source(config: Config, name: str) -> dg.AssetKey:
    """What a delivery is made from: a segment, or all profiles."""
    segment = config.deliveries[name].segment
    return PROFILES if segment == "profiles" else segment_key(segment)


def days(project: Project) -> dg.DailyPartitionsDefinition:
    """Days in account time, from the first that any list asks for to today."""
    since = [source.since or _FIRST_DAY for source in project.config.lists.values()]
    return dg.DailyPartitionsDefinition(
        start_date=min(since).isoformat(),
        timezone=project.config.account.timezone,
        end_offset=1,  # today's exports belong to today
    )


def pool(project: Project) -> str:
    """One writer a lake: runs wait in the queue rather than for the lake's lock."""
    account = re.sub(r"[^a-z0-9]+", "_", project.config.account.name.lower()).strip("_")
    return f"lake_{account or 'of_account'}"


def exported_spec(project: Project, name: str) -> dg.AssetSpec:
    source = project.config.lists[name]
    server = project.config.servers[source.server]
    ready = "their ready files" if source.ready != "none" else f"{source.settle} of quiet"
    patterns = ", ".join(f"`{pattern}`" for _, pattern in source.patterns())
    return dg.AssetSpec(
        key=exported_key(name),
        group_name="exported",
        kinds={server.type, "pgp"} if source.encrypted else {server.type, "csv"},
        owners=OWNERS,
        tags={"responsys/list": name, "responsys/server": source.server},
        description=(
            f"Exports of the list **{name}** as server `{source.server}` sent them "
            f"(folder `{source.folder or '.'}`, {patterns}), taken after {ready}, "
            "kept encrypted.\n\n"
            "*Red?* No export of the day is there, or the server cannot be reached. "
            "`responsys doctor` says which, and what to do."
        ),
        partitions_def=days(project),
    )


def staged_spec(project: Project, name: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=staged_key(name),
        deps=[exported_key(name)],
        group_name="staged",
        kinds={"parquet", "python"},
        owners=OWNERS,
        tags={"responsys/list": name},
        description=(
            f"Checked records of the list **{name}**: decrypted, typed, each with its source line. "
            "What cannot be read is in quarantine with a reason.\n\n"
            "*Red?* An export is held and nothing of it was taken; the last accepted one stays in "
            f"force. `responsys exports {name}` shows why and takes your decision."
        ),
        partitions_def=days(project),
    )


def consent_spec(project: Project) -> dg.AssetSpec:
    lists = project.config.lists
    return dg.AssetSpec(
        key=CONSENT,
        deps=[staged_key(name) for name in lists],
        group_name="consent",
        kinds={"parquet", "python"},
        owners=OWNERS,
        description=(
            "The consent ledger: every opt-in and opt-out of every accepted export, with the "
            "person and the address that it is about. Only a person takes anything back "
            "(`responsys exports LIST withdraw FILE --opt-outs`, `responsys exports LIST forget`); "
            "no setting, no retention and no lost snapshot does."
        ),
    )


def profiles_spec(project: Project) -> dg.AssetSpec:
    config = project.config
    return dg.AssetSpec(
        key=PROFILES,
        deps=[*(staged_key(name) for name in config.lists), CONSENT],
        group_name="profiles",
        kinds={"polars", "parquet"},
        owners=OWNERS,
        description=(
            f"One row a person from {', '.join(config.lists)}, matched on "
            f"{' + '.join(config.profiles.match_columns)}: the latest updated row wins, an opt-out "
            "always. Every run that finds something new makes a snapshot."
        ),
    )


def segment_spec(project: Project, name: str) -> dg.AssetSpec:
    segment = project.config.segments[name]
    consent = (
        "no channel: consent is not applied"
        if segment.channel == "none"
        else f"only people we may reach by {segment.channel}"
    )
    return dg.AssetSpec(
        key=segment_key(name),
        deps=[PROFILES],
        group_name="segments",
        kinds={"duckdb", "parquet"},
        owners=OWNERS,
        tags={"responsys/channel": segment.channel},
        description=f"Profiles where `{segment.where}`; {consent}.",
    )


def delivery_spec(project: Project, name: str) -> dg.AssetSpec:
    config = project.config
    delivery = config.deliveries[name]
    kinds = {config.servers[delivery.to].type, "csv"}
    return dg.AssetSpec(
        key=delivery_key(name),
        deps=[delivery_source(config, name)],
        group_name="deliveries",
        kinds=kinds | {"pgp"} if delivery.encrypt_for else kinds,
        owners=OWNERS,
        tags={"responsys/server": delivery.to},
        description=(
            f"`{delivery.file}` to `{delivery.to}` (folder `{delivery.folder or '.'}`), "
            f"{'what changed' if delivery.mode == 'changes' else 'all rows'}; the same content is "
            "never sent twice.\n\n"
            f"*Red?* The plan waits for a person: `responsys plan {name}` shows what it would "
            f"change, `responsys apply {name} --release` sends it."
        ),
    )
