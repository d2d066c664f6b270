# SPDX-License-Identifier: GPL-2.0-or-later
"""Which modules an argument of ``modinfo`` means: a file, or what the databases of a modules directory know.

An argument is a file where it names a regular file and ends as the names of module files do; else it is looked up as
a name or an alias, or with ``-m`` as a name only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from stat import S_ISREG
from typing import TYPE_CHECKING

from modpost_py.kmod.builtin_modinfo import BuiltinModinfo
from modpost_py.kmod.compression import MODULE_SUFFIXES
from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.names import module_name, normalized_alias

if TYPE_CHECKING:
    from modpost_py.errors import FileError
    from modpost_py.kmod.lookup import ModulesDirectory

#: A module's name, and the path of its file, absolute; no path where it is built in.
NamedModule = tuple[str, "str | None"]


class NotFoundError(KmodError):
    """Nothing is known by that name; the text is kmod's."""


class Modules:
    """The modules of one modules directory, by whatever an argument may be.

    ``on_damage`` gets the errors of databases that are damaged, which then know nothing.
    """

    def __init__(self, modules_directory: str, on_damage: Callable[[KmodError | FileError], None]) -> None:
        self._path = absolute(modules_directory)
        self._on_damage = on_damage
        self._directory: ModulesDirectory | None = None
        self.builtin = BuiltinModinfo(self._path)

    def named(self, argument: str, is_name: bool = False) -> list[NamedModule]:
        """The modules that an argument means; raises :class:`NotFoundError`."""
        if is_module_file(argument):
            return [(module_name(argument), absolute(argument))]
        directory = self._opened_directory()
        if is_name:
            return _by_name(directory, argument)
        return _by_alias(directory, argument)

    def _opened_directory(self) -> ModulesDirectory:
        if self._directory is None:
            from modpost_py.kmod.lookup import ModulesDirectory  # files need none

            self._directory = ModulesDirectory(self._path, self._report_damage)
        return self._directory

    def _report_damage(self, error: KmodError | FileError) -> None:
        """kmod's depmod leaves an empty modules.builtin.bin where there is no modules.builtin: that is no damage."""
        if not _is_empty(str(error).partition(": ")[0]):
            self._on_damage(error)


def _is_empty(path: str) -> bool:
    try:
        return os.stat(path).st_size == 0
    except OSError:
        return False


def _by_alias(directory: ModulesDirectory, argument: str) -> list[NamedModule]:
    try:
        alias = normalized_alias(argument)
    except KmodError:
        raise NotFoundError(f"Module alias {argument} not found.") from None
    found = directory.lookup(alias)
    if not found:
        raise NotFoundError(f"Module {argument} not found.")
    return [(module.name, module.path) for module in found]


def _by_name(directory: ModulesDirectory, argument: str) -> list[NamedModule]:
    """As kmod: also by the aliases of built-in modules, though not by those of other modules."""
    from modpost_py.kmod.lookup import BUILTIN_ALIASES

    try:
        name = normalized_alias(argument)
    except KmodError:
        raise NotFoundError(f"Module name {argument} not found.") from None
    path = directory.path_of(name)
    if path is not None or directory.is_builtin(name):
        return [(module_name(name), path)]
    index = directory.index(BUILTIN_ALIASES)
    values = [] if index is None else index.wildcard_search(name)
    if not values:
        raise NotFoundError(f"Module name {argument} not found.")
    return [(module_name(value), None) for _, value in values]


def is_module_file(argument: str) -> bool:
    """Whether an argument is the name of a file that is there, and not of a module."""
    if not argument.endswith(MODULE_SUFFIXES):
        return False
    try:
        return S_ISREG(os.stat(argument).st_mode)
    except (OSError, ValueError):
        return False


def absolute(path: str) -> str:
    """A path that begins at the root, nothing in it changed; through ``$PWD`` where that is the current directory."""
    if path.startswith("/"):
        return path
    return f"{_current_directory()}/{path}"


def _current_directory() -> str:
    logical = os.environ.get("PWD", "")
    try:
        if logical.startswith("/") and os.path.samefile(logical, "."):
            return logical
    except (OSError, ValueError):
        pass
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return "."
