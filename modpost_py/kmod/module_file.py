# SPDX-License-Identifier: GPL-2.0-or-later
"""One module file as kmod looks at it: what its ``.modinfo`` says, its symbol versions, its signature.

>>> module = ModuleFile.read("drivers/net/foo.ko.xz")                    # doctest: +SKIP
>>> module.value("license"), module.values("alias"), module.versions()   # doctest: +SKIP

Thousands of modules are read in one run, for the sake of one or two of their sections.  So the section headers are
decoded in one step and a section is found through the place of its name in the table of names; there is no object
a section.  :attr:`ModuleFile.symbols` and what else :class:`modpost_py.object_file.ObjectFile` knows is there for
who needs it, at its price.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING

from modpost_py.errors import FileError, ObjectFileError
from modpost_py.kmod.compression import (
    LARGEST_MODULE,
    LONGEST_MAGIC,
    DamagedModuleError,
    is_compressed,
    open_module,
    read_module,
    read_whole,
    uncompressed,
)
from modpost_py.kmod.errors import ModuleFileError

if TYPE_CHECKING:
    from modpost_py.kmod.signature import Signature
    from modpost_py.object_file import ObjectFile, SymbolTable

# The fields of the ELF header behind e_ident, and of a section header, by word size in bits and byte order:
#   type machine version entry phoff shoff flags ehsize phentsize phnum shentsize shnum shstrndx
#   name type flags addr offset size link info addralign entsize
_HEADERS = {
    (bits, order): struct.Struct(order + fields)
    for bits, fields in ((32, "16xHHIIIIIHHHHHH"), (64, "16xHHIQQQIHHHHHH"))
    for order in "<>"
}
_SECTIONS = {
    (bits, order): struct.Struct(order + fields) for bits, fields in ((32, "10I"), (64, "IIQQQQIIQQ")) for order in "<>"
}
_BITS = {1: 32, 2: 64}
_ORDERS = {1: "<", 2: ">"}
_LARGEST_HEADER = 64

# struct modversion_info: a CRC in a word, and a name in what is left of 64 bytes
_VERSION_SIZE = 64


class ModuleFile:
    """The contents of one module.

    ``path`` is the path as given, ``bits`` is 32 or 64, ``byteorder`` ``"little"`` or ``"big"``, ``prefix`` the
    matching prefix of ``struct`` formats, ``machine`` and ``type`` the ELF header's numbers (``e_machine``,
    ``e_type``).  Texts are decoded as UTF-8 with ``surrogateescape``.

    Raises :class:`DamagedModuleError` where kmod finds no sections: it is no ELF file, or its section headers or
    their names do not lie in the file.  A single section outside the file is as good as missing.
    """

    __slots__ = (
        "_data",
        "_descriptor",
        "_modinfo",
        "_names",
        "_object",
        "_sections",
        "_size",
        "bits",
        "byteorder",
        "machine",
        "path",
        "prefix",
        "type",
    )

    def __init__(self, path: str, data: bytes) -> None:
        self._descriptor = -1
        self._data: bytes | None = data
        self._start(path, data, len(data))

    @classmethod
    def read(cls, path: str) -> ModuleFile:
        """The module in a file, perhaps compressed, read wholly; raises as :func:`read_module` and the class."""
        return cls(path, read_module(path))

    @classmethod
    def opened(cls, path: str) -> ModuleFile:
        """The module in a file of which only those parts are read that are asked for: ``with ModuleFile.opened(...)``.

        Until :meth:`close`, or the end of the ``with`` block, it keeps the file open.  Raises what :meth:`read` does,
        the errors of reading later too.
        """
        descriptor, size = open_module(path)
        try:
            start = os.pread(descriptor, _LARGEST_HEADER, 0)
            if size < LONGEST_MAGIC or is_compressed(start):
                return cls(path, uncompressed(path, read_whole(descriptor, path, size)))
            module = cls.__new__(cls)
            module._descriptor = descriptor
            module._data = None
            module._start(path, start, size)
            descriptor = -1
            return module
        except OSError as error:
            raise FileError(path, error.errno or errno.EIO) from None
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def close(self) -> None:
        """Close the file of an :meth:`opened` module; what has not been read by then cannot be."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> ModuleFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _start(self, path: str, start: bytes, size: int) -> None:
        """Read the header from the first bytes, and the section headers that it tells of."""
        self.path = path
        self._size = size
        self._modinfo: list[str] | None = None
        self._object: ObjectFile | None = None
        if start[:4] != b"\x7fELF" or size <= 16:
            raise DamagedModuleError(path, "not an ELF file", errno.ENOEXEC)
        bits, prefix = _BITS.get(start[4]), _ORDERS.get(start[5])
        if bits is None or prefix is None:
            raise DamagedModuleError(path, "unknown ELF class or byte order")
        header = _HEADERS[bits, prefix]
        if size <= header.size or len(start) < header.size:
            raise DamagedModuleError(path, "the ELF header is cut off")
        self.bits = bits
        self.prefix = prefix
        self.byteorder = "little" if prefix == "<" else "big"
        fields = header.unpack_from(start)
        self.type, self.machine = fields[0], fields[1]
        self._read_sections(_SECTIONS[bits, prefix], *fields[5:6], *fields[10:])

    def _read_sections(self, header: struct.Struct, offset: int, entry_size: int, count: int, names: int) -> None:
        if entry_size != header.size:
            raise DamagedModuleError(self.path, f"section headers of {entry_size} bytes")
        length = count * entry_size
        if offset + length > self._size or names >= count:
            raise DamagedModuleError(self.path, "the section headers do not lie in the file")
        headers = self._sections = list(header.iter_unpack(self._piece(offset, length)))
        self._names = self._piece(headers[names][4], headers[names][5])
        if not self._names.endswith(b"\0"):
            raise DamagedModuleError(self.path, "the names of the sections do not lie in the file")

    def _piece(self, offset: int, size: int) -> bytes:
        """Some bytes of the file; none at all where it does not have all of them."""
        if offset + size > self._size:
            return b""
        if self._data is not None:
            return self._data[offset : offset + size]
        if size > LARGEST_MODULE:
            raise DamagedModuleError(self.path, f"a section has more than {LARGEST_MODULE} bytes")
        try:
            piece = os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise FileError(self.path, error.errno or errno.EIO) from None
        return piece if len(piece) == size else b""  # the file has become shorter meanwhile

    def tail(self, size: int) -> bytes:
        """The last bytes of the file, fewer where it is shorter."""
        size = min(size, self._size)
        return self._piece(self._size - size, size)

    @property
    def size(self) -> int:
        """The number of bytes of the module, uncompressed."""
        return self._size

    @property
    def data(self) -> bytes:
        """The whole uncompressed contents."""
        if self._data is None:
            self._data = read_whole(self._descriptor, self.path, self._size)
        return self._data

    def section_header(self, name: str) -> tuple[int, ...] | None:
        """The first section of a name that lies in the file, whatever its type, as the ten numbers of its header.

        They are ``sh_name sh_type sh_flags sh_addr sh_offset sh_size sh_link sh_info sh_addralign sh_entsize``.
        """
        wanted = name.encode("utf-8", "surrogateescape") + b"\0"
        names, size = self._names, self._size
        place = names.find(wanted)
        while place >= 0:
            for header in self._sections:
                if header[0] == place and header[4] + header[5] <= size:
                    return header
            # The same bytes can end the name of another section
            place = names.find(wanted, place + 1)
        return None

    def section_bytes(self, name: str) -> bytes | None:
        """The contents of a section as a copy; ``None`` where there is none."""
        header = self.section_header(name)
        if header is None:
            return None
        return self._piece(header[4], header[5])

    def section(self, name: str) -> memoryview | None:
        """The contents of the first section of a name that lies in the file; ``None`` where there is none."""
        header = self.section_header(name)
        if header is None:
            return None
        if self._data is None:
            return memoryview(self._piece(header[4], header[5]))
        return memoryview(self._data)[header[4] : header[4] + header[5]]

    def modinfo(self) -> list[str]:
        """What ``.modinfo`` says: ``tag=value`` texts in its order; empty where there is no such section."""
        if self._modinfo is None:
            section = (self.section_bytes(".modinfo") or b"").lstrip(b"\0")
            text = section.decode("utf-8", "surrogateescape") if len(section) > 1 else ""  # kmod passes over one byte
            self._modinfo = [entry for entry in text.split("\0") if entry]
        return self._modinfo

    def values(self, tag: str) -> list[str]:
        """The values of a tag of ``.modinfo``, in order."""
        start = tag + "="
        return [entry[len(start) :] for entry in self.modinfo() if entry.startswith(start)]

    def value(self, tag: str) -> str | None:
        """The first value of a tag of ``.modinfo``."""
        start = tag + "="
        for entry in self.modinfo():
            if entry.startswith(start):
                return entry[len(start) :]
        return None

    def versions(self) -> list[tuple[str, int]]:
        """The CRCs of the symbols that the module uses: (symbol, CRC), from ``__versions``.

        An entry has 64 bytes: the CRC in a word of the machine, and the name, ended by a NUL.  Raises
        :class:`DamagedModuleError` for a table that has no whole number of entries.
        """
        table = self.section_bytes("__versions") or b""
        if len(table) % _VERSION_SIZE:
            raise DamagedModuleError(self.path, "__versions has no whole number of entries")
        word = self.bits // 8
        entries = struct.iter_unpack(f"{self.prefix}{'IQ'[word == 8]}{_VERSION_SIZE - word}s", table)
        return [(name.partition(b"\0")[0].decode("utf-8", "surrogateescape"), crc) for crc, name in entries]

    def extended_versions(self) -> list[tuple[str, int]]:
        """The CRCs of the symbols that the module uses, from the tables that take names of any length.

        ``__version_ext_crcs`` has a CRC of 4 bytes each, ``__version_ext_names`` as many NUL-terminated names.
        Raises :class:`DamagedModuleError` where their numbers differ.
        """
        table = self.section_bytes("__version_ext_crcs") or b""
        names = (self.section_bytes("__version_ext_names") or b"").decode("utf-8", "surrogateescape").split("\0")
        if len(table) % 4 or names.pop() or len(names) != len(table) // 4:
            raise DamagedModuleError(self.path, "__version_ext_crcs and __version_ext_names do not fit together")
        return list(zip(names, struct.unpack(f"{self.prefix}{len(names)}I", table), strict=True))

    def signature(self) -> Signature | None:
        """The signature appended to the module; ``None`` where there is none that kmod can read."""
        from modpost_py.kmod.signature import Signature

        return Signature.of(self)

    @property
    def object_file(self) -> ObjectFile:
        """The whole object; raises :class:`ModuleFileError` for a damaged one."""
        if self._object is None:
            from modpost_py.object_file import ObjectFile

            try:
                self._object = ObjectFile(self.path, self.data)
            except ObjectFileError as error:
                raise ModuleFileError(self.path, error.what) from None
        return self._object

    @property
    def symbols(self) -> SymbolTable:
        """The symbol table; raises :class:`ModuleFileError` for a damaged one."""
        return self.object_file.symbols
