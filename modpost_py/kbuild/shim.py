# SPDX-License-Identifier: GPL-2.0-or-later
"""Launchers of ours in the places of a headers tree's own programs, and the way back.

The original stays beside its launcher, under a name of its own::

    scripts/mod/modpost             the launcher
    scripts/mod/modpost.shimmed     the original: the same file (inode) as before, only its name is another

Each step leaves both programs findable, so that whatever interrupts the work, doing it again or undoing it completes:

=====  ======================================================  ==========================================
step   what is done                                            what is there afterwards
=====  ======================================================  ==========================================
1      write the launcher as ``.modpost.shim-new``             the original; a stray file
2      link ``modpost.shimmed`` to the original                the original under both names
3      rename the launcher over ``modpost``                    shimmed
=====  ======================================================  ==========================================

Undoing renames the original back, over the launcher.  A file system without hard links gets a rename for step 2; then
nothing is called ``modpost`` until step 3.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from modpost_py.kbuild.errors import KbuildError
from modpost_py.kbuild.headers_tree import HeadersTree
from modpost_py.kbuild.launchers import is_launcher

KEPT_SUFFIX = ".shimmed"
_NEW = ".{}.shim-new"

#: Where kbuild has the programs that ours replace, relative to the headers; fixdep first, as it is the first to run
PROGRAM_PATHS: Mapping[str, str] = {
    "fixdep": "scripts/basic/fixdep",
    "genksyms": "scripts/genksyms/genksyms",
    "modpost": "scripts/mod/modpost",
}


class Place(NamedTuple):
    """Where one program stands: ``path`` as the headers name it, ``file`` with links to directories resolved."""

    program: str
    path: str
    file: Path

    @property
    def kept(self) -> Path:
        """Where the original is while a launcher stands in its place."""
        return self.file.with_name(self.file.name + KEPT_SUFFIX)


class State(Enum):
    """What stands in a place."""

    ORIGINAL = "original"
    SHIMMED = "shimmed"
    INTERRUPTED = "interrupted"
    REINSTALLED = "reinstalled"
    ORIGINAL_LOST = "original lost"
    ABSENT = "absent"


def places(tree: HeadersTree) -> list[Place]:
    """The three places of a tree, whether there is anything or not."""
    found = []
    for program, path in PROGRAM_PATHS.items():
        file = tree.directory / path
        found.append(Place(program, path, Path(os.path.realpath(file.parent), file.name)))
    return found


def state_of(place: Place) -> State:
    """What stands there; raises :class:`KbuildError` for a program that cannot be read."""
    has_kept = os.path.lexists(place.kept)
    if not os.path.lexists(place.file):
        return State.INTERRUPTED if has_kept else State.ABSENT
    if _is_launcher(place.file):
        return State.SHIMMED if has_kept else State.ORIGINAL_LOST
    if not has_kept:
        return State.ORIGINAL
    same = os.path.samestat(os.lstat(place.file), os.lstat(place.kept))
    return State.INTERRUPTED if same else State.REINSTALLED


def is_writable(place: Place) -> bool:
    """Whether files in the program's directory can be exchanged."""
    return os.access(place.file.parent, os.W_OK | os.X_OK)


def install(place: Place, launcher: str) -> None:
    """Put a launcher there and keep the original, whatever the state; raises :class:`KbuildError`.

    Where a newer original stands in the place of an earlier launcher (the package was installed anew), it becomes the
    one that is kept; the earlier one stays too, under another name.
    """
    new = place.file.with_name(_NEW.format(place.file.name))
    with _exclusively(place), _as_kbuild_error():
        state = state_of(place)
        if state == State.ABSENT:
            raise KbuildError(f"{place.file}: no such program; a launcher would have nothing to replace")
        _write_new(new, launcher)
        if state == State.REINSTALLED:
            os.rename(place.kept, _free_name(place.kept))
        if state in (State.ORIGINAL, State.REINSTALLED):
            _keep(place)
        os.rename(new, place.file)


def restore(place: Place) -> bool:
    """Put the original back; returns whether there was anything to undo.  Raises :class:`KbuildError`.

    Where a package was installed anew over the launcher, its program stays, and the one that was kept is left alone.
    """
    with _exclusively(place), _as_kbuild_error():
        with contextlib.suppress(OSError):  # there is none, or nothing may be changed here
            os.unlink(place.file.with_name(_NEW.format(place.file.name)))
        state = state_of(place)
        if state == State.ORIGINAL_LOST:
            raise KbuildError(
                f"{place.file}: a launcher, but its original {place.kept.name} is gone; "
                "install the package that it came from again"
            )
        if state == State.SHIMMED or not os.path.lexists(place.file):
            if not os.path.lexists(place.kept):
                return False
            os.rename(place.kept, place.file)
            return True
        if state == State.INTERRUPTED:
            os.unlink(place.kept)  # the second name of the original; a rename would do nothing
            return True
        return False


def _write_new(path: Path, text: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(os.fsencode(text))
        os.fchmod(stream.fileno(), 0o755)  # kbuild may run as another user, whatever this one's umask


def _keep(place: Place) -> None:
    try:
        os.link(place.file, place.kept, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        os.rename(place.file, place.kept)


def _free_name(path: Path) -> Path:
    number = 1
    while os.path.lexists(candidate := path.with_name(f"{path.name}.{number}")):
        number += 1
    return candidate


def _is_launcher(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with open(path, "rb") as file:
            return is_launcher(file.read(1024))
    except OSError as error:
        raise KbuildError(f"{path}: {error.strerror}") from None


@contextlib.contextmanager
def _exclusively(place: Place) -> Iterator[None]:
    """One at a time in the program's directory, whose time of change stays: undone, the tree is as it was."""
    try:
        descriptor = os.open(place.file.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise KbuildError(f"{place.file.parent}: {error.strerror}") from None
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        before = os.fstat(descriptor)
        yield
        with contextlib.suppress(OSError):  # somebody else's directory
            os.utime(descriptor, ns=(before.st_atime_ns, before.st_mtime_ns))
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _as_kbuild_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        name = error.filename2 or error.filename
        raise KbuildError(f"{name}: {error.strerror}" if name else str(error)) from None
