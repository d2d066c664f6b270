# SPDX-License-Identifier: GPL-2.0-or-later
"""Output files appear complete, or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from genksyms_py.atomic_output import write_atomically


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    """Check content and mode (0666 less the umask) of a new file, and that nothing else is left."""
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "types", b"int x\n")
    finally:
        after = os.umask(before)
    assert ((tmp_path / "types").read_bytes(), _mode(tmp_path / "types"), after) == (b"int x\n", 0o640, 0o027)
    assert os.listdir(tmp_path) == ["types"]


def test_an_existing_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    """Check that an existing file is not written into but replaced, mode kept."""
    path = tmp_path / "types"
    path.write_bytes(b"old and longer")
    path.chmod(0o604)
    with path.open("rb") as reader:
        write_atomically(path, b"new")
        assert reader.read() == b"old and longer"
    assert (path.read_bytes(), _mode(path), os.listdir(tmp_path)) == (b"new", 0o604, ["types"])


def test_symbolic_links_are_followed(tmp_path: Path) -> None:
    """Check that a link stays a link and its target, existing or not, gets the content."""
    (tmp_path / "to").mkdir()
    link = tmp_path / "types"
    link.symlink_to("to/real")
    for content in (b"first", b"second"):
        write_atomically(link, content)
        assert (link.is_symlink(), (tmp_path / "to/real").read_bytes()) == (True, content)


def test_a_pipe_is_written_in_place(tmp_path: Path) -> None:
    """Check that what is no regular file is written to and not replaced."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(pipe, b"through")
    assert (os.read(reader, 100), stat.S_ISFIFO(pipe.stat().st_mode)) == (b"through", True)
    os.close(reader)


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that after an error or Ctrl-C the old file stands unchanged and no temporary one is left."""
    path = tmp_path / "types"
    path.write_bytes(b"old")

    for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):

        def fail(*_: object, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(type(error)):
            write_atomically(path, b"new")
        assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", ["types"])


def test_missing_directory(tmp_path: Path) -> None:
    """Check that a directory that does not exist is told as the system tells it."""
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "none" / "types", b"")
