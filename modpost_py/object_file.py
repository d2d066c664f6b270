# SPDX-License-Identifier: GPL-2.0-or-later
"""Relocatable ELF objects of either word size and byte order, as modpost looks at them.

>>> object_file = ObjectFile.read("drivers/net/foo.o")          # doctest: +SKIP
>>> [section.name for section in object_file.sections]          # doctest: +SKIP
>>> object_file.symbols.name(5), object_file.symbols.value[5]   # doctest: +SKIP

A run may read thousands of objects, so tables are decoded column by column in one go: the
symbol table and each relocation section are *parallel columns* (``symbols.value[i]``,
``relocations.offset[j]``), not lists of entry objects.  All text is ``str`` decoded as
latin-1, that is one character a byte.
"""

from __future__ import annotations

import mmap
import os
from array import array
from collections.abc import Callable, Sequence

from modpost_py import elf_names
from modpost_py.core_messages import BAD_SYMTAB_SHNDX_LINK, NO_SYMTAB
from modpost_py.elf_constants import (
    EM_MIPS,
    ET_REL,
    SHN_LORESERVE,
    SHN_XINDEX,
    SHT_REL,
    SHT_RELA,
    SHT_SYMTAB,
    SHT_SYMTAB_SHNDX,
)
from modpost_py.elf_image import ElfImage, Section, map_file
from modpost_py.errors import MalformedObjectError, ObjectFileError

__all__ = ["FIRST_SPECIAL_SECTION", "ObjectFile", "Relocations", "Section", "SymbolTable", "map_file"]

#: Resolved section indices from here on are the special ones (absolute, common...).
FIRST_SPECIAL_SECTION = 0xFFFFFF00

# Longer texts are rare, and sections of texts large
_USUAL_TEXT = 256


class ObjectFile:
    """One object file, read wholly; see :meth:`read`.

    ``path`` is the path as given; ``bits`` is 32 or 64, ``byteorder`` ``"little"`` or
    ``"big"``, ``prefix`` the matching prefix of ``struct`` formats, ``machine`` and ``type``
    the ELF header's numbers.  ``sections`` are in header order, ``section_index`` tells the last
    section of a name, ``symbols`` is the symbol table.  ``section_data``, ``section_name`` and
    ``file_bytes`` are methods of :class:`modpost_py.elf_image.ElfImage`, ``file_size`` is in bytes.
    """

    __slots__ = (
        "_image",
        "bits",
        "byteorder",
        "file_bytes",
        "file_size",
        "machine",
        "path",
        "prefix",
        "section_data",
        "section_index",
        "section_name",
        "sections",
        "symbols",
        "type",
    )

    def __init__(self, path: str, data: bytes | mmap.mmap, only_relocatable: bool = False) -> None:
        image = self._image = ElfImage(path, data, only_relocatable)
        self.path = path
        self.bits = image.bits
        self.byteorder = image.byteorder
        self.prefix = image.prefix
        self.machine = image.machine
        self.type = image.type
        self.sections = image.sections
        self.section_index = image.section_index
        self.section_data = image.section_data
        self.section_name = image.section_name
        self.file_size = image.file_size
        self.file_bytes = image.file_bytes
        # The symbol table knows the image, not this object: no cycle keeps the bytes of a file alive
        self.symbols = _symbol_table(image)

    @classmethod
    def read(cls, path: str | os.PathLike[str], only_relocatable: bool = False) -> ObjectFile:
        """Read the object file at ``path``.

        Raises :class:`FileError` where the file cannot be opened, :class:`NotElfError` for a
        file that is no ELF object at all and :class:`MalformedObjectError` or
        :class:`ObjectFileError` for a damaged one.
        """
        text = os.fsencode(path).decode("latin-1")
        return cls(text, map_file(text), only_relocatable)

    @property
    def machine_name(self) -> str:
        """The name of ``machine``: ``EM_X86_64``, ``EM_AARCH64``..."""
        return elf_names.machine_name(self.machine)

    @property
    def type_name(self) -> str:
        """The name of ``type``: ``ET_REL``, ``ET_EXEC``, ``ET_DYN``..."""
        return elf_names.file_type_name(self.type)

    def relocations(self, index: int) -> Relocations:
        """The entries of the REL or RELA section ``index``; raises :class:`ObjectFileError` if it is cut off."""
        return Relocations(self._image, index)


def _symbol_table(image: ElfImage) -> SymbolTable:
    table = extended = None
    for index, section in enumerate(image.sections):
        if index and section.type == SHT_SYMTAB:
            table = index
        elif index and section.type == SHT_SYMTAB_SHNDX:
            extended = index
    if table is None:
        raise MalformedObjectError(image.path, NO_SYMTAB)
    section = image.sections[table]
    if extended is not None and image.sections[extended].link != table:
        link = image.sections[extended].link
        raise MalformedObjectError(image.path, BAD_SYMTAB_SHNDX_LINK, link=link, table=table)
    if section.link >= len(image.sections):
        raise ObjectFileError(image.path, f"symbol table has string table {section.link}, which is no section")
    entries = image.section_data(table)
    if len(entries) % image.layout.symbol_size:
        raise ObjectFileError(image.path, f"symbol table of {len(entries)} bytes has no whole number of entries")
    sections = image.column(image.section_data(extended), "I", 0, 4) if extended is not None else None
    return SymbolTable(image, entries, bytearray(image.section_data(section.link)), sections)


class SymbolTable:
    """The symbol table as parallel columns, with a string table that may be edited in place.

    ``name_offset``, ``value``, ``size``, ``info``, ``other`` are the fields of the entries and
    ``raw_section`` is ``st_shndx``.  ``section`` is the resolved section index: extended
    indices looked up, special ones mapped to :data:`FIRST_SPECIAL_SECTION` and above
    (``0xffff0000 + st_shndx``), so that every special one is larger than the section count.
    ``before_naming`` is called once, before the first name is looked up: a change of ``strings`` that
    was put off.
    """

    __slots__ = (
        "_extended",
        "_image",
        "_layout",
        "_section",
        "_size",
        "_value",
        "before_naming",
        "count",
        "entries",
        "info",
        "name_offset",
        "other",
        "raw_section",
        "strings",
    )

    def __init__(self, image: ElfImage, entries: memoryview, strings: bytearray, extended: array[int] | None) -> None:
        self._image = image
        layout = self._layout = image.layout
        step = layout.symbol_size
        self.entries = entries
        self.strings = strings
        self.before_naming: Callable[[SymbolTable], None] | None = None
        self.count = len(entries) // step
        self.name_offset = image.column(entries, *layout.symbol_name, step)
        self.raw_section = image.column(entries, *layout.symbol_section, step)
        self.info = entries[layout.symbol_info :: step].tobytes()
        self._extended = extended
        self._section: Sequence[int] | None = None
        self._value: array[int] | None = None
        self._size: array[int] | None = None
        if not strings or strings[-1]:
            raise ObjectFileError(image.path, "string table of the symbols does not end in NUL")
        if self.name_offset and max(self.name_offset) >= len(strings):
            raise ObjectFileError(image.path, "a symbol has its name outside the string table")

    @property
    def section(self) -> Sequence[int]:
        """The resolved section index of every symbol."""
        if self._section is None:
            self._section = self._resolved()
        return self._section

    def _resolved(self) -> Sequence[int]:
        raw, extended = self.raw_section, self._extended
        if not raw or max(raw) < SHN_LORESERVE:
            return raw
        if SHN_XINDEX in raw and (extended is None or len(extended) < self.count):
            raise ObjectFileError(self._image.path, "extended section indices are missing")
        return array(
            "L" if array("L").itemsize == 8 else "Q",
            [
                number
                if number < SHN_LORESERVE
                else (extended[index] if number == SHN_XINDEX and extended is not None else 0xFFFF0000 + number)
                for index, number in enumerate(raw)
            ],
        )

    @property
    def value(self) -> array[int]:
        """``st_value`` of every symbol: in a relocatable object the offset in its section."""
        if self._value is None:
            self._value = self._image.column(self.entries, *self._layout.symbol_value, self._layout.symbol_size)
        return self._value

    @property
    def size(self) -> array[int]:
        """``st_size`` of every symbol, in bytes."""
        if self._size is None:
            self._size = self._image.column(self.entries, *self._layout.symbol_bytes, self._layout.symbol_size)
        return self._size

    def name(self, index: int) -> str:
        """The name of symbol ``index`` as the string table holds it now."""
        if self.before_naming is not None:
            action, self.before_naming = self.before_naming, None
            action(self)
        start = self.name_offset[index]
        return self.strings[start : self.strings.index(0, start)].decode("latin-1")

    def binding(self, index: int) -> int:
        """``STB_LOCAL``, ``STB_GLOBAL``, ``STB_WEAK``..."""
        return self.info[index] >> 4

    def cut(self, offset: int) -> None:
        """End every name that runs over ``offset`` of the string table there."""
        self.strings[offset] = 0

    def type(self, index: int) -> int:
        """``STT_NOTYPE``, ``STT_OBJECT``, ``STT_FUNC``..."""
        return self.info[index] & 15

    def data_offset(self, index: int) -> int:
        """Where the data of a symbol lies in its section: ``st_value``, less the address if already linked."""
        image = self._image
        if image.type == ET_REL:
            return self.value[index]
        return self.value[index] - image.sections[self.section[index]].address

    def data(self, index: int, size: int | None = None) -> memoryview:
        """The bytes of symbol ``index``: ``size`` of them, ``st_size`` by default.

        Raises :class:`ObjectFileError` where they do not lie in the symbol's section.
        """
        image = self._image
        section = self.section[index]
        size = self.size[index] if size is None else size
        if section < len(image.sections):
            content = image.section_data(section)
            start = self.data_offset(index)
            if start >= 0 and start + size <= len(content):
                return content[start : start + size]
        raise ObjectFileError(image.path, f"symbol {index} ({self.name(index)}) lies outside its section")

    def text(self, index: int) -> str:
        """The NUL-terminated text at symbol ``index``; the end of the section ends it as well."""
        image = self._image
        section = self.section[index]
        start = self.data_offset(index) if section < len(image.sections) else -1
        content = image.section_data(section) if start >= 0 else image.section_data(0)
        if not 0 <= start <= len(content):
            raise ObjectFileError(image.path, f"symbol {index} ({self.name(index)}) lies outside its section")
        beginning = bytes(content[start : start + _USUAL_TEXT])
        if b"\0" not in beginning:
            beginning = bytes(content[start:])
        return beginning.split(b"\0", 1)[0].decode("latin-1")


class Relocations:
    """A REL or RELA section as parallel columns.

    ``target`` is the index of the section to which the relocations apply (``sh_info``),
    ``symbol``, ``offset``, ``type`` and ``addend`` are decoded when asked for; ``addend`` is
    ``None`` for REL.  ``MIPS64`` keeps symbol and type at places of its own in ``r_info``.
    """

    __slots__ = ("_entries", "_image", "_step", "count", "has_addends", "target")

    def __init__(self, image: ElfImage, index: int) -> None:
        section = image.sections[index]
        if section.type not in (SHT_REL, SHT_RELA):
            raise ValueError(f"section {index} holds no relocations")
        self.has_addends = section.type == SHT_RELA
        self.target = section.info
        self._image = image
        self._step = (3 if self.has_addends else 2) * image.bits // 8
        self._entries = image.section_data(index)
        if len(self._entries) % self._step:
            what = f"section {index} ({section.name}) of {len(self._entries)} bytes has no whole number of entries"
            raise ObjectFileError(image.path, what)
        self.count = len(self._entries) // self._step

    @property
    def offset(self) -> array[int]:
        """``r_offset``: the place in the target section."""
        return self._image.column(self._entries, "I" if self._image.bits == 32 else "Q", 0, self._step)

    @property
    def symbol(self) -> Sequence[int]:
        """The symbol index of every entry."""
        image = self._image
        if image.bits == 32:
            return [info >> 8 for info in image.column(self._entries, "I", 4, self._step)]
        high_first = image.byteorder == "big" or image.machine == EM_MIPS
        return image.column(self._entries, "I", 8 if high_first else 12, self._step)

    @property
    def type(self) -> Sequence[int]:
        """The relocation type of every entry."""
        image = self._image
        if image.bits == 32:
            return self._entries[4 if image.byteorder == "little" else 7 :: self._step].tobytes()
        if image.machine == EM_MIPS:
            return self._entries[15 :: self._step].tobytes()
        return image.column(self._entries, "I", 8 if image.byteorder == "little" else 12, self._step)

    @property
    def addend(self) -> array[int] | None:
        """``r_addend``, signed; ``None`` for REL, whose addends lie in the target section."""
        if not self.has_addends:
            return None
        width = self._image.bits // 8
        return self._image.column(self._entries, "i" if width == 4 else "q", 2 * width, self._step)
