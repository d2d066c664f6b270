# SPDX-License-Identifier: GPL-2.0-or-later
"""depmod's order of work: find the modules, read them, find out who needs whom, write the files.

>>> options = DepmodOptions("/lib/modules/6.1.0", "6.1.0")                              # doctest: +SKIP
>>> update(options, report=lambda priority, text: print(text, file=sys.stderr))         # doctest: +SKIP
True
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass

from modpost_py.kmod.depmod_cache import DepmodCache, FileKeys, fingerprint, program_key
from modpost_py.kmod.depmod_configuration import DIRECTORIES, DepmodConfiguration, configuration_paths
from modpost_py.kmod.depmod_dependencies import Module, SymbolChecks, SymbolTable, rank, resolve
from modpost_py.kmod.depmod_files import Database, OutputFile, output_files
from modpost_py.kmod.depmod_kernel_symbols import map_symbols, pieces_of_lines, symvers_symbols
from modpost_py.kmod.depmod_messages import ERROR, WARNING, Report
from modpost_py.kmod.depmod_output import replace_files
from modpost_py.kmod.depmod_reading import ModuleFacts, ModuleReading
from modpost_py.kmod.depmod_search import FoundModule, modules_below, modules_named

#: The release of kmod whose files are written.
DEFAULT_KMOD_VERSION = 30

_LONGEST_ORDER_LINE = 4096

# What is wrong with the contents of a module, in contrast to who may read it
_LASTING_FAILURES = (0, errno.ENOEXEC, errno.EINVAL)


@dataclass(frozen=True)
class DepmodOptions:
    """What a run is to do.

    ``directory`` is the modules directory, ``release`` the kernel's release, for the configuration.  ``paths`` are
    the modules to look at instead of all in the directory.  ``configuration_places`` are files and directories,
    none for the usual ones.  ``symvers`` (``-E``) or else ``system_map`` (``-F``) tell the symbols of the kernel.
    Where all messages are wanted (``is_verbose``) the work is done even if there is none.
    """

    directory: str
    release: str
    paths: tuple[str, ...] | None = None
    configuration_places: tuple[str, ...] = ()
    symvers: str | None = None
    system_map: str | None = None
    reports_unknown: bool = False
    symbol_prefix: str = ""
    warns_of_duplicates: bool = False
    kmod_version: int = DEFAULT_KMOD_VERSION
    uses_cache: bool = True
    is_verbose: bool = False

    @property
    def checks(self) -> SymbolChecks:
        """What is asked about symbols."""
        knows_kernel = self.symvers is not None or self.system_map is not None
        compares_versions = self.symvers is not None
        return SymbolChecks(self.reports_unknown and knows_kernel, compares_versions, os.fsencode(self.symbol_prefix))


@dataclass
class Inputs:
    """What a run starts from: the kernel's symbols with their CRCs, and the modules that count, in table order."""

    kernel_symbols: dict[bytes, int]
    modules: list[FoundModule]


def find_inputs(options: DepmodOptions, report: Report) -> Inputs:
    """Read the kernel's symbols and the configuration, and look for modules; raises :class:`DepmodError`."""
    prefix = options.checks.prefix
    symbols: dict[bytes, int] = {}
    if options.symvers is not None:
        symbols = symvers_symbols(options.symvers, prefix, report)
    elif options.system_map is not None:
        symbols = map_symbols(options.system_map, prefix, report)
    elif options.reports_unknown:
        report(WARNING, "-e needs -E or -F")
    if options.paths is not None:
        return Inputs(symbols, modules_named(options.paths, options.directory, report))
    configuration = DepmodConfiguration.read(options.configuration_places, options.release, report)
    return Inputs(symbols, modules_below(options.directory, configuration, report))


def database(options: DepmodOptions, inputs: Inputs, facts: dict[str, ModuleFacts], report: Report) -> Database:
    """Find out who needs whom; ``facts`` are those that are known, by path, to which those that are read are added.

    Raises :class:`ReportedError` where modules need each other.
    """
    found = _in_build_order(inputs.modules, options.directory, report)
    missing = [module.path for module in found if module.path not in facts]
    with ModuleReading(missing) as reading:
        facts.update(zip(missing, reading, strict=True))
    modules = [Module(module, facts[module.path], index) for index, module in enumerate(found)]
    checks = options.checks
    table = SymbolTable(dict(inputs.kernel_symbols))
    table.add_exports(modules, checks.prefix, report)
    resolve(modules, table, checks, report)
    rank(modules, report)
    return Database(options.directory, modules, table, options.warns_of_duplicates, report)


def _in_build_order(modules: Sequence[FoundModule], directory: str, report: Report) -> list[FoundModule]:
    """Modules in the order of ``modules.order``, and behind them those that are not in it, in their order.

    That file has a path in a line, all of which are in vain where one is not ended (fgets(3) with 4096 bytes).
    """
    try:
        with open(f"{directory}/modules.order", "rb") as stream:
            lines = pieces_of_lines(stream.read(), _LONGEST_ORDER_LINE)
    except IsADirectoryError:  # can be opened, has no lines
        lines = []
    except OSError as error:
        report(WARNING, f"could not open modules.order at {directory}: {error.strerror}")
        return list(modules)
    places: dict[str | None, int] = {}
    for number, line in enumerate(lines):
        text = line.partition(b"\0")[0]
        if not text:
            continue
        if not text.endswith(b"\n"):
            report(ERROR, f"{directory}/modules.order:{number + 1} corrupted line misses '\\n'")
            return list(modules)
        places[text[:-1].decode("utf-8", "surrogateescape")] = number
    return sorted(modules, key=lambda module: places.get(module.ordered_as, len(lines)))


def shown(options: DepmodOptions, report: Report) -> bytes:
    """The texts that ``-n`` shows, of all files one after the other; raises :class:`DepmodError`."""
    made = database(options, find_inputs(options, report), {}, report)
    texts = [file.contents(made) or b"" for file in output_files(options.kmod_version) if file.is_text]
    return b"".join(texts)


def update(options: DepmodOptions, report: Report) -> bool:
    """Write the files of the modules directory; returns whether all of them could be made.

    Files appear under their names when all are complete.  Nothing is written where nothing has changed since the last
    run: what that run said is said again.  Raises :class:`DepmodError`.
    """
    memory = _Memory(options)
    inputs = find_inputs(options, report)
    memory.look_at(inputs.modules)
    if memory.is_up_to_date():
        for priority, text in memory.messages():
            report(priority, text)
        return True
    messages: list[tuple[int, str]] = []

    def record(priority: int, text: str) -> None:
        if priority <= WARNING:
            messages.append((priority, text))
        report(priority, text)

    facts = memory.facts()
    made = database(options, inputs, facts, record)
    files = _contents(made, output_files(options.kmod_version))
    complete = {name: data for name, data in files.items() if data is not None}
    replace_files(options.directory, complete)
    is_complete = len(complete) == len(files)
    memory.keep(messages if is_complete else None, complete, facts)
    return is_complete


def _contents(made: Database, files: Sequence[OutputFile]) -> dict[str, bytes | None]:
    """The contents by name, up to the first file that cannot be made, which is ``None``."""
    contents: dict[str, bytes | None] = {}
    for file in files:
        contents[file.name] = file.contents(made)
        if contents[file.name] is None:
            break
    return contents


class _Memory:
    """What is known from the last run, and kept for the next; nothing where there shall be no cache."""

    def __init__(self, options: DepmodOptions) -> None:
        self._options = options
        self._is_used = options.uses_cache and options.paths is None
        self._keys = FileKeys()
        self._cache = DepmodCache.read(options.directory) if self._is_used else DepmodCache(options.directory)
        self._modules: Sequence[FoundModule] = ()
        self._module_keys: dict[str, str | None] = {}
        self._fingerprint = ""

    def look_at(self, modules: Sequence[FoundModule]) -> None:
        """Take the keys of the modules and of all else that the run depends on."""
        if not self._is_used:
            return
        key = self._keys.key
        self._modules = modules
        self._module_keys = {module.path: key(module.path) for module in modules}
        parts = [program_key(), str(os.geteuid()), repr(self._options)]
        for path in self._other_inputs():
            parts += (path, key(path) or "")
        for module in modules:
            parts += (module.listed_as, module.path, self._module_keys[module.path] or "")
        if not self._keys.is_unsettled:
            self._fingerprint = fingerprint(parts)

    def _other_inputs(self) -> list[str]:
        options = self._options
        names = ("modules.order", "modules.builtin", "modules.builtin.modinfo")
        paths = [f"{options.directory}/{name}" for name in names]
        paths += [path for path in (options.symvers, options.system_map) if path is not None]
        return paths + configuration_paths(options.configuration_places or DIRECTORIES, lambda priority, text: None)

    def is_up_to_date(self) -> bool:
        """Whether the last run was the same, and its files are as it left them."""
        if self._options.is_verbose:
            return False
        is_same = self._fingerprint != "" and self._cache.run == self._fingerprint
        return is_same and self._cache.files_are_unchanged()

    def messages(self) -> list[tuple[int, str]]:
        """What the last run said after it had found the modules."""
        return self._cache.messages

    def facts(self) -> dict[str, ModuleFacts]:
        """The facts of modules that have not changed, by path."""
        known = self._cache.facts()
        found = {}
        for module in self._modules:
            key = self._module_keys[module.path]
            if key is not None and (module.listed_as, key) in known:
                found[module.path] = known[module.listed_as, key]
        return found

    def keep(
        self, messages: list[tuple[int, str]] | None, files: dict[str, bytes], facts: dict[str, ModuleFacts]
    ) -> None:
        """Store the run; with ``None`` for messages only the facts of modules, since the run did not succeed."""
        if not self._is_used:
            return
        lasting = all(of_module.failure in _LASTING_FAILURES for of_module in facts.values())
        run = self._fingerprint if messages is not None and lasting else ""
        kept = {}
        for module in self._modules:
            key = self._module_keys[module.path]
            of_module = facts[module.path]
            if key is not None and of_module.failure in _LASTING_FAILURES:
                kept[module.listed_as, key] = of_module
        self._cache.write(run, messages or [], files, kept)
