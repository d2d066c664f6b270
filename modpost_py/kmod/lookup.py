# SPDX-License-Identifier: GPL-2.0-or-later
"""Which modules a name or an alias means in one modules directory, and what they depend on.

The places that are asked, in kmod's order; the first that knows the text decides:

==================  ========================  =================================================================
place               what is compared          what is found
==================  ========================  =================================================================
configuration       ``alias`` patterns        the modules of all matching lines, in their order; they need not
                                              exist
modules.dep         the module's name         one module; not asked for a text with a colon
modules.symbols     ``symbol:NAME``           only for a text that begins so
configuration       ``install``, ``remove``   the name itself, whether or not such a module exists
modules.alias       patterns                  all modules whose pattern matches, by priority
modules.builtin     the module's name         one module
modules.builtin.    patterns                  all built-in modules whose pattern matches
alias
==================  ========================  =================================================================

All comparisons are of normalised texts (:mod:`modpost_py.kmod.names`).  The files are the ``.bin`` forms that depmod
writes.  A file that is missing, or empty, is one that knows nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from modpost_py.errors import FileError
from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.names import module_name, normalized_alias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modpost_py.kmod.index_file import IndexFile

Answer = TypeVar("Answer")

DEPENDENCIES = "modules.dep.bin"
ALIASES = "modules.alias.bin"
SYMBOLS = "modules.symbols.bin"
BUILTIN_ALIASES = "modules.builtin.alias.bin"
BUILTIN = "modules.builtin.bin"

# The order in which kmod opens them, which is the order of its complaints.
INDEXES = (DEPENDENCIES, ALIASES, SYMBOLS, BUILTIN_ALIASES, BUILTIN)


class NamesAndCommands(Protocol):
    """What a look-up asks of a configuration (:class:`modpost_py.kmod.configuration.Configuration`)."""

    def aliased(self, alias: str) -> Sequence[tuple[str, str]]:
        """Pattern and module of the ``alias`` lines whose pattern matches a normalised alias, in their order."""

    def has_command(self, name: str) -> bool:
        """Whether an ``install`` or ``remove`` line is for exactly this normalised name."""


class FoundModule(NamedTuple):
    """A module that a text means.

    ``path`` is that of its file as modules.dep has it, made absolute by the modules directory; None where
    modules.dep does not know the module (a built-in one, an alias of the configuration for nothing).
    ``is_builtin`` is only asked for where there is no path: a module that is in both databases counts as a file.
    ``alias`` is how it was found, if not by its name: the pattern of the configuration's line, or the normalised text
    that was looked up in an index; ``options`` lines for exactly that belong to the module, too.
    """

    name: str
    path: str | None
    is_builtin: bool
    alias: str | None = None


class EscapingPathError(KmodError):
    """A path in modules.dep that climbs out of the modules directory."""


class ModulesDirectory:
    """The databases of one modules directory (``/lib/modules/RELEASE``), opened when they are first asked.

    A damaged or unreadable database counts as one that knows nothing; its error goes to ``on_damage``, once.
    Without ``on_damage`` it is raised.
    """

    def __init__(self, path: str, on_damage: Callable[[KmodError | FileError], None] | None = None) -> None:
        self.path = path
        self._on_damage = on_damage
        self._indexes: dict[str, IndexFile | None] = {}

    def index(self, name: str) -> IndexFile | None:
        """One of :data:`INDEXES`; None where it is missing or damaged."""
        if name not in self._indexes:
            self._indexes[name] = None
            self._indexes[name] = self._opened(os.path.join(self.path, name))
        return self._indexes[name]

    def _opened(self, path: str) -> IndexFile | None:
        try:
            if not os.path.getsize(path):
                return None  # depmod writes an empty one where it has nothing to write it from
        except OSError:
            return None
        from modpost_py.kmod.index_file import IndexFile

        try:
            return IndexFile.read(path)
        except (KmodError, FileError) as error:
            self.complain(error)
            return None

    def complain(self, error: KmodError | FileError) -> None:
        """Tell of damage; raises ``error`` where there is no ``on_damage``."""
        if self._on_damage is None:
            raise error
        self._on_damage(error)

    # ---- what depends on what

    def path_of(self, name: str) -> str | None:
        """The file of the module ``name`` (normalised); None where modules.dep does not know it."""
        line = self._dependency_line(name)
        return None if line is None else self._absolute(line.partition(":")[0], name)

    def dependencies(self, name: str) -> list[str]:
        """The files of all modules that ``name`` needs, those first that need nothing: the order of loading.

        Empty where modules.dep does not know the module.  Raises :class:`EscapingPathError`.

        Format of a value of modules.dep.bin: ``PATH: NEEDED NEEDED...``, relative to the modules directory or
        absolute; behind each module come those that it needs.
        """
        line = self._dependency_line(name)
        if line is None:
            return []
        return [self._absolute(path, name) for path in reversed(line.partition(":")[2].split())]

    def _dependency_line(self, name: str) -> str | None:
        index = None if ":" in name else self.index(DEPENDENCIES)
        return None if index is None else self._damage_as_none(lambda: index.search(name))

    def _absolute(self, path: str, name: str) -> str:
        if path.startswith("/"):
            return path
        if ".." in path and f"{os.path.normpath(path)}/".startswith("../"):
            raise EscapingPathError(
                f"{os.path.join(self.path, DEPENDENCIES)}: module {name}: "
                f"{path!r} lies outside of the modules directory"
            )
        return f"{self.path}/{path}"

    # ---- what a text means

    def lookup(self, text: str, configuration: NamesAndCommands | None = None) -> list[FoundModule]:
        """The modules that ``text`` means, in kmod's order; empty where nothing knows it, or its brackets are wrong.

        Raises :class:`EscapingPathError`; and where there is no ``on_damage``, what a damaged database raises.
        """
        try:
            alias = normalized_alias(text)
        except KmodError:
            return []
        if configuration is not None:
            aliases = configuration.aliased(alias)
            if aliases:
                return [self.by_name(module_name(name), pattern) for pattern, name in aliases]
        line = self._dependency_line(alias)
        if line is not None:
            return [FoundModule(module_name(alias), self.path_of(alias), is_builtin=False)]
        if alias.startswith("symbol:"):
            found = self._wildcard(SYMBOLS, alias)
            if found:
                return found
        if configuration is not None and configuration.has_command(alias):
            return [self.by_name(alias)]
        return self._wildcard(ALIASES, alias) or self._builtin(alias) or self._wildcard(BUILTIN_ALIASES, alias)

    def by_name(self, name: str, alias: str | None = None) -> FoundModule:
        """The module of that normalised name, which need not exist."""
        path = self.path_of(name)
        return FoundModule(name, path, is_builtin=path is None and self.is_builtin(name), alias=alias)

    def is_builtin(self, name: str) -> bool:
        """Whether the kernel itself has the module of that normalised name."""
        index = self.index(BUILTIN)
        return index is not None and self._damage_as_none(lambda: index.search(name)) is not None

    def _builtin(self, alias: str) -> list[FoundModule]:
        return [FoundModule(module_name(alias), None, is_builtin=True)] if self.is_builtin(alias) else []

    def _wildcard(self, name: str, alias: str) -> list[FoundModule]:
        index = self.index(name)
        if index is None:
            return []
        values = self._damage_as_none(lambda: index.wildcard_search(alias)) or []
        if name == BUILTIN_ALIASES:
            return [FoundModule(module_name(value), None, is_builtin=True, alias=alias) for _, value in values]
        return [self.by_name(module_name(value), alias) for _, value in values]

    def _damage_as_none(self, search: Callable[[], Answer]) -> Answer | None:
        try:
            return search()
        except KmodError as error:
            self.complain(error)
            return None
