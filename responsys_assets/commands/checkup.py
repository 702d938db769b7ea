"""What `doctor` looks at. Each check yields findings and never stops the others."""

from __future__ import annotations

import datetime as dt
import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from responsys_assets.config.models import ProfileList, SftpServer
from responsys_assets.config.project import Project
from responsys_assets.consent.ledger import former_lists
from responsys_assets.demo.sender import encrypt
from responsys_assets.edits import rereadings
from responsys_assets.errors import ResponsysError
from responsys_assets.exported.arrival import in_order
from responsys_assets.exported.clues import clues
from responsys_assets.exported.deadlines import late
from responsys_assets.exported.poll import FolderView, look
from responsys_assets.exported.unmatched import Unmatched, unmatched
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.receipts import RemoteFile
from responsys_assets.pgp.decrypt import decrypting
from responsys_assets.pgp.keys import public_part, read_keys
from responsys_assets.pgp.process import program
from responsys_assets.segments.suppressions import check_suppressions
from responsys_assets.servers import open_server

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PROBE = b"doctor"
_MOST = 3

Exports = dict[str, list[Export]]  # by list; a list that cannot be read is not in it


@dataclass(frozen=True)
class Finding:
    """One line: what was checked, how it is, and what to do (empty if there is nothing).

    A note is worth reading and no fault.
    """

    check: str
    subject: str
    state: Literal["ok", "note", "problem"]
    detail: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def check_up(project: Project) -> Iterator[Finding]:
    """Every finding about a project, in the order in which data flows."""
    yield Finding("configuration", str(project.file), "ok", "is well-formed")
    yield from _variables(project)
    yield from _lake(project)
    yield from _gpg(project)
    exports, findings = _receipts(project)
    yield from findings
    for name in project.config.servers:
        yield from _server(project, name, exports)
    yield from _edits(project, exports)
    yield from _late(project, exports)
    if project.config.suppressions:
        yield from _try("suppressions", "files", lambda: check_suppressions(project))


def _edits(project: Project, exports: Exports) -> Iterator[Finding]:
    """What an edit of the settings since the last sync will have read anew."""
    lake = Lake(project.lake_path)
    for rereading in rereadings(project, lake, exports):
        yield Finding("settings", rereading.list_name, "note", str(rereading))
    try:
        former = former_lists(project, lake)
    except ResponsysError as error:
        yield Finding("consent", "ledger", "problem", str(error))
        return
    for name, opt_outs in former.items():
        said = f"has left the configuration; its {opt_outs:,} opt-outs still count"
        yield Finding("consent", name, "note", f"{said} (`responsys exports {name} forget`)")


def _receipts(project: Project) -> tuple[Exports, list[Finding]]:
    """What the lake knows of each list, as far as it can be read, and what waits for a person."""
    known: Exports = {}
    findings = []
    for name in project.config.lists:
        try:
            known[name] = read_exports(Lake(project.lake_path), name)
        except ResponsysError as error:
            findings.append(Finding("exports", name, "problem", str(error)))
            continue
        if held := [each.file for each in known[name] if each.waits_for_person]:
            which = ", ".join(held[-_MOST:])
            said = f"{len(held)} wait for a person: {which}; see `responsys exports {name}`"
            findings.append(Finding("exports", name, "note", said))
    return known, findings


def _late(project: Project, exports: Exports) -> Iterator[Finding]:
    lake = Lake(project.lake_path)
    for name, found in exports.items():
        if each := late(project, name, found):
            said = "; ".join([str(each), *clues(project, lake, each)])
            yield Finding("deadline", name, "problem", f"{said}; ask its sender")


def _try(check: str, subject: str, work: Callable[[], str]) -> Iterator[Finding]:
    """The finding of one piece of work: its answer, or its error in words."""
    try:
        yield Finding(check, subject, "ok", work())
    except ResponsysError as error:
        yield Finding(check, subject, "problem", str(error))


def _variables(project: Project) -> Iterator[Finding]:
    text = project.config.model_dump_json()
    for name in dict.fromkeys(_REFERENCE.findall(text)):
        if name in project.env:
            yield Finding("variable", name, "ok", "is set")
        else:
            advice = "is not set; set it in the environment or in .env beside the configuration"
            yield Finding("variable", name, "problem", advice)


def _lake(project: Project) -> Iterator[Finding]:
    path = project.lake_path
    above = next(folder for folder in (path, *path.parents) if folder.exists())
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        yield Finding("lake", str(path), "ok", "can be written")
    else:
        yield Finding("lake", str(path), "problem", f"{above} cannot be written by this user")


def _gpg(project: Project) -> Iterator[Finding]:
    keys = project.config.keys
    if keys.decrypt is None and not keys.recipients:
        return
    found = list(_try("gpg", "program", lambda: program("gpg")))
    yield from found
    if found[0].state == "problem":
        return
    if keys.decrypt is not None:
        yield from _try("key", "decrypt", lambda: _own_key(project))
    for name in keys.recipients:
        yield from _try("key", f"recipient {name}", partial(_recipient, project, name))


def _own_key(project: Project) -> str:
    """Encrypts a few bytes for our own key and decrypts them as an export."""
    decrypt = project.config.keys.decrypt
    if decrypt is None:
        raise RuntimeError("only called with a key")
    private = project.path(decrypt.private_key_file, "keys.decrypt.private_key_file")
    with tempfile.TemporaryDirectory(prefix="responsys-") as folder:
        public, message = Path(folder) / "public.asc", Path(folder) / "message.gpg"
        public.write_text(public_part(private))
        encrypt([_PROBE], message, public, compress=False)
        if not project.config.keys.signers:
            with decrypting(project, message) as plain:
                plain.finish()
    return f"decrypts; fingerprint {read_keys(private)[0].fingerprint}"


def _recipient(project: Project, name: str) -> str:
    place = f"keys.recipients.{name}.public_key_file"
    public = project.path(project.config.keys.recipients[name].public_key_file, place)
    fingerprint = read_keys(public)[0].fingerprint
    with tempfile.TemporaryDirectory(prefix="responsys-") as folder:
        encrypt([_PROBE], Path(folder) / "message.gpg", public, compress=False)
    return f"encrypts; fingerprint {fingerprint}"


def _server(project: Project, name: str, exports: Exports) -> Iterator[Finding]:
    config = project.config
    if any(source.server == name for source in config.lists.values()):
        try:
            views, unseen = look(project, name)
        except ResponsysError as error:
            yield Finding("server", name, "problem", str(error))
            return
        for each in unseen:
            yield Finding("server", name, "problem", str(each))
        if views:
            pinned = isinstance(config.servers[name], SftpServer)
            said = "answers with its pinned key and lets us in" if pinned else "can be read"
            yield Finding("server", name, "ok", said)
        for view in views:
            yield from _folder(project, view, exports)
        return
    if any(delivery.to == name for delivery in config.deliveries.values()):
        yield from _try("server", name, lambda: _opens(project, name))
    else:
        yield Finding("server", name, "note", "no list reads it and no delivery goes to it")


def _opens(project: Project, name: str) -> str:
    with open_server(project, name) as server:
        try:
            server.list_folder("")
        except ResponsysError as error:
            if error.code != "folder_missing":
                raise
            return "its folder is made by the first delivery"
    return "lets us in"


def _folder(project: Project, view: FolderView, exports: Exports) -> Iterator[Finding]:
    for name, source in view.lists.items():
        found, known = in_order(source, view.listing, project.zone), bool(exports.get(name))
        if found:
            yield _matched(name, source, found, known=known)
        elif known:
            yield Finding("files", name, "note", "no data file is there now")
        else:
            patterns = " or ".join(str(pattern) for _, pattern in source.patterns())
            where = view.folder or "the login folder"
            advice = f"no file in {where} matches {patterns}; check `folder` and `files`"
            yield Finding("files", name, "problem", advice)
    yield from _strangers(view, unmatched(view.lists, view.listing))


def _matched(
    name: str, source: ProfileList, found: list[tuple[dt.datetime, RemoteFile]], *, known: bool
) -> Finding:
    """What matches, its newest by stamp, and how much of it `since` leaves out."""
    said = f"{len(found)} data files match, the newest by its stamp is {found[-1][1].name}"
    left_out = sum(source.since is not None and at.date() < source.since for at, _ in found)
    if not left_out:
        return Finding("files", name, "ok", said)
    said = f"{said}; {left_out} are ignored, for their stamps are before since ({source.since})"
    if left_out < len(found) or known:
        return Finding("files", name, "ok", said)
    return Finding("files", name, "problem", f"{said}: nothing is left, check `since`")


def _strangers(view: FolderView, found: list[Unmatched]) -> Iterator[Finding]:
    """Files that no list takes, those of one pattern in one line."""
    groups: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for file in found:
        groups[file.kind, file.pattern].append(file.name)
    for (kind, pattern), names in groups.items():
        many = f" and {len(names) - 1} more" if len(names) > 1 else ""
        if kind == "ready_without_data":
            said = "a ready file whose data file is not there"
        elif pattern:
            said = f'no list takes it; files: "{pattern}" would'
        else:
            said = "no list takes it, and no pattern could"
        place = f"{view.server}:{view.folder}" if view.folder else view.server
        yield Finding("other files", place, "note", f"{names[0]}{many}: {said}")
