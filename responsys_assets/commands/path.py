"""`responsys path`: where an asset's data is, for any tool that reads plain files."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from responsys_assets.commands.cli import Command, Reply, State, known_name, lake_of, pass_state
from responsys_assets.config.project import Project
from responsys_assets.errors import ConfigError, LakeError
from responsys_assets.lake.exports import read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.snapshots import Snapshot, SnapshotStore


@click.command("path", cls=Command)
@click.argument("asset")
@pass_state
def path_command(state: State, asset: str) -> Reply:
    """The data files of an asset's current state, one a line, nothing else.

    ASSET is profiles, exported/LIST, staged/LIST, segments/NAME or deliveries/NAME.
    """
    project = state.project()
    files = [str(path.absolute()) for path in data_files(project, lake_of(project), asset)]

    def show(console: Console) -> None:
        console.file.write("".join(f"{path}\n" for path in files))

    return Reply({"asset": asset, "files": files}, show)


def data_files(project: Project, lake: Lake, asset: str) -> list[Path]:
    """The files of an asset's current state.

    Raises:
        ConfigError: if there is no such asset.
        LakeError: if it has no state yet.
    """
    stage, _, name = asset.partition("/")
    config = project.config
    if asset == "profiles":
        return _rows(_current(asset, lake.profiles()))
    if stage in ("exported", "staged"):
        exports = read_exports(lake, known_name("list", name, [*config.lists]))
        if stage == "staged":
            return [export.parquet for export in exports if export.accepted]
        files = (export.ciphertext for export in exports if not export.withdrawn)
        return [path for path in dict.fromkeys(files) if path.exists()]
    if stage == "segments":
        known_name("segment", name, [*config.segments])
        return _rows(_current(asset, lake.segment(name)))
    if stage == "deliveries":
        known_name("delivery", name, [*config.deliveries])
        return delivered_files(_current(asset, lake.delivery(name)))
    raise ConfigError(
        "unknown_asset",
        f"there is no asset {asset}; expected profiles, exported/LIST, staged/LIST, "
        "segments/NAME or deliveries/NAME",
    )


def delivered_files(snapshot: Snapshot) -> list[Path]:
    """The data files that a delivery's snapshot sent, without their ready files."""
    entries = snapshot.manifest["delivery_files"]
    return [snapshot.path / "files" / entry["name"] for entry in entries]


def _current(asset: str, root: Path) -> Snapshot:
    snapshot = SnapshotStore(root).current()
    if snapshot is None:
        raise LakeError("nothing_yet", f"{asset} has no data yet; run sync")
    return snapshot


def _rows(snapshot: Snapshot) -> list[Path]:
    """The rows of a snapshot; what lies in folders below serves the next stage."""
    return [path for path in snapshot.files if path.parent == snapshot.path]
