# SPDX-License-Identifier: GPL-2.0-or-later
"""The outer parts of an ELF file: its header, its sections, and tables of integers in them."""

from __future__ import annotations

import errno
import mmap
import os
import stat
import struct
import sys
from array import array
from typing import NamedTuple

from modpost_py.core_messages import (
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
    ET_REL,
    SHN_XINDEX,
    SHT_NOBITS,
)
from modpost_py.errors import FileError, MalformedObjectError, NotElfError, ObjectFileError

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


class Layout(NamedTuple):
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
    32: Layout("HHIIIIIHHHHHH", 52, "10I", 16, ("I", 0), ("I", 4), ("I", 8), 12, 13, ("H", 14), "I", "i"),
    64: Layout("HHIQQQIHHHHHH", 64, "IIQQQQIIQQ", 24, ("I", 0), ("Q", 8), ("Q", 16), 4, 5, ("H", 6), "Q", "q"),
}


class ElfImage:
    """The header and the sections of one file; the attributes are those of :class:`modpost_py.ObjectFile`.

    Raises :class:`NotElfError` for what is no ELF file, :class:`MalformedObjectError` and
    :class:`ObjectFileError` for a damaged one.
    """

    __slots__ = (
        "_data",
        "_swap",
        "_view",
        "bits",
        "byteorder",
        "layout",
        "machine",
        "path",
        "prefix",
        "section_index",
        "sections",
        "type",
    )

    def __init__(self, path: str, data: bytes | mmap.mmap, only_relocatable: bool = False) -> None:
        self.path = path
        self._data = data
        self._view = memoryview(data)
        if len(data) < 52 or data[:4] != _MAGIC:
            raise NotElfError(path, "not an ELF file")
        self._read_sections(*self._read_header(only_relocatable))

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
        self.layout = _LAYOUTS[self.bits]
        if len(self._data) < self.layout.header_size:
            raise NotElfError(self.path, "not an ELF file")
        fields = struct.unpack_from(self.prefix + self.layout.header, self._data, 16)
        self.type, self.machine = fields[0], fields[1]
        if only_relocatable and self.type != ET_REL:
            raise MalformedObjectError(self.path, NOT_RELOCATABLE)
        return fields[5], fields[10], fields[11], fields[12]

    def _read_sections(self, offset: int, entry_size: int, count: int, names_index: int) -> None:
        layout, size = self.layout, len(self._data)
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
        sections = self.sections = self._named(headers, names_index)
        names = [section.name for section in sections]
        self.section_index = dict(zip(names, range(count), strict=True))
        if self.section_index[names[0]] == 0:
            del self.section_index[names[0]]
        modinfo = self.section_index.get(".modinfo", 0)
        if (
            max([section.offset for section in sections]) > size
            or sections[modinfo].type == SHT_NOBITS
            or names.count(".modinfo") > 1
        ):
            self._check_places()

    def _check_places(self) -> None:
        """Find the first section, but for section 0, that does not lie in the file though it should."""
        for section in self.sections[1:]:
            if section.type != SHT_NOBITS and section.offset > len(self._data):
                raise MalformedObjectError(
                    self.path, TRUNCATED_SECTION, offset=section.offset, header_size=self.layout.header_size
                )
            if section.type == SHT_NOBITS and section.name == ".modinfo":
                raise MalformedObjectError(self.path, NOBITS_MODINFO)

    def _named(self, headers: list[tuple[int, ...]], names_index: int) -> list[Section]:
        names_header = headers[names_index]
        start, length = names_header[4], names_header[5]
        if names_header[1] == SHT_NOBITS or start + length > len(self._data):
            raise ObjectFileError(self.path, "section name table lies outside the file")
        if max([header[0] for header in headers]) > length:
            raise ObjectFileError(self.path, "a section has its name outside the section name table")
        # One NUL more than the table has: the last name may lack it
        names = str(self._view[start : start + length], "latin-1") + "\0"
        end_of, make = names.find, Section._make
        return [make((names[header[0] : end_of("\0", header[0])], *header[1:])) for header in headers]

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
