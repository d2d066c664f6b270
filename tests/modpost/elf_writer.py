# SPDX-License-Identifier: GPL-2.0-or-later
"""A tiny ELF writer: relocatable objects of both classes and byte orders for the tests.

Sections get their numbers in the order of the calls (the first is 1); the symbol table, its strings and the section
names follow at the end.  Symbols stand in the table in the order of the calls, whatever their binding.  Nothing is
checked: every field of every header can be overridden by its ELF name (``e_shnum=7``, ``sh_offset=1 << 40``), so that
malformed objects can be written too.

    elf = ElfWriter()
    text = elf.section(".text", flags=SHF_ALLOC | SHF_EXECINSTR, data=bytes(16))
    target = elf.symbol("target")                                         # undefined
    elf.symbol("caller", text, value=0, size=16, type=STT_FUNC)
    elf.relocations(text, [(4, target, R_X86_64_PC32, -4)])
    elf.write("caller.o")
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

ET_REL, ET_EXEC, ET_DYN = 1, 2, 3
EM_SPARC, EM_386, EM_MIPS, EM_PARISC, EM_PPC, EM_PPC64, EM_S390, EM_ARM = 2, 3, 8, 15, 20, 21, 22, 40
EM_SPARCV9, EM_X86_64, EM_AARCH64, EM_RISCV, EM_LOONGARCH = 43, 62, 183, 243, 258

SHT_NULL, SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_RELA, SHT_NOBITS, SHT_REL = 0, 1, 2, 3, 4, 8, 9
SHT_NOTE, SHT_INIT_ARRAY, SHT_SYMTAB_SHNDX = 7, 14, 18
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4

SHN_UNDEF, SHN_LORESERVE, SHN_ABS, SHN_COMMON, SHN_XINDEX = 0, 0xFF00, 0xFFF1, 0xFFF2, 0xFFFF
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE = 0, 1, 2, 3, 4

R_X86_64_64, R_X86_64_PC32 = 1, 2
R_386_32, R_386_PC32 = 1, 2

_HEADER_FIELDS = (
    "e_type", "e_machine", "e_version", "e_entry", "e_phoff", "e_shoff", "e_flags",
    "e_ehsize", "e_phentsize", "e_phnum", "e_shentsize", "e_shnum", "e_shstrndx",
)  # fmt: skip
_SECTION_FIELDS = (
    "sh_name", "sh_type", "sh_flags", "sh_addr", "sh_offset",
    "sh_size", "sh_link", "sh_info", "sh_addralign", "sh_entsize",
)  # fmt: skip
_HEADER_FORMAT = {64: "HHIQQQIHHHHHH", 32: "HHIIIIIHHHHHH"}
_SECTION_FORMAT = {64: "IIQQQQIIQQ", 32: "IIIIIIIIII"}
_HEADER_SIZE = {64: 64, 32: 52}
_SECTION_HEADER_SIZE = {64: 64, 32: 40}
_SYMBOL_SIZE = {64: 24, 32: 16}

_Bytes = bytes  # inside the class the name means the method
Relocation = tuple[int, int, int, int]
"""(offset in the section, symbol index, relocation type, addend)."""


@dataclass
class _Section:
    name: str
    type: int
    flags: int
    data: bytes | bytearray
    link: int | None
    info: int
    entsize: int
    overrides: Mapping[str, int] = field(default_factory=dict)


@dataclass
class _Symbol:
    name: str
    section: int
    value: int
    size: int
    info: int
    other: int
    extended: bool
    name_offset: int | None


class ElfWriter:
    """One object file; ``bytes()`` gives its content and ``write(path)`` stores it.

    ``bits`` is 32 or 64, ``byteorder`` is "little" or "big"; ``header`` overrides fields of the ELF header by name.
    ``string_table``, where it is set, replaces the collected symbol names (use ``name_offset`` of ``symbol``).
    ``symtab_header`` and ``strtab_header`` override fields of these two section headers.
    """

    def __init__(
        self,
        bits: int = 64,
        byteorder: str = "little",
        machine: int = EM_X86_64,
        e_type: int = ET_REL,
        **header: int,
    ) -> None:
        self.bits = bits
        self.byteorder = byteorder
        self.machine = machine
        self.header = {"e_type": e_type, **header}
        self.magic = b"\x7fELF"
        self.with_symbol_table = True
        self.string_table: bytes | None = None
        self.symtab_header: dict[str, int] = {}
        self.strtab_header: dict[str, int] = {}
        self.shndx_header: dict[str, int] = {}
        self._endian = "<" if byteorder == "little" else ">"
        self._sections: list[_Section] = []
        self._symbols: list[_Symbol] = []

    def section(
        self,
        name: str,
        type: int = SHT_PROGBITS,
        flags: int = SHF_ALLOC,
        data: bytes | bytearray = b"",
        *,
        link: int = 0,
        info: int = 0,
        entsize: int = 0,
        **overrides: int,
    ) -> int:
        """Add a section and return its number; ``overrides`` are fields of its header, such as ``sh_size=1``."""
        self._sections.append(_Section(name, type, flags, data, link, info, entsize, overrides))
        return len(self._sections)

    def symbol(
        self,
        name: str,
        section: int = SHN_UNDEF,
        value: int = 0,
        size: int = 0,
        bind: int = STB_GLOBAL,
        type: int = STT_NOTYPE,
        *,
        other: int = 0,
        extended: bool = False,
        name_offset: int | None = None,
    ) -> int:
        """Add a symbol and return its number; ``extended`` stores the section in the SYMTAB_SHNDX table."""
        info = (bind << 4) | type
        self._symbols.append(_Symbol(name, section, value, size, info, other, extended, name_offset))
        return len(self._symbols)

    def section_symbol(self, section: int) -> int:
        """Add the nameless local symbol of a section and return its number."""
        return self.symbol("", section, bind=STB_LOCAL, type=STT_SECTION)

    def relocations(
        self, section: int, entries: Iterable[Relocation], rela: bool = True, name: str | None = None, **overrides: int
    ) -> int:
        """Add a relocation section for ``section`` and return its number; a REL entry does not store its addend."""
        prefix = ".rela" if rela else ".rel"
        return self._add_relocation_section(
            name if name is not None else prefix + self._sections[section - 1].name,
            b"".join(self._relocation(entry, rela) for entry in entries),
            section,
            rela,
            overrides,
        )

    def _add_relocation_section(
        self, name: str, data: _Bytes, target: int, rela: bool, overrides: Mapping[str, int]
    ) -> int:
        entsize = (24 if rela else 16) if self.bits == 64 else (12 if rela else 8)
        kind = SHT_RELA if rela else SHT_REL
        self._sections.append(_Section(name, kind, 0, data, None, target, entsize, overrides))
        return len(self._sections)

    def _relocation(self, entry: Relocation, rela: bool) -> _Bytes:
        offset, symbol, kind, addend = entry
        word = "Q" if self.bits == 64 else "I"
        mask = (1 << self.bits) - 1
        if self.bits == 64 and self.machine == EM_MIPS:
            # r_sym (32 bits), r_ssym, r_type3, r_type2, r_type (8 bits each), whatever the byte order
            info = struct.pack(self._endian + "IBBBB", symbol, 0, 0, 0, kind & 0xFF)
        elif self.bits == 64:
            info = struct.pack(self._endian + "Q", (symbol << 32) | kind)
        else:
            info = struct.pack(self._endian + "I", (symbol << 8) | (kind & 0xFF))
        packed = struct.pack(self._endian + word, offset & mask) + info
        return packed + struct.pack(self._endian + word, addend & mask) if rela else packed

    def bytes(self) -> bytes:
        """The content of the object file."""
        sections = list(self._sections)
        if self.with_symbol_table:
            sections += self._symbol_table_sections(len(sections) + 1)
        sections.append(_Section(".shstrtab", SHT_STRTAB, 0, b"", 0, 0, 0))
        names = bytearray(b"\0")
        name_offsets = []
        for section in sections:
            name_offsets.append(len(names) if section.name else 0)
            names += section.name.encode("latin-1") + b"\0" if section.name else b""
        sections[-1].data = names
        return self._layout(sections, name_offsets)

    def _symbol_table_sections(self, symtab: int) -> list[_Section]:
        strings = bytearray(b"\0")
        entries = [bytes(_SYMBOL_SIZE[self.bits])]
        indices = [0]
        for symbol in self._symbols:
            name = symbol.name_offset
            if name is None:
                name = len(strings) if symbol.name else 0
                strings += symbol.name.encode("latin-1") + b"\0" if symbol.name else b""
            shndx = SHN_XINDEX if symbol.extended else symbol.section & 0xFFFF
            indices.append(symbol.section if symbol.extended else 0)
            entries.append(self._symbol_entry(symbol, name, shndx))
        table = bytes(self.string_table if self.string_table is not None else strings)
        first_global = 1 + sum(1 for symbol in self._symbols if symbol.info >> 4 == STB_LOCAL)
        size = _SYMBOL_SIZE[self.bits]
        found = [
            _Section(".symtab", SHT_SYMTAB, 0, b"".join(entries), symtab + 1, first_global, size, self.symtab_header),
            _Section(".strtab", SHT_STRTAB, 0, table, 0, 0, 0, self.strtab_header),
        ]
        if any(symbol.extended for symbol in self._symbols):
            data = struct.pack(f"{self._endian}{len(indices)}I", *indices)
            found.append(_Section(".symtab_shndx", SHT_SYMTAB_SHNDX, 0, data, symtab, 0, 4, self.shndx_header))
        return found

    def _symbol_entry(self, symbol: _Symbol, name: int, shndx: int) -> _Bytes:
        mask = (1 << self.bits) - 1
        value, size = symbol.value & mask, symbol.size & mask
        if self.bits == 64:
            return struct.pack(self._endian + "IBBHQQ", name, symbol.info, symbol.other, shndx, value, size)
        return struct.pack(self._endian + "IIIBBH", name, value, size, symbol.info, symbol.other, shndx)

    def _layout(self, sections: list[_Section], name_offsets: list[int]) -> _Bytes:
        """ELF header, the sections' bytes (each aligned to 8), the section headers."""
        body = bytearray(_HEADER_SIZE[self.bits])
        count = len(sections) + 1
        symtab = next((i for i, section in enumerate(sections, 1) if section.type == SHT_SYMTAB), 0)
        # Section 0 carries the true numbers where they do not fit into the ELF header.
        big = count >= SHN_LORESERVE
        null = {"sh_size": count if big else 0, "sh_link": count - 1 if big else 0}
        headers = [self._section_header(null)]
        for section, name in zip(sections, name_offsets, strict=True):
            body += bytes(-len(body) % 8)
            fields = {
                "sh_name": name,
                "sh_type": section.type,
                "sh_flags": section.flags,
                "sh_offset": len(body),
                "sh_size": len(section.data),
                "sh_link": symtab if section.link is None else section.link,
                "sh_info": section.info,
                "sh_addralign": 1,
                "sh_entsize": section.entsize,
            }
            headers.append(self._section_header({**fields, **section.overrides}))
            if section.type != SHT_NOBITS:
                body += section.data
        body += bytes(-len(body) % 8)
        header = {
            "e_machine": self.machine,
            "e_version": 1,
            "e_shoff": len(body),
            "e_ehsize": _HEADER_SIZE[self.bits],
            "e_shentsize": _SECTION_HEADER_SIZE[self.bits],
            "e_shnum": 0 if big else count,
            "e_shstrndx": SHN_XINDEX if big else count - 1,
            **self.header,
        }
        ident = self.magic + bytes((2 if self.bits == 64 else 1, 1 if self.byteorder == "little" else 2, 1))
        values = [header.get(name, 0) for name in _HEADER_FIELDS]
        body[: _HEADER_SIZE[self.bits]] = ident.ljust(16, b"\0") + struct.pack(
            self._endian + _HEADER_FORMAT[self.bits], *values
        )
        return bytes(body) + b"".join(headers)

    def _section_header(self, fields: Mapping[str, int]) -> _Bytes:
        values = [fields.get(name, 0) for name in _SECTION_FIELDS]
        return struct.pack(self._endian + _SECTION_FORMAT[self.bits], *values)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Store the object file at ``path``."""
        with open(path, "wb") as file:
            file.write(self.bytes())
