# SPDX-License-Identifier: GPL-2.0-or-later
"""A directory that stands for a headers tree which may not be changed: links to all of it, but launchers of ours.

kbuild's ``$(objtree)`` is the directory that make is told with -C, so the overlay serves as KDIR in the tree's stead::

    OVERLAY/.modversions-overlay          which tree it stands for
    OVERLAY/Makefile, include, ...        links into the tree
    OVERLAY/scripts/                      a directory of links into the tree's scripts/
    OVERLAY/scripts/mod/                  a directory of links into the tree's scripts/mod/
    OVERLAY/scripts/mod/modpost           the launcher; so fixdep and genksyms

A Makefile that names the tree itself as ``KBUILD_OUTPUT`` (Debian's since 6.13, that of O= builds) is no link but a
copy that names the overlay: kbuild would start the tree's programs otherwise.

Nothing but links, launchers and this copy is in it, and it can be deleted at any time.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from modpost_py.kbuild.errors import KbuildError
from modpost_py.kbuild.headers_tree import HeadersTree

_MARKER = ".modversions-overlay"


def default_overlay(tree: HeadersTree) -> Path:
    """``${XDG_CACHE_HOME:-~/.cache}/modversions/overlays/``, and the tree's path with ``-`` for ``/``."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    name = str(tree.directory).strip("/").replace("/", "-").replace(" ", "-")
    return Path(os.path.abspath(cache)) / "modversions" / "overlays" / name


def overlaid_tree(directory: Path) -> Path | None:
    """The tree that an overlay stands for; ``None`` for a directory that is no overlay."""
    try:
        return Path((directory / _MARKER).read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n"))
    except OSError:
        return None


def make_overlay(tree: HeadersTree, target: Path, launchers: Mapping[str, str]) -> None:
    """Make the overlay of a tree in ``target``, or make it anew; ``launchers``: path in the tree -> text.

    It appears whole.  Raises :class:`KbuildError`: a ``target`` that is something else is not touched, and one inside
    the tree or with a space or a colon in its path would not serve.
    """
    _expect_suitable(tree, target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{target.name}.new-", dir=target.parent))
        try:
            new.chmod(0o755)
            files = {tuple(path.split("/")): _OwnFile(text, 0o755) for path, text in launchers.items()}
            makefile = _own_makefile(tree, target)
            if makefile is not None:
                files["Makefile",] = _OwnFile(makefile, 0o644)
            _fill(new, tree.directory, files)
            (new / _MARKER).write_text(f"{tree.directory}\n", encoding="utf-8", errors="surrogateescape")
            _exchange(new, target)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
    except OSError as error:
        raise KbuildError(f"{error.filename or target}: {error.strerror}") from None


def remove_overlay(target: Path) -> None:
    """Delete an overlay; raises :class:`KbuildError` for anything else."""
    if overlaid_tree(target) is None:
        raise KbuildError(f"{target}: no overlay made by kbuild-py (it has no {_MARKER})")
    try:
        shutil.rmtree(target)
    except OSError as error:
        raise KbuildError(f"{error.filename}: {error.strerror}") from None


def _expect_suitable(tree: HeadersTree, target: Path) -> None:
    if set(str(target)) & set(" :\t\n"):
        raise KbuildError(f"{target}: kbuild cannot work in a path with spaces or colons; choose another (--overlay)")
    if os.path.realpath(target).startswith(os.path.realpath(tree.directory) + "/"):
        raise KbuildError(f"{target}: lies in the headers themselves; choose another place")
    if not os.path.lexists(target):
        return
    overlaid = overlaid_tree(target)
    if overlaid is None and not (target.is_dir() and not any(target.iterdir())):
        raise KbuildError(f"{target}: exists and is no overlay made by kbuild-py; choose another place")
    if overlaid is not None and overlaid != tree.directory:
        raise KbuildError(f"{target}: the overlay of other headers, {overlaid}; choose another place, or --undo that")


class _OwnFile(NamedTuple):
    """A file of the overlay that is no link."""

    text: str
    mode: int


# ``KBUILD_OUTPUT=/usr/src/linux-headers-RELEASE`` and the like
_OUTPUT_SETTING = re.compile(r"^((?:export\s+)?KBUILD_OUTPUT\s*[:?]?=\s*)(\S+)[ \t]*$", re.MULTILINE)


def _own_makefile(tree: HeadersTree, target: Path) -> str | None:
    """The tree's Makefile for the overlay in ``target``; ``None`` where the tree's own serves."""
    text = (tree.directory / "Makefile").read_text(encoding="utf-8", errors="surrogateescape")

    def setting(match: re.Match[str]) -> str:
        is_tree = os.path.realpath(match[2]) == os.path.realpath(tree.directory)
        return f"{match[1]}{target}" if is_tree else match[0]

    changed = _OUTPUT_SETTING.sub(setting, text)
    return None if changed == text else changed


def _fill(new: Path, original: Path, files: Mapping[tuple[str, ...], _OwnFile]) -> None:
    """Link everything that ``original`` holds, except on the ways to the overlay's own files."""
    own = {path[0] for path in files}
    for name in sorted(os.listdir(original)):
        if name not in own:
            (new / name).symlink_to(original / name)
    for name in own:
        file = files.get((name,))
        if file is not None:
            (new / name).write_text(file.text, encoding="utf-8", errors="surrogateescape")
            (new / name).chmod(file.mode)
        else:
            (new / name).mkdir()
            below = {path[1:]: file for path, file in files.items() if path[0] == name}
            _fill(new / name, original / name, below)


def _exchange(new: Path, target: Path) -> None:
    """Put the new overlay in the place of an older one or of an empty directory."""
    if not os.path.lexists(target):
        new.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old-", dir=target.parent))
    target.rename(old)  # onto the empty directory
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
