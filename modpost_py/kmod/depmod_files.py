# SPDX-License-Identifier: GPL-2.0-or-later
"""The contents of the files that depmod writes, as bytes.

=========================  ======================================================================================
modules.dep                a line a module: path ":" paths of all that it needs, the first needed last
modules.alias              ``alias`` PATTERN MODULE
modules.softdep            ``softdep`` MODULE TEXT
modules.weakdep            ``weakdep`` MODULE TEXT, since kmod 33
modules.symbols            ``alias symbol:`` SYMBOL MODULE
modules.devname            MODULE DEVICE-NAME ``c``\\ or\\ ``b`` MAJOR ``:`` MINOR
modules.dep.bin            index from a module to its line of modules.dep
modules.alias.bin          index from a pattern to its modules, dashes being underscores
modules.symbols.bin        index from ``symbol:`` SYMBOL to its module
modules.builtin.bin        index from a built-in module to nothing, from modules.builtin
modules.builtin.alias.bin  index from a pattern to built-in modules, from modules.builtin.modinfo
=========================  ======================================================================================

A module's priority in an index is its place in modules.dep.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from modpost_py.kmod.depmod_dependencies import Module, SymbolTable, all_needs
from modpost_py.kmod.depmod_kernel_symbols import pieces_of_lines
from modpost_py.kmod.depmod_messages import ERROR, WARNING, Report
from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.hash_order import SYMBOL_BUCKETS, in_hash_order
from modpost_py.kmod.index_file import index_bytes
from modpost_py.kmod.names import module_name, normalized_alias

_LONGEST_LINE = 4096
_DEVICE_NUMBERS = re.compile(r"(char|block)-major-\s*([+-]?\d+)-\s*([+-]?\d+)", re.ASCII)

_Entry = tuple[str, str, int]


class Database:
    """All that the files are made of: the modules in order, their symbols, and the files on built-in modules."""

    def __init__(
        self, directory: str, modules: Sequence[Module], symbols: SymbolTable, warns_of_duplicates: bool, report: Report
    ) -> None:
        self.directory = directory
        self.modules = modules
        self.report = report
        self._symbols = symbols
        self._warns_of_duplicates = warns_of_duplicates
        self._lines: list[str] | None = None
        self._exported: list[tuple[str, Module]] | None = None

    def dependencies(self) -> bytes:
        """modules.dep"""
        return _joined(self._dependency_lines())

    def dependency_index(self) -> bytes:
        """modules.dep.bin"""
        lines = self._dependency_lines()
        return self._index(
            "modules.dep.bin",
            [(module.found.name, lines[module.index], module.index) for module in self.modules],
        )

    def _dependency_lines(self) -> list[str]:
        if self._lines is None:
            self._lines = [
                f"{module.found.listed_as}:{''.join([f' {needed.found.listed_as}' for needed in needs])}"
                for module, needs in zip(self.modules, all_needs(self.modules), strict=True)
            ]
        return self._lines

    def aliases(self) -> bytes:
        """modules.alias"""
        lines = ["# Aliases extracted from modules themselves."]
        for module in self.modules:
            lines += [f"alias {alias} {module.found.name}" for alias in module.facts.values("alias")]
        return _joined(lines)

    def alias_index(self) -> bytes:
        """modules.alias.bin"""
        entries = []
        for module in self.modules:
            name, index = module.found.name, module.index
            seen = set()
            for alias in module.facts.values("alias"):
                key = self._normalized(alias)
                if key is None:
                    continue
                entries.append((key, name, index))
                if self._warns_of_duplicates and key in seen:
                    self.report(WARNING, f"duplicate module alias:\n{key} {name}")
                seen.add(key)
        return self._index("modules.alias.bin", entries)

    def _normalized(self, alias: str) -> str | None:
        try:
            return normalized_alias(alias)
        except KmodError:
            self.report(WARNING, f"Unmatched bracket in {alias}")
            return None

    def soft_dependencies(self) -> bytes:
        """modules.softdep"""
        return self._tagged("# Soft dependencies extracted from modules themselves.", "softdep")

    def weak_dependencies(self) -> bytes:
        """modules.weakdep"""
        return self._tagged("# Weak dependencies extracted from modules themselves.", "weakdep")

    def _tagged(self, heading: str, tag: str) -> bytes:
        lines = [heading]
        for module in self.modules:
            lines += [f"{tag} {module.found.name} {text}" for text in module.facts.values(tag)]
        return _joined(lines)

    def symbols(self) -> bytes:
        """modules.symbols"""
        lines = ["# Aliases for symbols, used by symbol_request()."]
        lines += [f"alias symbol:{name} {module.found.name}" for name, module in self._exported_symbols()]
        return _joined(lines)

    def symbol_index(self) -> bytes:
        """modules.symbols.bin"""
        return self._index(
            "modules.symbols.bin",
            [(f"symbol:{name}", module.found.name, module.index) for name, module in self._exported_symbols()],
        )

    def _exported_symbols(self) -> list[tuple[str, Module]]:
        if self._exported is None:
            owners = self._symbols.owners
            self._exported = [
                (name.decode("utf-8", "surrogateescape"), owners[name])
                for name in in_hash_order(owners, SYMBOL_BUCKETS)
            ]
        return self._exported

    def builtin_index(self) -> bytes | None:
        """modules.builtin.bin; nothing at all where there is no modules.builtin"""
        data = self._read("modules.builtin")
        if data is None:
            return b""
        entries = []
        for line in pieces_of_lines(data, _LONGEST_LINE):
            text = line.partition(b"\0")[0].decode("utf-8", "surrogateescape")
            if not re.match("[A-Za-z]", text):
                self.report(ERROR, f"Invalid modules.builtin line: {text}")
                continue
            entries.append((module_name(text), "", 0))
        return self._index("modules.builtin.bin", entries)

    def builtin_alias_index(self) -> bytes | None:
        """modules.builtin.alias.bin; nothing at all where there is no modules.builtin.modinfo"""
        try:
            data = self._read("modules.builtin.modinfo", directory_is_empty=False)
        except IsADirectoryError:
            reason = os.strerror(errno.EINVAL)
            self.report(ERROR, f"Could not write index 'modules.builtin.alias.bin': {reason}")
            return None
        if data is None:
            return b""
        entries = []
        for entry in data.decode("utf-8", "surrogateescape").split("\0")[:-1]:
            name, _, rest = entry.partition(".")
            tag, equals, alias = rest.partition("=")
            if name and equals and tag == "alias" and alias:
                key = self._normalized(alias)
                if key is not None:
                    entries.append((key, name, 0))
        return self._index("modules.builtin.alias.bin", entries)

    def _read(self, name: str, directory_is_empty: bool = True) -> bytes | None:
        try:
            with open(f"{self.directory}/{name}", "rb") as stream:
                return stream.read()
        except IsADirectoryError:
            if directory_is_empty:
                return b""
            raise
        except OSError as error:
            self.report(WARNING, f"could not open {name} at {self.directory}: {error.strerror}")
            return None

    def device_names(self) -> bytes:
        """modules.devname"""
        lines = []
        for module in self.modules:
            if b"alias=devname:" not in module.facts.modinfo:
                continue
            name = module.found.name
            device, numbers = _device(module.facts.values("alias"))
            if numbers:
                lines.append(f"{name} {device} {numbers}")
            else:
                what = f"Module '{name}' has devname ({device}) but lacks major and minor information. Ignoring."
                self.report(ERROR, what)
        if lines:
            lines.insert(0, "# Device nodes to trigger on-demand module loading.")
        return _joined(lines)

    def _index(self, name: str, entries: Sequence[_Entry]) -> bytes:
        """An index without the keys that none can have, which kmod writes outside of its tables."""
        try:
            return index_bytes(entries)
        except KmodError:
            pass
        kept = []
        for entry in entries:
            if entry[0].isascii():
                kept.append(entry)
            else:
                self.report(WARNING, f"{entry[0]} is not ASCII and left out of {name}")
        return index_bytes(kept)


def _device(aliases: Iterable[str]) -> tuple[str, str]:
    """The device name among aliases, and its numbers as ``c10:200``; empty texts where there are none."""
    device: str | None = None
    numbers = ""
    for alias in aliases:
        match = _DEVICE_NUMBERS.match(alias)
        if alias.startswith("devname:"):
            device = alias.removeprefix("devname:")
        elif match is not None:
            numbers = f"{match[1][0]}{_unsigned(match[2])}:{_unsigned(match[3])}"
        if device is not None and numbers:
            break
    return device or "", numbers


def _unsigned(digits: str) -> int:
    """A number as scanf(3) stores it for ``%u``."""
    return max(min(int(digits), 2**64 - 1), -(2**64 - 1)) & 0xFFFFFFFF


def _joined(lines: Sequence[str]) -> bytes:
    return "".join([f"{line}\n" for line in lines]).encode("utf-8", "surrogateescape")


class OutputFile(NamedTuple):
    """One file of the database: its name, what makes its contents, and the kmod release that has it first."""

    name: str
    contents: Callable[[Database], bytes | None]
    since: int = 0

    @property
    def is_text(self) -> bool:
        """Whether the file is one for people, which ``-n`` shows."""
        return not self.name.endswith(".bin")


#: In the order of writing.
OUTPUT_FILES = (
    OutputFile("modules.dep", Database.dependencies),
    OutputFile("modules.dep.bin", Database.dependency_index),
    OutputFile("modules.alias", Database.aliases),
    OutputFile("modules.alias.bin", Database.alias_index),
    OutputFile("modules.softdep", Database.soft_dependencies),
    OutputFile("modules.weakdep", Database.weak_dependencies, since=33),
    OutputFile("modules.symbols", Database.symbols),
    OutputFile("modules.symbols.bin", Database.symbol_index),
    OutputFile("modules.builtin.bin", Database.builtin_index),
    OutputFile("modules.builtin.alias.bin", Database.builtin_alias_index),
    OutputFile("modules.devname", Database.device_names),
)


def output_files(kmod_version: int) -> list[OutputFile]:
    """The files that a release of kmod writes, by its number, in the order of writing."""
    return [file for file in OUTPUT_FILES if file.since <= kmod_version]
