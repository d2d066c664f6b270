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

import errno
import mmap
import os
import stat
import struct
import sys
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from modpost_py.core_messages import (
    BAD_SYMTAB_SHNDX_LINK,
    NO_SYMTAB,
    NOBITS_MODINFO,
    NOT_RELOCATABLE,
    SECTION_HEADERS_OUTSIDE,
    TRUNCATED_SECTION,
    UNKNOWN_BYTE_ORDER,
)
from modpost_py.elf_constants import (
    ELFCLASS32,
    ELFCLASS64,
    ELFDATA2LSB,
    ELFDATA2MSB,
    EM_MIPS,
    ET_REL,
    SHN_LORESERVE,
    SHN_XINDEX,
    SHT_NOBITS,
    SHT_REL,
    SHT_RELA,
    SHT_SYMTAB,
    SHT_SYMTAB_SHNDX,
)
from modpost_py.errors import FileError, MalformedObjectError, NotElfError, ObjectFileError

#: Resolved section indices from here on are the special ones (absolute, common...).
FIRST_SPECIAL_SECTION = 0xFFFFFF00

_MAGIC = b"\x7fELF"
_LARGEST_READ = 8 << 20  # larger files are mapped: a built-in vmlinux.o has hundreds of megabytes


class Section(NamedTuple):
    """One section header with its name resolved; ``sh_`` fields of the ELF specification."""

    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


class _Layout(NamedTuple):
    """Where the fields of headers and tables lie, for one ELF class."""

    # e_ident is followed by type machine version entry phoff shoff flags ehsize phentsize phnum
    # shentsize shnum shstrndx
    header: str
    header_size: int
    section: str
    symbol_size: int
    # typecode, byte offset in an entry
    symbol_name: tuple[str, int]
    symbol_value: tuple[str, int]
    symbol_bytes: tuple[str, int]
    symbol_info: int
    symbol_other: int
    symbol_section: tuple[str, int]
    word: str
    addend: str


_LAYOUTS = {
    32: _Layout("HHIIIIIHHHHHH", 52, "10I", 16, ("I", 0), ("I", 4), ("I", 8), 12, 13, ("H", 14), "I", "i"),
    64: _Layout("HHIQQQIHHHHHH", 64, "IIQQQQIIQQ", 24, ("I", 0), ("Q", 8), ("Q", 16), 4, 5, ("H", 6), "Q", "q"),
}


class ObjectFile:
    """One object file, read wholly; see :meth:`read`.

    ``path`` is the path as given; ``bits`` is 32 or 64, ``byteorder`` ``"little"`` or
    ``"big"``, ``prefix`` the matching prefix of ``struct`` formats, ``machine`` and ``type``
    the ELF header's numbers.  ``sections`` are in header order, ``symbols`` is the symbol
    table, ``modinfo``, ``export_symbol`` and ``no_trim_symbol`` are the indices of those
    sections (the last of equal names) or ``None``.
    """

    __slots__ = (
        "_data",
        "_layout",
        "_swap",
        "_view",
        "bits",
        "byteorder",
        "machine",
        "path",
        "prefix",
        "section_index",
        "sections",
        "symbols",
        "type",
    )

    def __init__(self, path: str, data: bytes | mmap.mmap, only_relocatable: bool = False) -> None:
        self.path = path
        self._data = data
        self._view = memoryview(data)
        if len(data) < 52 or data[:4] != _MAGIC:
            raise NotElfError(path, "not an ELF file")
        header = self._read_header(only_relocatable)
        self._read_sections(*header)
        self.symbols = self._read_symbols()

    @classmethod
    def read(cls, path: str | os.PathLike[str], only_relocatable: bool = False) -> ObjectFile:
        """Read the object file at ``path``.

        Raises :class:`FileError` where the file cannot be opened, :class:`NotElfError` for a
        file that is no ELF object at all and :class:`MalformedObjectError` or
        :class:`ObjectFileError` for a damaged one.
        """
        text = os.fsencode(path).decode("latin-1")
        return cls(text, map_file(text), only_relocatable)

    def _read_header(self, only_relocatable: bool) -> tuple[int, int, int, int]:
        """Returns e_shoff, e_shentsize, e_shnum, e_shstrndx."""
        class_, byteorder = self._data[4], self._data[5]
        if class_ not in (ELFCLASS32, ELFCLASS64):
            raise ObjectFileError(self.path, f"unknown ELF class {class_}")
        if byteorder not in (ELFDATA2LSB, ELFDATA2MSB):
            raise MalformedObjectError(self.path, UNKNOWN_BYTE_ORDER)
        self.bits = 32 if class_ == ELFCLASS32 else 64
        self.byteorder = "little" if byteorder == ELFDATA2LSB else "big"
        self.prefix = "<" if byteorder == ELFDATA2LSB else ">"
        self._swap = self.byteorder != sys.byteorder
        self._layout = _LAYOUTS[self.bits]
        if len(self._data) < self._layout.header_size:
            raise NotElfError(self.path, "not an ELF file")
        fields = struct.unpack_from(self.prefix + self._layout.header, self._data, 16)
        self.type, self.machine = fields[0], fields[1]
        if only_relocatable and self.type != ET_REL:
            raise MalformedObjectError(self.path, NOT_RELOCATABLE)
        return fields[5], fields[10], fields[11], fields[12]

    def _read_sections(self, offset: int, entry_size: int, count: int, names_index: int) -> None:
        layout, size = self._layout, len(self._data)
        if offset > size:
            raise MalformedObjectError(self.path, SECTION_HEADERS_OUTSIDE, offset=offset, size=size)
        header = struct.Struct(self.prefix + layout.section)
        if count == 0 or names_index == SHN_XINDEX:  # more than 0xff00 sections: section 0 has the numbers
            if offset + header.size > size:
                raise ObjectFileError(self.path, "section header table lies outside the file")
            first = header.unpack_from(self._data, offset)
            count = count or first[5]
            names_index = first[6] if names_index == SHN_XINDEX else names_index
        end = offset + count * header.size
        if end > size:
            raise ObjectFileError(self.path, f"{count} section headers at offset {offset} reach beyond the end of file")
        headers = list(header.iter_unpack(self._view[offset:end]))
        if names_index >= count:
            raise ObjectFileError(self.path, f"section name table has index {names_index} of {count} sections")
        self.sections = self._named(headers, names_index)
        self.section_index: dict[str, int] = {}
        sections = self.sections
        for index in range(1, count):
            section = sections[index]
            if section.type != SHT_NOBITS and section.offset > size:
                raise MalformedObjectError(
                    self.path, TRUNCATED_SECTION, offset=section.offset, header_size=layout.header_size
                )
            if section.type == SHT_NOBITS and section.name == ".modinfo":
                raise MalformedObjectError(self.path, NOBITS_MODINFO)
            self.section_index[section.name] = index

    def _named(self, headers: list[tuple[int, ...]], names_index: int) -> list[Section]:
        names_header = headers[names_index]
        start, length = names_header[4], names_header[5]
        if names_header[1] == SHT_NOBITS or start + length > len(self._data):
            raise ObjectFileError(self.path, "section name table lies outside the file")
        # One NUL more than the table has: the last name may lack it
        names = bytes(self._view[start : start + length]) + b"\0"
        find, make = names.find, Section._make
        if headers and max(header[0] for header in headers) > length:
            raise ObjectFileError(self.path, "a section has its name outside the section name table")
        return [make((names[header[0] : find(b"\0", header[0])].decode("latin-1"), *header[1:])) for header in headers]

    def _read_symbols(self) -> SymbolTable:
        table = extended = None
        for index, section in enumerate(self.sections):
            if index and section.type == SHT_SYMTAB:
                table = index
            elif index and section.type == SHT_SYMTAB_SHNDX:
                extended = index
        if table is None:
            raise MalformedObjectError(self.path, NO_SYMTAB)
        section = self.sections[table]
        if extended is not None and self.sections[extended].link != table:
            link = self.sections[extended].link
            raise MalformedObjectError(self.path, BAD_SYMTAB_SHNDX_LINK, link=link, table=table)
        if section.link >= len(self.sections):
            raise ObjectFileError(self.path, f"symbol table has string table {section.link}, which is no section")
        entries = self.section_data(table)
        if len(entries) % self._layout.symbol_size:
            raise ObjectFileError(self.path, f"symbol table of {len(entries)} bytes has no whole number of entries")
        sections = self.column(self.section_data(extended), "I", 0, 4) if extended is not None else None
        return SymbolTable(self, entries, bytearray(self.section_data(section.link)), sections)

    def section_data(self, index: int) -> memoryview:
        """The bytes of a section; empty for NOBITS.

        Raises :class:`ObjectFileError` for a section that reaches beyond the end of the file.
        """
        section = self.sections[index]
        if section.type == SHT_NOBITS:
            return self._view[:0]
        end = section.offset + section.size
        if end > len(self._view):
            what = f"section {index} ({section.name}) reaches beyond the end of the file"
            raise ObjectFileError(self.path, what)
        return self._view[section.offset : end]

    @property
    def file_size(self) -> int:
        """The size of the whole file in bytes."""
        return len(self._view)

    def file_bytes(self, offset: int, size: int) -> bytes:
        """``size`` bytes of the file from ``offset`` on, whatever lies there; zeros where it has no more."""
        start = max(offset, 0)
        return bytes(self._view[start : start + size]).ljust(size, b"\0")

    def section_name(self, index: int) -> str:
        """The name of a section; empty for an index outside the section table."""
        return self.sections[index].name if index < len(self.sections) else ""

    def column(self, data: memoryview, typecode: str, offset: int, step: int) -> array[int]:
        """One field of every entry of a table: the integers at ``offset``, ``offset + step``...

        ``typecode`` is that of ``array``: ``H``, ``I`` or ``Q`` for 2, 4 or 8 bytes, ``i`` and
        ``q`` for the signed ones; ``data`` must have a whole number of entries.
        """
        values = array(typecode)
        width = values.itemsize
        view = data.cast(typecode)  # type: ignore[call-overload]  # its stub knows literal typecodes only
        if step == width and not offset:
            values.frombytes(data)
        else:
            values.frombytes(view[offset // width :: step // width].tobytes())
        if self._swap:
            values.byteswap()
        return values

    def relocations(self, index: int) -> Relocations:
        """The entries of the REL or RELA section ``index``; raises :class:`ObjectFileError` if it is cut off."""
        return Relocations(self, index)


class SymbolTable:
    """The symbol table as parallel columns, with a string table that may be edited in place.

    ``name_offset``, ``value``, ``size``, ``info``, ``other`` are the fields of the entries and
    ``raw_section`` is ``st_shndx``.  ``section`` is the resolved section index: extended
    indices looked up, special ones mapped to :data:`FIRST_SPECIAL_SECTION` and above
    (``0xffff0000 + st_shndx``), so that every special one is larger than the section count.
    """

    __slots__ = (
        "_extended",
        "_layout",
        "_object_file",
        "_section",
        "_size",
        "_value",
        "count",
        "entries",
        "info",
        "name_offset",
        "other",
        "raw_section",
        "strings",
    )

    def __init__(
        self, object_file: ObjectFile, entries: memoryview, strings: bytearray, extended: array[int] | None
    ) -> None:
        self._object_file = object_file
        layout = self._layout = object_file._layout
        step = layout.symbol_size
        self.entries = entries
        self.strings = strings
        self.count = len(entries) // step
        self.name_offset = object_file.column(entries, *layout.symbol_name, step)
        self.raw_section = object_file.column(entries, *layout.symbol_section, step)
        self.info = entries[layout.symbol_info :: step].tobytes()
        self._extended = extended
        self._section: Sequence[int] | None = None
        self._value: array[int] | None = None
        self._size: array[int] | None = None
        if not strings or strings[-1]:
            raise ObjectFileError(object_file.path, "string table of the symbols does not end in NUL")
        if self.name_offset and max(self.name_offset) >= len(strings):
            raise ObjectFileError(object_file.path, "a symbol has its name outside the string table")

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
            raise ObjectFileError(self._object_file.path, "extended section indices are missing")
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
            self._value = self._object_file.column(self.entries, *self._layout.symbol_value, self._layout.symbol_size)
        return self._value

    @property
    def size(self) -> array[int]:
        """``st_size`` of every symbol, in bytes."""
        if self._size is None:
            self._size = self._object_file.column(self.entries, *self._layout.symbol_bytes, self._layout.symbol_size)
        return self._size

    def name(self, index: int) -> str:
        """The name of symbol ``index`` as the string table holds it now."""
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
        object_file = self._object_file
        if object_file.type == ET_REL:
            return self.value[index]
        return self.value[index] - object_file.sections[self.section[index]].address

    def data(self, index: int, size: int | None = None) -> memoryview:
        """The bytes of symbol ``index``: ``size`` of them, ``st_size`` by default.

        Raises :class:`ObjectFileError` where they do not lie in the symbol's section.
        """
        object_file = self._object_file
        section = self.section[index]
        size = self.size[index] if size is None else size
        if section < len(object_file.sections):
            content = object_file.section_data(section)
            start = self.data_offset(index)
            if start >= 0 and start + size <= len(content):
                return content[start : start + size]
        raise ObjectFileError(object_file.path, f"symbol {index} ({self.name(index)}) lies outside its section")

    def text(self, index: int) -> str:
        """The NUL-terminated text at symbol ``index``; the end of the section ends it as well."""
        object_file = self._object_file
        section = self.section[index]
        start = self.data_offset(index) if section < len(object_file.sections) else -1
        content = object_file.section_data(section) if start >= 0 else object_file.section_data(0)
        if not 0 <= start <= len(content):
            raise ObjectFileError(object_file.path, f"symbol {index} ({self.name(index)}) lies outside its section")
        return bytes(content[start:]).split(b"\0", 1)[0].decode("latin-1")


class Relocations:
    """A REL or RELA section as parallel columns.

    ``target`` is the index of the section to which the relocations apply (``sh_info``),
    ``symbol``, ``offset``, ``type`` and ``addend`` are decoded when asked for; ``addend`` is
    ``None`` for REL.  ``MIPS64`` keeps symbol and type at places of its own in ``r_info``.
    """

    __slots__ = ("_entries", "_object_file", "_step", "count", "has_addends", "target")

    def __init__(self, object_file: ObjectFile, index: int) -> None:
        section = object_file.sections[index]
        if section.type not in (SHT_REL, SHT_RELA):
            raise ValueError(f"section {index} holds no relocations")
        self.has_addends = section.type == SHT_RELA
        self.target = section.info
        self._object_file = object_file
        self._step = (3 if self.has_addends else 2) * object_file.bits // 8
        self._entries = object_file.section_data(index)
        if len(self._entries) % self._step:
            what = f"section {index} ({section.name}) of {len(self._entries)} bytes has no whole number of entries"
            raise ObjectFileError(object_file.path, what)
        self.count = len(self._entries) // self._step

    @property
    def offset(self) -> array[int]:
        """``r_offset``: the place in the target section."""
        return self._object_file.column(self._entries, "I" if self._object_file.bits == 32 else "Q", 0, self._step)

    @property
    def symbol(self) -> Sequence[int]:
        """The symbol index of every entry."""
        object_file = self._object_file
        if object_file.bits == 32:
            return [info >> 8 for info in object_file.column(self._entries, "I", 4, self._step)]
        high_first = object_file.byteorder == "big" or object_file.machine == EM_MIPS
        return object_file.column(self._entries, "I", 8 if high_first else 12, self._step)

    @property
    def type(self) -> Sequence[int]:
        """The relocation type of every entry."""
        object_file = self._object_file
        if object_file.bits == 32:
            return self._entries[4 if object_file.byteorder == "little" else 7 :: self._step].tobytes()
        if object_file.machine == EM_MIPS:
            return self._entries[15 :: self._step].tobytes()
        return object_file.column(self._entries, "I", 8 if object_file.byteorder == "little" else 12, self._step)

    @property
    def addend(self) -> array[int] | None:
        """``r_addend``, signed; ``None`` for REL, whose addends lie in the target section."""
        if not self.has_addends:
            return None
        width = self._object_file.bits // 8
        return self._object_file.column(self._entries, "i" if width == 4 else "q", 2 * width, self._step)


def map_file(path: str) -> bytes | mmap.mmap:
    """The contents of a regular file; ``path`` is latin-1 text.

    Raises :class:`FileError` with the errors that mmap(2) gives for what cannot be mapped: an
    empty file is an invalid argument, a directory no such device.
    """
    try:
        descriptor = os.open(path.encode("latin-1"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise FileError(path, error.errno or errno.EIO) from None
    except ValueError:  # a NUL in the path: the C tool sees the text before it
        raise FileError(path, errno.ENOENT) from None
    try:
        status = os.fstat(descriptor)
        if status.st_size == 0:
            raise FileError(path, errno.EINVAL)
        if not stat.S_ISREG(status.st_mode):
            raise FileError(path, errno.ENODEV)
        if status.st_size > _LARGEST_READ:
            return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        return os.read(descriptor, status.st_size)
    except OSError as error:
        raise FileError(path, error.errno or errno.EIO) from None
    finally:
        os.close(descriptor)
