# SPDX-License-Identifier: GPL-2.0-or-later
"""Exported symbols read back from what a kernel ships: vmlinux, vmlinuz, System.map, modules.

An ELF file holds its exports in these sections; entries of a table and of its CRCs have the same order::

    __ksymtab, __ksymtab_gpl    an entry for each export: value, name, name space
                                either three 32-bit distances, each from the place where it stands (PREL32),
                                or three pointers; up to 5.3 two, without the name space
    __kcrctab, __kcrctab_gpl    32-bit CRCs; up to 5.18 they may be relocated against absolute __crc_ symbols
    __kflagstab                 7.x: one table __ksymtab for all, a byte for each entry, bit 0 is "GPL only"
    __ksymtab_strings           names and name spaces, each with a NUL

In a module the fields are empty and relocations tell what they refer to; in vmlinux they are filled in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from modpost_py.elf_constants import ET_REL, SHN_ABS, SHT_NOBITS, SHT_REL, SHT_RELA
from modpost_py.elf_image import ElfImage
from modpost_py.errors import FileError, ObjectFileError
from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.kernel_facts import VMLINUX, Offer
from modpost_py.object_file import FIRST_SPECIAL_SECTION, ObjectFile

_GPL_FLAG = 1
# Those of Rust have dots and dollars
_SYMBOL = re.compile(r"[A-Za-z_.$][\w.$]*", re.ASCII)
_ABSOLUTE = FIRST_SPECIAL_SECTION + (SHN_ABS & 0xFF)


class _Table(NamedTuple):
    """One table of exports: its section, that of its CRCs, and whether it is for GPL only (``None``: flags tell)."""

    entries: str
    crcs: str
    is_gpl: bool


_TABLES = (_Table("__ksymtab", "__kcrctab", False), _Table("__ksymtab_gpl", "__kcrctab_gpl", True))
_FLAGS = "__kflagstab"


class _Name(NamedTuple):
    """What the three fields of one entry say."""

    symbol: str
    namespace: str


def module_exports(module: ObjectFile, name: str) -> list[Offer]:
    """What a module exports, in the order of its tables; ``name`` is what to call it.

    CRCs are ``None`` where the module has none.  Raises :class:`ObjectFileError` for damaged tables.
    """
    return [offer for table in _TABLES for offer in _table_exports(module, table, name)]


def _table_exports(module: ObjectFile, table: _Table, name: str) -> Iterator[Offer]:
    index = module.section_index.get(table.entries)
    if index is None or not module.sections[index].size:
        return
    names = _related_names(module, index) if module.type == ET_REL else _linked_names(module, index)
    crcs = _crcs(module, table.crcs, len(names))
    flags = _section_bytes(module, _FLAGS)
    for number, entry in enumerate(names):
        is_gpl = table.is_gpl or (number < len(flags) and bool(flags[number] & _GPL_FLAG))
        yield Offer(entry.symbol, name, crcs[number], is_gpl, entry.namespace)


def _section_bytes(module: ObjectFile, name: str) -> memoryview:
    return module.section_data(module.section_index.get(name, 0))


# --- modules: relocations tell --------------------------------------------------------------


def _related_names(module: ObjectFile, table: int) -> list[_Name]:
    """The entries of a relocatable object: each field is what its relocation refers to."""
    fields = _relocated(module, table)
    size = module.sections[table].size
    places = sorted(fields)
    if not places or places[-1] >= size:
        raise ObjectFileError(module.path, f"section {table} ({module.section_name(table)}) has no relocations for it")
    width = min((after - before for before, after in pairwise(places)), default=4)
    names = []
    count = 3 if size % (3 * width) == 0 else 2
    for start in range(0, size, count * width):
        texts = [_text_at(module, fields.get(start + field * width)) for field in range(1, count)]
        if not texts[0]:
            raise ObjectFileError(module.path, f"entry at {start} of {module.section_name(table)} has no name")
        names.append(_Name(texts[0], texts[1] if count == 3 else ""))
    return names


def _relocated(module: ObjectFile, target: int) -> dict[int, tuple[int, int]]:
    """Offset in the section ``target`` -> section and offset in it that its relocation refers to."""
    places: dict[int, tuple[int, int]] = {}
    for index, section in enumerate(module.sections):
        if section.type not in (SHT_REL, SHT_RELA) or section.info != target:
            continue
        relocations = module.relocations(index)
        symbols = module.symbols
        addends: Sequence[int] | None = relocations.addend
        for number, (offset, symbol) in enumerate(zip(relocations.offset, relocations.symbol, strict=True)):
            if symbol >= symbols.count:
                raise ObjectFileError(module.path, f"a relocation of section {target} has no such symbol: {symbol}")
            addend = _word(module, target, offset) if addends is None else addends[number]
            places[offset] = symbols.section[symbol], symbols.value[symbol] + addend
    return places


def _word(module: ObjectFile, section: int, offset: int) -> int:
    data = module.section_data(section)[offset : offset + 4]
    return int.from_bytes(data, module.byteorder, signed=True)  # type: ignore[arg-type]


def _text_at(module: ObjectFile, place: tuple[int, int] | None) -> str:
    if place is None or place[0] >= len(module.sections):
        return ""
    return _text(module.section_data(place[0]), place[1])


def _text(data: memoryview | bytes, offset: int) -> str:
    if not 0 <= offset < len(data):
        return ""
    piece = bytes(data[offset : offset + 1024])
    return piece.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _crcs(module: ObjectFile, name: str, count: int) -> list[int | None]:
    """The CRCs beside a table of ``count`` entries."""
    index = module.section_index.get(name)
    if index is None:
        return [None] * count
    data = module.section_data(index)
    if len(data) < 4 * count:
        raise ObjectFileError(module.path, f"{name} has {len(data)} bytes for {count} exports")
    crcs: list[int | None] = [
        int.from_bytes(data[4 * number : 4 * number + 4], module.byteorder) for number in range(count)  # type: ignore[arg-type]
    ]
    if module.type == ET_REL:
        for offset, (section, value) in _relocated(module, index).items():
            if offset // 4 < count:
                is_value = section == _ABSOLUTE
                crcs[offset // 4] = (value if is_value else _word(module, section, value)) & 0xFFFFFFFF
    return crcs


# --- vmlinux: the fields are filled in ------------------------------------------------------


def _linked_names(image: ObjectFile | ElfImage, table: int) -> list[_Name]:
    """The entries of a linked image, in whichever form makes names of them."""
    section = image.sections[table]
    memory = _Memory(image)
    word = image.bits // 8
    # Pointers read as distances lead anywhere but to names
    for count, width, is_relative in ((3, 4, True), (3, word, False), (2, 4, True), (2, word, False)):
        names = list(_entries(memory, image.section_data(table), section.address, count, width, is_relative))
        if names and all(entry is not None and _SYMBOL.fullmatch(entry.symbol) for entry in names):
            return [entry for entry in names if entry is not None]
    raise ObjectFileError(image.path, f"{section.name}: its entries have a form that is not known")


def _entries(
    memory: _Memory, data: memoryview, address: int, count: int, width: int, is_relative: bool
) -> Iterator[_Name | None]:
    size = count * width
    if len(data) % size:
        return
    order = memory.byteorder
    for start in range(0, len(data), size):
        texts = []
        for field in range(1, count):
            offset = start + field * width
            value = int.from_bytes(data[offset : offset + width], order, signed=is_relative)  # type: ignore[arg-type]
            if is_relative and value:
                value += address + offset
            texts.append(memory.text(value) if value else "")
        if texts[0] is None or (count == 3 and texts[1] is None):
            yield None
            return
        yield _Name(texts[0], texts[1] or "" if count == 3 else "")


class _Memory:
    """The texts that entries may lead to, by address: those of their own section, where there is one."""

    def __init__(self, image: ObjectFile | ElfImage) -> None:
        self.byteorder = image.byteorder
        strings = image.section_index.get("__ksymtab_strings")
        order = range(1, len(image.sections)) if strings is None else [strings]
        self._sections = [
            (image.sections[index].address, image.section_data(index))
            for index in order
            if image.sections[index].type != SHT_NOBITS and image.sections[index].address
        ]

    def text(self, address: int) -> str | None:
        """The text at an address that lies in a section."""
        for start, data in self._sections:
            if start <= address < start + len(data):
                return _text(data, address - start)
        return None


def image_exports(image: ElfImage | ObjectFile) -> list[Offer]:
    """vmlinux's exports; works for stripped ones too.  Raises :class:`ObjectFileError` for damaged tables."""
    found: list[Offer] = []
    for table in _TABLES:
        index = image.section_index.get(table.entries)
        if index is None or not image.sections[index].size:
            continue
        names = _linked_names(image, index)
        crcs = _linked_crcs(image, table.crcs, len(names))
        flags = image.section_data(image.section_index.get(_FLAGS, 0))
        for number, entry in enumerate(names):
            is_gpl = table.is_gpl or (number < len(flags) and bool(flags[number] & _GPL_FLAG))
            found.append(Offer(entry.symbol, VMLINUX, crcs[number], is_gpl, entry.namespace))
    return found


def _linked_crcs(image: ElfImage | ObjectFile, name: str, count: int) -> list[int | None]:
    """CRCs, or where they are distances to CRCs (CONFIG_MODULE_REL_CRCS, up to 5.18) what those lead to."""
    index = image.section_index.get(name)
    if index is None:
        return [None] * count
    data = image.section_data(index)
    if len(data) < 4 * count:
        raise ObjectFileError(image.path, f"{name} has {len(data)} bytes for {count} exports")
    values = [_number(image, data, 4 * number) for number in range(count)]
    address = image.sections[index].address
    # Distances all lead into sections; of true CRCs some do not
    places = [address + 4 * number + value for number, value in enumerate(_signed(values))]
    relative = [_bytes_at(image, place) for place in places]
    if count >= _ENOUGH_CRCS and all(data is not None for data in relative):
        return [_number(image, data, 0) for data in relative if data is not None]
    return list(values)


_ENOUGH_CRCS = 16


def _number(image: ElfImage | ObjectFile, data: memoryview, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], image.byteorder)  # type: ignore[arg-type]


def _signed(values: Iterable[int]) -> list[int]:
    return [value - (value >> 31 << 32) for value in values]


def _bytes_at(image: ElfImage | ObjectFile, address: int) -> memoryview | None:
    """The four bytes at an address of an image."""
    for index, section in enumerate(image.sections):
        if section.type != SHT_NOBITS and 0 < section.address <= address < section.address + section.size - 3:
            start = address - section.address
            return image.section_data(index)[start : start + 4]
    return None


# --- System.map -----------------------------------------------------------------------------

# address type name
_MAP_LINE = re.compile(r"\s*([0-9a-fA-F]+) (.) (\S+)")
_KSYMTAB = "__ksymtab_"
_CRC = "__crc_"
_GPL_START, _GPL_END = "__start___ksymtab_gpl", "__stop___ksymtab_gpl"
_PLAIN_START = "__start___ksymtab"


def system_map_exports(path: str) -> list[Offer]:
    """The exports that a System.map lists: every ``__ksymtab_NAME``.

    Whether one is for GPL only tells its address (between ``__start___ksymtab_gpl`` and
    ``__stop___ksymtab_gpl``); its CRC is the value of an absolute ``__crc_NAME``, which kernels up to
    5.18 have.  Name spaces are never known.  Raises :class:`KmodError` where nothing is listed, as in the
    one-line file that Debian ships, and :class:`FileError`.
    """
    addresses: dict[str, int] = {}
    bounds: dict[str, int] = {}
    crcs: dict[str, int] = {}
    for address, kind, name in _map_lines(path):
        if name.startswith(_KSYMTAB):
            addresses[name[len(_KSYMTAB) :]] = address
        elif name.startswith(_CRC) and kind == "A":
            crcs[name[len(_CRC) :]] = address & 0xFFFFFFFF
        elif name.startswith(("__start___ksymtab", "__stop___ksymtab")):
            bounds[name] = address
    if not addresses:
        raise KmodError(f"{path}: lists no exports (no {_KSYMTAB}NAME symbols); give the vmlinux or vmlinuz instead")
    return [
        Offer(symbol, VMLINUX, crcs.get(symbol), _is_gpl(address, bounds), None)
        for symbol, address in sorted(addresses.items(), key=lambda item: item[1])
    ]


def _is_gpl(address: int, bounds: dict[str, int]) -> bool | None:
    start, end = bounds.get(_GPL_START), bounds.get(_GPL_END)
    return start <= address < end if start is not None and end is not None else None


def _map_lines(path: str) -> Iterable[tuple[int, str, str]]:
    try:
        text = Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise FileError(path, error.errno or 5) from None
    for number, line in enumerate(text.splitlines(), 1):
        match = _MAP_LINE.fullmatch(line.rstrip())
        if match is None:
            if not line.strip() or len(line.split(" ", 2)) == 3:
                continue  # Debian's stand-in has a sentence for a name
            raise KmodError(f"{path}:{number}: no line of a System.map (address, type, symbol)")
        yield int(match[1], 16), match[2], match[3]
