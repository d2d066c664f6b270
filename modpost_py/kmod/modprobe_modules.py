# SPDX-License-Identifier: GPL-2.0-or-later
"""The modules that one modprobe has to do with, and the order in which they load.

A module that was found by an alias is another one than the same module found by its name: it has more options (those
for the alias) and may be blacklisted.  So modules are known by name and alias, as in kmod.

The order, for a module M that depends on D1, D2 (in the order in which they must load)::

    order(M)  = around(D1) around(D2) around(M)
    around(X) = order(P) for each module P of X's soft "pre:"  X  order(Q) for each Q of its "post:"

where order(M) of one module is asked for only once, and is empty afterwards.  A dependency that several modules have
stands there several times; by the time of the second it is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from modpost_py.kmod.configuration import Configuration
from modpost_py.kmod.loaded_modules import LIVE, LoadedModules
from modpost_py.kmod.lookup import FoundModule, ModulesDirectory
from modpost_py.kmod.modprobe_messages import Complaint
from modpost_py.kmod.names import is_alias, module_name

# Work that asks for other work to be done before it goes on: soft dependencies nest as deep as a user writes them.
Work = Iterator["Work"]


class Module:
    """One module: ``name``, the ``alias`` by which it was found or None, ``path`` of its file or None."""

    __slots__ = (
        "_dependencies", "_modules", "alias", "builtin", "commands", "name", "path", "plain", "required", "visited",
    )  # fmt: skip

    def __init__(self, modules: Modules, name: str, alias: str | None, path: str | None, builtin: bool | None) -> None:
        self._modules = modules
        self._dependencies: list[Module] | None = None
        self.name = name
        self.alias = alias
        self.path = path
        self.builtin = builtin  # None: not asked yet
        self.commands: dict[str, str] = {}  # those by which it was found: their lines count before any pattern
        self.visited = False
        self.required = False
        self.plain = False  # its install command does not count

    @property
    def dependencies(self) -> list[Module]:
        """The modules that it needs, in the order of loading; none where one of their files is missing.

        That is reported each time.
        """
        if self._dependencies is None:
            self._dependencies = self._modules.dependencies(self.name)
        return self._dependencies or []

    def command(self, keyword: str) -> str | None:
        """The command of the configuration for ``install`` or ``remove``."""
        if keyword in self.commands:
            return self.commands[keyword]
        configuration = self._modules.configuration
        return (
            configuration.install_command(self.name)
            if keyword == "install"
            else configuration.remove_command(self.name)
        )

    @property
    def is_builtin(self) -> bool:
        """Whether the kernel has it built in; never for one that is known as a dependency first."""
        if self.builtin is None:
            self.builtin = self._modules.directory.is_builtin(self.name)
        return self.builtin

    @property
    def in_kernel(self) -> bool:
        """Whether it is built in, or loaded and at work."""
        return self.is_builtin or self._modules.loaded.state(self.name) == LIVE


class Modules:
    """The modules of one directory, under one configuration, for one kernel."""

    def __init__(
        self,
        directory: ModulesDirectory,
        configuration: Configuration,
        loaded: LoadedModules,
        report: Callable[[Complaint], None],
    ) -> None:
        self.directory = directory
        self.configuration = configuration
        self.loaded = loaded
        self.report = report
        self._modules: dict[tuple[str, str | None], Module] = {}

    def lookup(self, text: str) -> list[Module]:
        """The modules that a text means; empty where nothing knows it."""
        found = [self._found(module) for module in self.directory.lookup(text, self.configuration)]
        if len(found) == 1 and found[0].alias is None and found[0].path is not None:
            found[0].dependencies  # noqa: B018  kmod reads them now, and complains now
        return found

    def _found(self, found: FoundModule) -> Module:
        known = self._modules.get((found.name, found.alias))
        if known is None:
            builtin = True if found.is_builtin else None
            known = Module(self, found.name, found.alias, found.path, builtin)
            command = None if found.alias or found.path else self.configuration.command_for(found.name)
            if command is not None:
                known.commands[command[0]] = command[1]
            self._modules[found.name, found.alias] = known
        return known

    def by_name(self, name: str) -> Module:
        """The module of that name, which need not be in the modules directory."""
        return self._found(self.directory.by_name(module_name(name)))

    def dependencies(self, name: str) -> list[Module] | None:
        """The modules that a module needs, in the order of loading; None, and a complaint, where a file is missing."""
        modules = []
        paths = self.directory.dependencies(name)
        for path in reversed(paths):
            try:
                os.stat(path)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                self.report(Complaint("dependency", path=path, reason=reason))
                return None
            modules.append(self._at(path))
        return modules[::-1]

    def _at(self, path: str) -> Module:
        name = module_name(path)
        known = self._modules.get((name, None))
        if known is None:
            known = Module(self, name, None, path, builtin=False)
            self._modules[name, None] = known
        return known

    # ---- the order of loading

    def loading_order(self, module: Module, plain: bool) -> list[Module]:
        """The modules to load for ``module``, itself included, some of them several times.

        ``plain`` leaves out its own soft dependencies and install command.
        """
        for known in self._modules.values():
            known.visited = known.required = False
        order: list[Module] = []
        module.visited = module.required = True
        _finish(self._whole(module, plain, order))
        return order

    def _whole(self, module: Module, plain: bool, order: list[Module]) -> Work:
        dependencies = module.dependencies
        for needed in dependencies:
            needed.required = needed.required or module.required
        for needed in dependencies:
            yield self._around(needed, order)
        if plain:
            module.plain = True
            order.append(module)
        else:
            yield self._around(module, order)

    def _once(self, module: Module, order: list[Module]) -> Work:
        if not module.visited:
            module.visited = True
            yield self._whole(module, False, order)

    def _around(self, module: Module, order: list[Module]) -> Work:
        before, after = self.soft_dependencies(module)
        for soft in before:
            yield self._once(soft, order)
        module.plain = bool(before or after)
        order.append(module)
        for soft in after:
            yield self._once(soft, order)

    def soft_dependencies(self, module: Module) -> tuple[list[Module], list[Module]]:
        """The modules of the first soft dependency for it, before and after; names that nothing knows are left out."""
        line = self.configuration.soft_dependency(module.name)
        if line is None:
            return [], []
        return self._softly(line.pre), self._softly(line.post)

    def _softly(self, names: list[str]) -> list[Module]:
        found = []
        for name in names:
            if is_alias(name):
                found += self.lookup(name)
            else:
                self.report(Complaint("soft dependency", name=name))
        return found


def _finish(work: Work) -> None:
    """Do a piece of work with all that it asks for."""
    stack = [work]
    while stack:
        wanted = next(stack[-1], None)
        if wanted is None:
            stack.pop()
        else:
            stack.append(wanted)
