"""Files are whole or not there, whatever happens in between."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from engine.errors import UnusableFolder
from engine.files import surely, write_atomically


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def umask() -> object:
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_a_new_file_is_as_open_to_others_as_any(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "inside" / "new.txt"
    write_atomically(path, lambda file: file.write_text("new"))
    assert path.read_text() == "new"
    assert mode(path) == 0o640
    assert [p.name for p in path.parent.iterdir()] == ["new.txt"]


def test_permissions_stay(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("old")
    path.chmod(0o600)
    write_atomically(path, lambda file: file.write_text("new"))
    assert (path.read_text(), mode(path)) == ("new", 0o600)
    path.chmod(0o444)
    write_atomically(path, lambda file: file.write_text("newer"))
    assert (path.read_text(), mode(path)) == ("newer", 0o444)


def test_a_link_goes_on_pointing_where_it_did(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real = tmp_path / "elsewhere" / "real.txt"
    real.write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to(real)
    write_atomically(link, lambda file: file.write_text("new"))
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert list((tmp_path / "elsewhere").iterdir()) == [real]


def test_a_long_name_is_no_longer_on_the_way(tmp_path: Path) -> None:
    path = tmp_path / ("ß" * 125 + ".txt")  # 254 bytes of the 255 a name may have
    write_atomically(path, lambda file: file.write_text("new"))
    assert path.read_text() == "new"


def test_a_place_that_cannot_be_reached_is_no_file(tmp_path: Path) -> None:
    assert surely(tmp_path.is_dir)
    assert not surely((tmp_path / ("x" * 300)).exists)


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "Free some space"),
        (PermissionError(errno.EACCES, "Permission denied"), "Close the program that uses it"),
    ],
    ids=["full", "in use"],
)
def test_what_was_there_stays_when_writing_fails(tmp_path: Path, failure: OSError, advice: str) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")

    def write(file: Path) -> None:
        file.write_text("half of the n")
        raise failure

    with pytest.raises(UnusableFolder, match=advice) as caught:
        write_atomically(path, write)
    assert caught.value.field == "out"
    assert str(path) in caught.value.message
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_other_mistakes_leave_nothing_behind_either(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"

    def write(file: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, write)
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(UnusableFolder, match="folder"):
        write_atomically(path, lambda file: file.write_text("new"))
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusableFolder, match="Choose a folder"):
        write_atomically(tmp_path / "file" / "x", lambda file: file.write_text("new"))
