"""The settings that readings were made with, kept by their digest, so that an edit can be told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from responsys_assets.config.project import Project
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import Workspace


def keep_settings(project: Project, lake: Lake, workspace: Workspace, list_name: str) -> None:
    """Write today's settings of a list, unless the lake has them."""
    path = lake.settings(project.staging_settings(list_name))
    if not path.exists():
        document = json.dumps(project.staging_document(list_name), indent=2)
        workspace.publish_bytes(f"{document}\n".encode(), path)


def changed_settings(project: Project, lake: Lake, list_name: str, digest: str) -> set[str]:
    """The settings of a list that differ today from those with a digest, as far as is known."""
    path = lake.settings(digest)
    if not path.is_file():
        return set()
    then = _flat(json.loads(path.read_bytes()))
    today = _flat(json.loads(json.dumps(project.staging_document(list_name))))
    return {key for key in {*today, *then} if today.get(key) != then.get(key)}


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name, those of the list among the others."""
    return {**document.get("list", {}), **{k: v for k, v in document.items() if k != "list"}}
