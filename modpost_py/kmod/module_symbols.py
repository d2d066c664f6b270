# SPDX-License-Identifier: GPL-2.0-or-later
"""What a built module offers and what it needs, as kmod finds it in the module's sections.

Offered are the symbols with a CRC, told by the names in the symbol table (``__crc_foo`` for ``foo``); in a module
without any, all names in ``__ksymtab_strings``.  The latter holds the name spaces too, so that kmod takes them for
symbols.  Needed are the undefined symbols, and what else has an entry in ``__versions``: ``module_layout``.

>>> module = ModuleFile.read("drivers/net/foo.ko")          # doctest: +SKIP
>>> exports(module)                                         # doctest: +SKIP
[('foo_register', 3519112061)]
>>> undefined(module)                                       # doctest: +SKIP
[('printk', False), ('module_layout', False)]
"""

from __future__ import annotations

import re
import struct
import sys
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from modpost_py.elf_constants import EM_SPARC, EM_SPARCV9, SHN_ABS, SHN_UNDEF, STB_WEAK, STT_SPARC_REGISTER
from modpost_py.kmod.module_file import ModuleFile

_CRC_PREFIX = b"__crc_"
_CRC_NAME = re.compile(rb"__crc_")

# struct modversion_info: a CRC in a word of the machine, and a name in what is left of 64 bytes
_VERSION_SIZE = 64

# A CRC said to lie outside the file
_NO_CRC = 2**64 - 1
_NUL_RUN = re.compile(rb"[^\0]+")


class NeededSymbols(NamedTuple):
    """The symbols that a module does not have itself, as columns in kmod's order.

    ``crcs`` are those that the module expects, 0 where it expects none; ``weak`` are the positions of those that it
    can do without.
    """

    names: list[bytes]
    crcs: list[int]
    weak: list[int]


_NOTHING_NEEDED = NeededSymbols([], [], [])


class _SymbolColumns:
    """``.symtab`` as columns, and ``.strtab``; :attr:`is_readable` tells whether kmod would go through them."""

    __slots__ = ("_info", "_prefix", "_table", "_wide", "is_readable", "name_offsets", "sections", "strings")

    def __init__(self, module: ModuleFile) -> None:
        strings = module.section_bytes(".strtab")
        table = module.section_bytes(".symtab")
        self._wide = module.bits == 64
        self._prefix = module.prefix
        self.is_readable = False
        if strings is None or table is None or len(table) % (24 if self._wide else 16):
            return
        # A last name that is not ended ends with the section
        self.strings = strings + b"\0"
        self._table = table
        self.name_offsets = self._column("I", 0)
        self.sections = self._column("H", 6 if self._wide else 14)
        self.is_readable = max(self.name_offsets[1:], default=-1) < len(strings)

    def _column(self, code: str, offset: int) -> Sequence[int]:
        """The field of each entry that begins at ``offset``, all fields before it being as wide."""
        width = 4 if code == "I" else 2
        numbers = array(code, self._table)
        if self._prefix != _NATIVE_PREFIX:
            numbers.byteswap()
        return numbers[offset // width :: (24 if self._wide else 16) // width].tolist()

    def info(self) -> bytes:
        """The column ``st_info``: binding and type."""
        return self._table[4::24] if self._wide else self._table[12::16]

    def value(self, index: int) -> int:
        """``st_value``."""
        if self._wide:
            return int(struct.unpack_from(f"{self._prefix}Q", self._table, 24 * index + 8)[0])
        return int(struct.unpack_from(f"{self._prefix}I", self._table, 16 * index + 4)[0])

    def name(self, index: int) -> bytes:
        strings = self.strings
        start = self.name_offsets[index]
        return strings[start : strings.index(0, start)]


_NATIVE_PREFIX = "<" if sys.byteorder == "little" else ">"


def symbols_of(module: ModuleFile) -> tuple[list[tuple[bytes, int]] | None, NeededSymbols]:
    """What :func:`exports` and :func:`undefined` tell, in one look at the symbol table and as bytes, with CRCs.

    The exports are ``None`` for a module that has no place for any (neither symbols nor ``__ksymtab_strings``).
    """
    columns = _SymbolColumns(module)
    exported = _crcs(module, columns) if columns.is_readable else []
    return exported or _ksymtab_strings(module), _needed(module, columns) if columns.is_readable else _NOTHING_NEEDED


def exports(module: ModuleFile) -> list[tuple[str, int | None]]:
    """The exported symbols with their CRCs, in the order of the symbol table; ``None`` where there is no CRC.

    Raises FileError and ModuleFileError as the reading of sections does.
    """
    columns = _SymbolColumns(module)
    found = _crcs(module, columns) if columns.is_readable else []
    if found:
        return [(_text(name), crc) for name, crc in found]
    return [(_text(name), None) for name, _ in _ksymtab_strings(module) or ()]


def undefined(module: ModuleFile) -> list[tuple[str, bool]]:
    """The symbols that the module needs, and whether each is weak: it can do without.

    In the order of the symbol table, then those that only ``__versions`` has.  Empty for a module whose tables
    are damaged.  Raises FileError and ModuleFileError as the reading of sections does.
    """
    columns = _SymbolColumns(module)
    if not columns.is_readable:
        return []
    needed = _needed(module, columns)
    weak = set(needed.weak)
    return [(_text(name), index in weak) for index, name in enumerate(needed.names)]


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _crcs(module: ModuleFile, columns: _SymbolColumns) -> list[tuple[bytes, int]]:
    """The symbols named ``__crc_...``, without that prefix, and their CRCs."""
    places = {found.start() for found in _CRC_NAME.finditer(columns.strings)}
    if not places:
        return []
    starts = _SectionStarts(module)
    crcs = []
    for index, offset in enumerate(columns.name_offsets):
        if offset in places and index:
            crc = columns.value(index)
            section = columns.sections[index]
            if section not in (SHN_ABS, SHN_UNDEF):
                crc = _stored_crc(module, starts[section] + crc)
            crcs.append((columns.name(index)[len(_CRC_PREFIX) :], crc))
    return crcs


class _SectionStarts(dict[int, int]):
    """Where sections begin in the file, by index; one that there is not begins far outside."""

    def __init__(self, module: ModuleFile) -> None:
        super().__init__()
        self._module = module

    def __missing__(self, section: int) -> int:
        module = self._module
        wide = module.bits == 64
        headers, count = struct.unpack_from(module.prefix + ("40xQ12xH" if wide else "32xI12xH"), module.data)
        start = _NO_CRC
        if section < count:
            place = headers + section * (64 if wide else 40) + (24 if wide else 16)
            start = struct.unpack_from(module.prefix + ("Q" if wide else "I"), module.data, place)[0]
        self[section] = start
        return start


def _stored_crc(module: ModuleFile, start: int) -> int:
    """The CRC that lies at an offset of the file."""
    if start + 4 > module.size:
        return _NO_CRC
    return int(struct.unpack_from(f"{module.prefix}I", module.data, start)[0])


def _ksymtab_strings(module: ModuleFile) -> list[tuple[bytes, int]] | None:
    strings = module.section_bytes("__ksymtab_strings")
    if strings is None:
        return None
    return [(found[0], 0) for found in _NUL_RUN.finditer(strings)]


def _needed(module: ModuleFile, columns: _SymbolColumns) -> NeededSymbols:
    versions = _versions(module)
    if versions is None:
        return _NOTHING_NEEDED
    strings, offsets, info = columns.strings, columns.name_offsets, columns.info()
    places = _zeros(columns.sections)
    if module.machine in (EM_SPARC, EM_SPARCV9):
        places = [index for index in places if info[index] & 15 != STT_SPARC_REGISTER]
    places = [index for index in places if strings[offsets[index]]]
    end = strings.index
    names = [strings[start : end(0, start)] for start in map(offsets.__getitem__, places)]
    weak = [position for position, index in enumerate(places) if info[index] >> 4 == STB_WEAK]
    seen = set(names)
    names += [name for name in versions if name not in seen]
    return NeededSymbols(names, [versions.get(name, 0) for name in names], weak)


def _zeros(column: Sequence[int]) -> list[int]:
    """Where a column is 0, less its first entry."""
    places = []
    index = 0
    try:
        while True:
            index = column.index(0, index + 1)
            places.append(index)
    except ValueError:
        return places


def _versions(module: ModuleFile) -> dict[bytes, int] | None:
    """The CRCs of ``__versions`` by symbol, the first of each; ``None`` for a table that is cut off."""
    table = module.section_bytes("__versions")
    if table is None:
        return {}
    if len(table) % _VERSION_SIZE:
        return None
    word = module.bits // 8
    entries = struct.iter_unpack(f"{module.prefix}{'IQ'[word == 8]}{_VERSION_SIZE - word}s", table)
    pairs = [(name.partition(b"\0")[0], crc) for crc, name in entries]
    crcs = dict(pairs)
    if len(crcs) < len(pairs):
        pairs.reverse()
        last = dict(pairs)
        crcs = {name: last[name] for name in crcs}
    return crcs
