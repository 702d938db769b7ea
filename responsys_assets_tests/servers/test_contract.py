"""What every kind of server does, on a real SFTP server and on a local folder alike."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from responsys_assets.errors import LakeError, ServerError, TransientServerError
from responsys_assets.lake.receipts import RemoteFile
from responsys_assets.servers import Server, open_server
from responsys_assets_tests.conftest import Account, MakeProject
from responsys_assets_tests.limits import largest_file

BIG = os.urandom(3_000_001)
BIGGER = BIG * 12  # than what a sink syncs at once


class Place:
    """An opened server, and the folder it serves as we see it ourselves."""

    def __init__(self, server: Server, folder: Path, name: str) -> None:
        self.server = server
        self.folder = folder
        self.name = name  # of the folder, as the server is told

    def file(self, name: str, content: bytes = b"x", mtime: float | None = None) -> RemoteFile:
        path = self.folder / name
        path.write_bytes(content)
        if mtime is not None:
            os.utime(path, (mtime, mtime))
        found = self.server.stat(self.name, name)
        assert found is not None
        return found


@pytest.fixture(params=["sftp", "local"])
def place(
    request: pytest.FixtureRequest,
    make_project: MakeProject,
    sftp_account: Account,
    sftp_folder: Path,
    tmp_path: Path,
) -> Iterator[Place]:
    local = tmp_path / "files"
    servers = {"sftp": sftp_account.config, "local": {"type": "local", "path": str(local)}}
    project = make_project(
        servers={"files": servers[request.param]},
    )
    folder, name = (sftp_folder, sftp_folder.name)
    if request.param == "local":
        folder, name = (local / "in", "in")
        folder.mkdir()
    with open_server(project, "files") as server:
        yield Place(server, folder, name)


def quiet(_: int) -> None:
    """Progress that nobody watches."""


def test_only_regular_files_are_listed_with_size_and_mtime(place: Place) -> None:
    place.file("a.csv", b"abc", mtime=1_700_000_000)
    (place.folder / "sub").mkdir()
    (place.folder / "link").symlink_to(place.folder / "a.csv")
    os.mkfifo(place.folder / "pipe")
    assert place.server.list_folder(place.name) == [
        RemoteFile(name="a.csv", size=3, mtime=1_700_000_000)
    ]


def test_a_name_that_is_not_utf8_blocks_nothing(place: Place) -> None:
    place.file("good.csv")
    Path(os.fsdecode(os.fsencode(place.folder) + b"/bad-\xff\xfe.csv")).write_bytes(b"x")
    names = {file.name for file in place.server.list_folder(place.name)}
    assert "good.csv" in names
    assert len(names) == 2
    assert not all(name.isascii() for name in names)


def test_more_files_than_one_answer_holds_are_all_listed(place: Place) -> None:
    names = {f"file_{number}.csv" for number in range(1000)}
    for name in names:
        (place.folder / name).touch()
    assert {file.name for file in place.server.list_folder(place.name)} == names


def test_a_missing_folder_is_said(place: Place) -> None:
    with pytest.raises(ServerError) as caught:
        place.server.list_folder("no/such/folder")
    assert caught.value.code == "folder_missing"
    assert "no/such/folder" in str(caught.value)


@pytest.mark.parametrize("content", [b"", BIG, BIGGER], ids=["empty", "big", "bigger"])
def test_a_fetched_file_is_private_and_has_the_hash_of_its_content(
    place: Place, tmp_path: Path, content: bytes
) -> None:
    remote = place.file("big.gpg", content)
    seen: list[int] = []
    digest = place.server.fetch(place.name, remote, tmp_path / "out", seen.append)
    assert digest == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "out").read_bytes() == content
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600
    assert sum(seen) == len(content)


@pytest.mark.parametrize("room", [1_000_000, len(BIGGER) - 1])
def test_a_disk_that_is_full_in_the_middle_of_a_fetch_is_said_and_nothing_is_left(
    place: Place, tmp_path: Path, room: int
) -> None:
    remote = place.file("big.gpg", BIGGER)
    with largest_file(room), pytest.raises(LakeError, match=r"cannot write out: "):
        place.server.fetch(place.name, remote, tmp_path / "out", quiet)
    assert not (tmp_path / "out").exists()


def test_a_fetch_never_writes_over_a_file_or_through_a_link(place: Place, tmp_path: Path) -> None:
    remote = place.file("a")
    (tmp_path / "there").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("there", "link"):
        with pytest.raises(LakeError):
            place.server.fetch(place.name, remote, tmp_path / name, quiet)
    assert (tmp_path / "there").read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()


def _cut(path: Path) -> None:
    os.truncate(path, 1_000_000)


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _rewrite(path: Path) -> None:
    path.write_bytes(BIG[::-1])
    os.utime(path, (1_800_000_000, 1_800_000_000))


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(BIG[::-1])
    os.utime(other, (1_800_000_000, 1_800_000_000))
    other.replace(path)


def _remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [_cut, _append, _rewrite, _replace, _remove])
@pytest.mark.parametrize("when", ["before", "while"])
def test_a_file_that_changes_under_us_is_refused_and_leaves_nothing(
    place: Place, tmp_path: Path, change: object, when: str
) -> None:
    remote = place.file("big.gpg", BIG, mtime=1_700_000_000)
    assert callable(change)
    done: list[bool] = []

    def advance(_: int) -> None:
        if not done:
            done.append(True)
            change(place.folder / "big.gpg")

    if when == "before":
        change(place.folder / "big.gpg")
        done.append(True)
    with pytest.raises(TransientServerError) as caught:
        place.server.fetch(place.name, remote, tmp_path / "out", advance)
    assert caught.value.code == "file_changed"
    assert "big.gpg" in str(caught.value)
    assert not (tmp_path / "out").exists()
    # and the server is good for the next file
    other = place.file("next", b"fine")
    place.server.fetch(place.name, other, tmp_path / "next", quiet)
    assert (tmp_path / "next").read_bytes() == b"fine"


def test_links_pipes_and_folders_are_not_read(place: Place, tmp_path: Path) -> None:
    place.file("a", b"secret")
    (place.folder / "link").symlink_to(place.folder / "a")
    os.mkfifo(place.folder / "pipe")
    (place.folder / "sub").mkdir()
    for name in ("link", "pipe", "sub"):
        assert place.server.stat(place.name, name) is None
        with pytest.raises(ServerError):
            place.server.read_small(place.name, name)


@pytest.mark.parametrize("name", ["../a", "sub/a", "..", ".", "", "a\0b"])
def test_a_name_cannot_lead_out_of_its_folder(place: Place, name: str) -> None:
    with pytest.raises(ServerError) as caught:
        place.server.read_small(place.name, name)
    assert caught.value.code == "bad_name"


def test_a_small_file_is_read_whole_and_a_large_one_refused(place: Place) -> None:
    place.file("x.ready", b"42\n")
    assert place.server.read_small(place.name, "x.ready") == b"42\n"
    place.file("large", bytes(65537))
    with pytest.raises(ServerError) as caught:
        place.server.read_small(place.name, "large")
    assert caught.value.code == "too_large"


def test_put_rename_and_remove(place: Place, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(BIG)
    place.server.put(place.name, "new.part", source, quiet)
    assert (place.folder / "new.part").read_bytes() == BIG
    place.file("final", b"old")
    place.server.rename(place.name, "new.part", "final")
    assert (place.folder / "final").read_bytes() == BIG
    assert not (place.folder / "new.part").exists()
    place.server.remove(place.name, "final")
    place.server.remove(place.name, "final")
    assert list(place.folder.iterdir()) == []


def test_put_again_replaces_what_an_attempt_left(place: Place, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"short")
    place.file("new.part", BIG)
    place.server.put(place.name, "new.part", source, quiet)
    assert (place.folder / "new.part").read_bytes() == b"short"


def test_put_into_a_missing_folder_is_said_and_the_folder_can_be_made(
    place: Place, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    inner = f"{place.name}/one/two"
    with pytest.raises(ServerError) as caught:
        place.server.put(inner, "a", source, quiet)
    assert caught.value.code == "folder_missing"
    place.server.make_folder(inner)
    place.server.make_folder(inner)
    place.server.put(inner, "a", source, quiet)
    assert (place.folder / "one/two/a").read_bytes() == b"x"


def test_a_name_that_a_folder_has_is_said_to_be_one(place: Place) -> None:
    place.file("new.part", b"kept")
    (place.folder / "final").mkdir()
    with pytest.raises(ServerError) as caught:
        place.server.rename(place.name, "new.part", "final")
    assert caught.value.code == "name_taken"
    assert caught.value.message == "final is a folder there; move it away"
    assert (place.folder / "new.part").read_bytes() == b"kept"


def test_renaming_what_is_not_there_is_an_error(place: Place) -> None:
    place.file("something", b"kept")
    with pytest.raises(ServerError) as caught:
        place.server.rename(place.name, "nothing", "something")
    assert caught.value.code == "file_missing"
    assert (place.folder / "something").read_bytes() == b"kept"
