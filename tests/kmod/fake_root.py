# SPDX-License-Identifier: GPL-2.0-or-later
"""Root file systems for modprobe's tests: directories of text files, from which the binary databases are made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from modpost_py.kmod.index_file import index_bytes
from modpost_py.kmod.names import module_name


def make_root(root: Path, *origins: Path) -> Path:
    """Copy directory trees over each other into ``root``, then make the databases and empty module files."""
    for origin in origins:
        shutil.copytree(origin, root, dirs_exist_ok=True)
    for directory in (root / "lib/modules").iterdir():
        make_databases(directory)
    return root


def make_databases(directory: Path) -> None:
    """Write the ``.bin`` files of a modules directory from the text files in it, as depmod's text and binary agree.

    ``modules.dep``, ``modules.alias``, ``modules.symbols`` and ``modules.builtin`` are depmod's own; and
    ``modules.builtin.alias`` is like modules.alias.  Each module in modules.dep becomes an empty file, unless its line
    ends in ``# missing``.
    """
    entries = {
        "modules.dep": _dependencies,
        "modules.alias": _aliases,
        "modules.symbols": _aliases,
        "modules.builtin.alias": _aliases,
        "modules.builtin": _builtin,
    }
    for name, read in entries.items():
        path = directory / name
        if path.exists():
            lines = path.read_text().splitlines()
            (directory / f"{name}.bin").write_bytes(index_bytes(read(lines)))
            if name == "modules.dep":
                _touch(directory, lines)


def _dependencies(lines: Iterable[str]) -> Iterator[tuple[str, str, int]]:
    for number, line in enumerate(lines):
        path = line.partition(":")[0]
        yield module_name(path), line.partition(" #")[0], number


def _aliases(lines: Iterable[str]) -> Iterator[tuple[str, str, int]]:
    for number, line in enumerate(lines):
        if line.startswith("alias "):
            _, pattern, name = line.split()
            yield pattern, name, number


def _builtin(lines: Iterable[str]) -> Iterator[tuple[str, str, int]]:
    for number, line in enumerate(lines):
        yield module_name(line), "", number


def _touch(directory: Path, lines: Iterable[str]) -> None:
    for line in lines:
        path = line.partition(":")[0]
        if not line.endswith("# missing") and not path.startswith("/") and ".." not in path:
            target = directory / path
            os.makedirs(target.parent, exist_ok=True)
            target.touch()
