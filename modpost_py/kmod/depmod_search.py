# SPDX-License-Identifier: GPL-2.0-or-later
"""Which module files a modules directory holds, and which of several with one name counts.

Directories are walked in the order in which they give their entries, which is up to the file system.  It matters where
two modules of one name are equally wanted: kmod keeps the one that it meets first.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence

from modpost_py.kmod.compression import MODULE_SUFFIXES
from modpost_py.kmod.depmod_configuration import BUILT_IN, EXTERNAL, DepmodConfiguration
from modpost_py.kmod.depmod_messages import DEBUG, ERROR, DepmodError, Report
from modpost_py.kmod.hash_order import MODULE_BUCKETS, in_hash_order
from modpost_py.kmod.names import module_name

# Paths from here on are too long for kmod
_LONGEST_PATH = 4096

# A directory to which many links lead is entered so often; enough for any real tree
_MOST_VISITS = 64

# The file descriptor that kmod has for the directory it begins with; each below has the next
_FIRST_DESCRIPTOR = 3


# A directory under work: its path, what is left of its entries, device and inode
_Directory = tuple[str, "os._ScandirIterator[str]", tuple[int, int]]


class FoundModule:
    """A module file.

    ``path`` is its whole path, ``name`` the module's, ``relative`` the path below the modules directory, ``None`` for
    one that is not there.
    """

    __slots__ = ("name", "path", "relative")

    def __init__(self, path: str, directory: str) -> None:
        self.path = path
        self.name = module_name(path)
        self.relative = path[len(directory) + 1 :] if path.startswith(directory + "/") else None

    @property
    def listed_as(self) -> str:
        """The path in ``modules.dep``."""
        return self.path if self.relative is None else self.relative

    @property
    def ordered_as(self) -> str | None:
        """The path in ``modules.order``: uncompressed, with the module's name for the file's."""
        if self.relative is None:
            return None
        return self.relative[: self.relative.rfind("/") + 1 + len(self.name) + len(".ko")]

    def overridden_as(self) -> str:
        """The path in an ``override``: without suffix."""
        path = self.listed_as
        return path[: path.rfind("/") + 1 + len(self.name)]


def modules_below(directory: str, configuration: DepmodConfiguration, report: Report) -> list[FoundModule]:
    """The modules of a directory and of the ``external`` ones that count, in the order of kmod's table of modules.

    Raises :class:`DepmodError` where the directory cannot be read.
    """
    chosen: dict[str, FoundModule] = {}
    walk = _Walk(configuration, report)
    for start in (directory, *reversed(configuration.externals)):
        try:
            for path in walk.module_files(start):
                _choose(chosen, FoundModule(path, directory), configuration, report)
        except OSError as error:
            report(ERROR, f"could not open directory {start}: {error.strerror}")
            if start == directory or error.errno != errno.ENOENT:
                raise DepmodError(f"could not search modules: {error.strerror}") from None
    return in_table_order(chosen)


def modules_named(paths: Sequence[str], directory: str, report: Report) -> list[FoundModule]:
    """The modules at absolute paths, in the order of kmod's table of modules; raises :class:`DepmodError`."""
    chosen: dict[str, FoundModule] = {}
    for path in paths:
        if not path.startswith("/"):
            raise DepmodError(f"{path}: not absolute path.")
        try:
            os.stat(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or os.strerror(errno.ENOENT)
            raise DepmodError(f"could not create module {path}: {reason}") from None
        module = FoundModule(path, directory)
        known = chosen.get(module.name)
        if known is not None:
            reason = os.strerror(errno.EEXIST)
            if known.path != path:
                raise DepmodError(f"could not create module {path}: {reason}")
            report(ERROR, f"hash_add_unique {module.name}: {reason}")
            raise DepmodError(f"could not add module {path}: {reason}")
        chosen[module.name] = module
    return in_table_order(chosen)


def in_table_order(modules: dict[str, FoundModule]) -> list[FoundModule]:
    """Modules by name in the order of kmod's table of modules."""
    by_key = {os.fsencode(name): module for name, module in modules.items()}
    return [by_key[key] for key in in_hash_order(by_key, MODULE_BUCKETS)]


class _Walk:
    """The walk through directories; entries that cannot be looked at are reported and passed over."""

    def __init__(self, configuration: DepmodConfiguration, report: Report) -> None:
        self._excluded = configuration.excluded
        self._report = report
        self._visits: dict[tuple[int, int], int] = {}

    def module_files(self, start: str) -> Iterator[str]:
        """The paths of the module files below ``start``; raises :class:`OSError` where it cannot be opened."""
        status = os.stat(start)
        # Directories under work: path, what is left of its entries, itself
        identity = (status.st_dev, status.st_ino)
        self._visits[identity] = 1
        stack = [(start, os.scandir(start), identity)]
        try:
            while stack:
                path, entries, _ = stack[-1]
                try:
                    entry = next(entries, None)
                except OSError:  # kmod takes it for the end
                    entry = None
                if entry is None:
                    stack.pop()[1].close()
                    continue
                if entry.name in self._excluded:
                    continue
                below = f"{path}/{entry.name}"
                kind = self._kind(entry, below, len(stack))
                if kind == "file" and is_module_file(entry.name):
                    yield below
                elif kind == "directory":
                    self._descend(stack, entry, below)
        finally:
            for _, entries, _ in stack:
                entries.close()

    def _kind(self, entry: os.DirEntry[str], path: str, depth: int) -> str | None:
        """``"file"``, ``"directory"``, or ``None`` for what is neither, which is reported."""
        if entry.is_file(follow_symlinks=False):
            return "file"
        if entry.is_dir(follow_symlinks=False):
            return "directory"
        try:
            mode = entry.stat().st_mode
        except OSError as error:
            self._report(ERROR, f"fstatat({_FIRST_DESCRIPTOR + depth - 1}, {entry.name}): {error.strerror}")
            return None
        if stat.S_ISREG(mode):
            return "file"
        if stat.S_ISDIR(mode):
            return "directory"
        self._report(ERROR, f"unsupported file type {path}: {stat.S_IFMT(mode):o}")
        return None

    def _descend(self, stack: list[_Directory], entry: os.DirEntry[str], path: str) -> None:
        try:
            status = entry.stat()
            identity = (status.st_dev, status.st_ino)
            visits = self._visits[identity] = self._visits.get(identity, 0) + 1
            if visits > _MOST_VISITS or (visits > 1 and any(identity == known for _, _, known in stack)):
                what = "above it" if visits <= _MOST_VISITS else f"that {_MOST_VISITS} others lead to"
                self._report(ERROR, f"{path}: a link to a directory {what}, which is not followed")
                return
            if len(os.fsencode(path)) >= _LONGEST_PATH:
                self._report(ERROR, f"path is too long {path}")
                return
            stack.append((path, os.scandir(path), identity))
        except OSError as error:
            descriptor = _FIRST_DESCRIPTOR + len(stack) - 1
            self._report(ERROR, f"openat({descriptor}, {entry.name}, O_RDONLY): {error.strerror}")


def is_module_file(name: str) -> bool:
    """Whether a file of that name is a module for depmod: it ends as one, and is more than the ending."""
    for suffix in MODULE_SUFFIXES:
        if name.endswith(suffix):
            return len(name) > len(suffix)
    return False


def _choose(
    chosen: dict[str, FoundModule], module: FoundModule, configuration: DepmodConfiguration, report: Report
) -> None:
    report(DEBUG, f"try {module.listed_as} ({module.name})")
    known = chosen.get(module.name)
    if known is None:
        chosen[module.name] = module
    elif is_preferred(module, known, configuration):
        report(DEBUG, f"Replace lower priority {known.listed_as} with new module {module.listed_as}")
        chosen[module.name] = module
    else:
        report(DEBUG, f"Ignored lower priority: {module.path}, higher: {known.path}")


def is_preferred(new: FoundModule, old: FoundModule, configuration: DepmodConfiguration) -> bool:
    """Whether ``new`` takes the place of ``old``: an ``override`` tells, or the order of ``search``.

    As kmod: a directory of ``search`` that both are in counts for the new one only.
    """
    new_path, old_path = new.overridden_as(), old.overridden_as()
    for path in reversed(configuration.overrides):
        if path == new_path:
            return True
        if path == old_path:
            return False
    ranks = _ranks(new, old, configuration)
    return ranks[0] > ranks[1]


def _ranks(new: FoundModule, old: FoundModule, configuration: DepmodConfiguration) -> tuple[int, int]:
    """How wanted the two modules are: higher numbers are."""
    new_rank = old_rank = built_in_rank = -1
    rank = 0
    for word in reversed(configuration.searches):
        if word == BUILT_IN:
            built_in_rank = rank
        elif word == EXTERNAL:
            for directory in reversed(configuration.externals):
                if new.path.startswith(directory + "/"):
                    new_rank = rank
                if old.path.startswith(directory + "/"):
                    old_rank = rank
                rank += 1
        elif new.listed_as.startswith(word + "/"):
            new_rank = rank
        elif old.listed_as.startswith(word + "/"):
            old_rank = rank
        rank += 1
    return (built_in_rank if new_rank < 0 else new_rank), (built_in_rank if old_rank < 0 else old_rank)
