# SPDX-License-Identifier: GPL-2.0-or-later
"""depmod-py's cache: nothing is done when nothing has changed, and never with what is stale or damaged."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modpost_py.kmod import depmod_cache, depmod_reading
from modpost_py.kmod.depmod import DepmodOptions, update
from modpost_py.kmod.depmod_cache import DepmodCache
from modpost_py.kmod.depmod_reading import ModuleFacts
from tests.kmod.depmod_trees import CACHE, RELEASE, made_files, write_tree

TREE = f"""\
module lib/modules/{RELEASE}/kernel/a.ko
  export a 0x1
  alias=one
  alias=x[
module lib/modules/{RELEASE}/kernel/b.ko
  need a
text lib/modules/{RELEASE}/modules.order
  kernel/b.ko
  kernel/a.ko
text lib/modules/{RELEASE}/modules.builtin
strings lib/modules/{RELEASE}/modules.builtin.modinfo
text depmod.conf
  search updates
"""

WARNING = (4, "Unmatched bracket in x[")


class Tree:
    """A modules directory, and what runs of depmod-py on it read and said; ``failure`` makes reading fail."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = write_tree(TREE, root)
        self.root = root
        self.read: list[str] = []
        self.failure = 0
        real = depmod_reading.read_facts

        def read_facts(path: str) -> ModuleFacts:
            self.read.append(path)
            return ModuleFacts(self.failure, *[b""] * 6) if self.failure else real(path)

        monkeypatch.setattr(depmod_reading, "read_facts", read_facts)

    def run(self, **options: object) -> list[tuple[int, str]]:
        """Run it; returns the warnings and errors, ``read`` are the names of the modules that were read."""
        self.read.clear()
        messages: list[tuple[int, str]] = []
        places = (str(self.root / "depmod.conf"),)
        arguments = {"configuration_places": places, **options}
        wanted = DepmodOptions(str(self.directory), RELEASE, **arguments)  # type: ignore[arg-type]
        assert update(wanted, lambda *message: messages.append(message) if message[0] <= 4 else None)
        self.read[:] = [os.path.basename(path) for path in self.read]
        return messages

    def keys(self) -> dict[str, int]:
        """Which file stands under each name."""
        return {name: (self.directory / name).stat().st_ino for name in made_files(self.directory)}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """A tree whose files count as settled at once."""
    monkeypatch.setattr(depmod_cache, "UNSETTLED_SECONDS", -3600.0)
    return Tree(tmp_path, monkeypatch)


def test_nothing_changed(tree: Tree) -> None:
    """Check that a second run reads and writes nothing, and says what the first one said."""
    assert tree.run() == [WARNING]
    assert sorted(tree.read) == ["a.ko", "b.ko"]
    before = tree.keys()
    assert tree.run() == [WARNING]
    assert tree.read == []
    assert tree.keys() == before


def test_no_cache(tree: Tree) -> None:
    """Check that without a cache all is read, and none is left."""
    tree.run(uses_cache=False)
    assert not (tree.directory / CACHE).exists()
    tree.run(uses_cache=False)
    assert sorted(tree.read) == ["a.ko", "b.ko"]


def _change_module(tree: Tree) -> None:
    other = write_tree(TREE.replace("alias=one", "alias=two"), tree.root / "other")
    os.replace(other / "kernel/a.ko", tree.directory / "kernel/a.ko")


def _change_in_place(tree: Tree) -> None:
    path = tree.directory / "kernel/a.ko"
    times = path.stat()
    path.write_bytes(path.read_bytes().replace(b"alias=one", b"alias=two"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("change", [_change_module, _change_in_place])
def test_changed_module(tree: Tree, change: Callable[[Tree], None]) -> None:
    """Check that only a module that changed is read again, even if its size and time of modification are the same."""
    tree.run()
    change(tree)
    tree.run()
    assert tree.read == ["a.ko"]
    assert b"alias two a\n" in made_files(tree.directory)["modules.alias"]


def _order(tree: Tree) -> None:
    (tree.directory / "modules.order").write_text("kernel/a.ko\n")


def _configuration(tree: Tree) -> None:
    (tree.root / "depmod.conf").write_text("exclude b.ko\n")


def _builtin(tree: Tree) -> None:
    (tree.directory / "modules.builtin").write_text("kernel/x.ko\n")


def _builtin_modinfo(tree: Tree) -> None:
    (tree.directory / "modules.builtin.modinfo").write_bytes(b"x.alias=y\0")


def _removed_module(tree: Tree) -> None:
    (tree.directory / "kernel/b.ko").unlink()


def _new_module(tree: Tree) -> None:
    (tree.directory / "updates").mkdir()
    (tree.directory / "updates/b.ko").write_bytes((tree.directory / "kernel/b.ko").read_bytes())


@pytest.mark.parametrize("change", [_order, _configuration, _builtin, _builtin_modinfo, _removed_module, _new_module])
def test_changed_surroundings(tree: Tree, change: Callable[[Tree], None]) -> None:
    """Check that a change of any other input gives the files that a run without a cache makes."""
    tree.run()
    old = made_files(tree.directory)
    change(tree)
    tree.run()
    new = made_files(tree.directory)
    assert new != old
    tree.run(uses_cache=False)
    assert made_files(tree.directory) == new


@pytest.mark.parametrize("options", [{"kmod_version": 33}, {"warns_of_duplicates": True}, {"symbol_prefix": "_"}])
def test_changed_options(tree: Tree, options: dict[str, object]) -> None:
    """Check that with other options the files are written anew."""
    tree.run()
    before = tree.keys()
    tree.run(**options)
    assert tree.keys()["modules.dep"] != before["modules.dep"]


def test_changed_result(tree: Tree) -> None:
    """Check that a file that was changed or removed after the run is made again."""
    tree.run()
    files = made_files(tree.directory)
    (tree.directory / "modules.alias").write_bytes(files["modules.alias"].replace(b"one", b"two"))
    tree.run()
    assert made_files(tree.directory) == files
    (tree.directory / "modules.devname").unlink()
    tree.run()
    assert made_files(tree.directory) == files


@pytest.mark.parametrize("place", [0, 5, 20, 60, 90, 400, -300, -1])
def test_damaged_cache(tree: Tree, place: int) -> None:
    """Check that a cache with a wrong byte, or cut off, does no harm."""
    tree.run()
    files = made_files(tree.directory)
    cache = tree.directory / CACHE
    whole = bytearray(cache.read_bytes())
    whole[place] ^= 1
    for damaged in (bytes(whole), bytes(whole[:place])):
        cache.write_bytes(damaged)
        (tree.directory / "modules.dep").unlink()
        assert tree.run() == [WARNING]
        assert made_files(tree.directory) == files


def test_program(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that another version of the program does not believe what this one found out."""
    tree.run()
    before = tree.keys()
    monkeypatch.setattr("modpost_py.kmod.depmod.program_key", lambda: "another")
    tree.run()
    assert tree.keys()["modules.dep"] != before["modules.dep"]


def test_unsettled_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that files changed just before the run are not relied upon."""
    tree = Tree(tmp_path, monkeypatch)
    tree.run()
    tree.run()
    assert sorted(tree.read) == ["a.ko", "b.ko"]
    assert DepmodCache.read(str(tree.directory)).run == ""


@pytest.mark.parametrize(("failure", "read_again"), [(errno.EACCES, ["b.ko", "a.ko"]), (errno.ENOEXEC, [])])
def test_passing_failures(tree: Tree, failure: int, read_again: list[str]) -> None:
    """Check that a module that could not be read for want of permission is read again, and a damaged one is not."""
    tree.failure = failure
    tree.run()
    tree.failure = 0
    tree.run()
    assert tree.read == read_again
