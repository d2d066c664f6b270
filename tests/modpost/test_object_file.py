# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects of every word size and byte order, beside what pyelftools reads in them."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from elftools.elf import enums
from elftools.elf.elffile import ELFFile

from modpost_py import elf_constants, elf_names
from modpost_py.errors import FileError, NotElfError, ObjectFileError
from modpost_py.object_file import FIRST_SPECIAL_SECTION, ObjectFile
from tests.modpost.elf_writer import (
    EM_386,
    EM_MIPS,
    EM_PPC,
    EM_S390,
    EM_X86_64,
    ET_EXEC,
    SHF_ALLOC,
    SHN_ABS,
    SHN_COMMON,
    SHT_NOBITS,
    STB_LOCAL,
    STB_WEAK,
    STT_FUNC,
    STT_OBJECT,
    ElfWriter,
)

KINDS = [(64, "little", EM_X86_64), (64, "big", EM_S390), (32, "little", EM_386), (32, "big", EM_PPC)]


def sample(bits: int, byteorder: str, machine: int, rela: bool = True) -> bytes:
    """An object with sections, symbols of all sorts and relocations."""
    elf = ElfWriter(bits, byteorder, machine)
    text = elf.section(".text", flags=6, data=bytes(range(64)))
    data = elf.section(".data", flags=3, data=b"hello\0world\0" + bytes(52))
    elf.section(".bss", type=SHT_NOBITS, flags=3, sh_size=128)
    elf.symbol("local", text, 4, 8, STB_LOCAL, STT_FUNC)
    elf.symbol("object", data, 6, 5, type=STT_OBJECT)
    elf.symbol("weak", bind=STB_WEAK)
    elf.symbol("absolute", SHN_ABS, 0x89ABCDEF)
    elf.symbol("common", SHN_COMMON, 4, 16)
    elf.symbol("extended", data, extended=True)
    elf.relocations(text, [(0, 1, 1, -4), (8, 3, 2, 0x7FFFFFFF), (16, 2, 255, 0)], rela=rela)
    return elf.bytes()


@pytest.mark.parametrize(("bits", "byteorder", "machine"), KINDS)
def test_sections_and_symbols(bits: int, byteorder: str, machine: int) -> None:
    """Check all columns of sections and symbols against pyelftools."""
    content = sample(bits, byteorder, machine)
    ours, theirs = ObjectFile("x.o", content), ELFFile(io.BytesIO(content))
    assert (ours.bits, ours.byteorder, ours.machine, ours.type) == (bits, byteorder, machine, 1)
    assert [tuple(section) for section in ours.sections] == [_section(s) for s in theirs.iter_sections()]
    symtab: Any = theirs.get_section_by_name(".symtab")
    symbols = ours.symbols
    columns = zip(symbols.value, symbols.size, symbols.raw_section, symbols.info, strict=True)
    found = [(symbols.name(index), *column) for index, column in enumerate(columns)]
    assert found == [_symbol(symbol) for symbol in symtab.iter_symbols()]
    assert list(symbols.section) == [0, 1, 2, 0, FIRST_SPECIAL_SECTION + 0xF1, FIRST_SPECIAL_SECTION + 0xF2, 2]


def _section(section: Any) -> tuple[object, ...]:
    header = section.header
    kind = header["sh_type"]
    kind = kind if isinstance(kind, int) else enums.ENUM_SH_TYPE_BASE[kind]
    names = ("sh_flags", "sh_addr", "sh_offset", "sh_size", "sh_link", "sh_info", "sh_addralign", "sh_entsize")
    return (section.name, kind, *(header[name] for name in names))


def _symbol(symbol: Any) -> tuple[object, ...]:
    entry = symbol.entry
    section = entry["st_shndx"]
    number = section if isinstance(section, int) else enums.ENUM_ST_SHNDX[section]
    bind, kind = enums.ENUM_ST_INFO_BIND[entry["st_info"]["bind"]], enums.ENUM_ST_INFO_TYPE[entry["st_info"]["type"]]
    return (symbol.name, entry["st_value"], entry["st_size"], number, bind << 4 | kind)


@pytest.mark.parametrize("rela", [True, False])
@pytest.mark.parametrize(("bits", "byteorder", "machine"), [*KINDS, (64, "little", EM_MIPS), (64, "big", EM_MIPS)])
def test_relocations(bits: int, byteorder: str, machine: int, rela: bool) -> None:
    """Check the columns of a relocation section, MIPS64's own form among them."""
    ours = ObjectFile("x.o", sample(bits, byteorder, machine, rela))
    relocations = ours.relocations(4)
    assert relocations.target == 1
    assert list(relocations.offset) == [0, 8, 16]
    assert list(relocations.symbol) == [1, 3, 2]
    assert list(relocations.type) == [1, 2, 255]
    assert relocations.addend is None if not rela else list(relocations.addend or ()) == [-4, 0x7FFFFFFF, 0]


@pytest.mark.parametrize(("bits", "byteorder", "machine"), KINDS)
def test_data_of_symbols(bits: int, byteorder: str, machine: int) -> None:
    """Check the bytes and the text at a symbol, and what is said of one outside its section."""
    ours = ObjectFile("x.o", sample(bits, byteorder, machine))
    assert bytes(ours.symbols.data(2)) == b"world"
    assert ours.symbols.text(2) == "world"
    with pytest.raises(ObjectFileError, match=r"^x\.o: symbol 2 \(object\) lies outside its section$"):
        ours.symbols.data(2, 1000)
    with pytest.raises(ObjectFileError):
        ours.symbols.text(4)


def test_linked_object(tmp_path: Path) -> None:
    """Check that in a linked file the address of the section is taken off a symbol's value."""
    elf = ElfWriter(e_type=ET_EXEC)
    data = elf.section(".data", flags=SHF_ALLOC, data=b"..text\0", sh_addr=0x1000)
    elf.symbol("x", data, 0x1002)
    assert ObjectFile("vmlinux", elf.bytes()).symbols.text(1) == "text"


def test_more_than_65280_sections() -> None:
    """Check section counts and name table of a file with more sections than the header can say."""
    elf = ElfWriter()
    for _ in range(0xFF00):
        elf.section(".x", flags=0)
    last = elf.section(".last", flags=SHF_ALLOC, data=b"last\0")
    elf.symbol("x", last, extended=True)
    ours = ObjectFile("x.o", elf.bytes())
    assert ours.sections[ours.symbols.section[1]].name == ".last"
    assert ours.symbols.text(1) == "last"


def test_last_of_equal_names() -> None:
    """Check that the index knows the last of the sections of one name."""
    elf = ElfWriter()
    elf.section(".modinfo", data=b"a=1\0")
    second = elf.section(".modinfo", data=b"a=2\0")
    assert ObjectFile("x.o", elf.bytes()).section_index[".modinfo"] == second


def test_errors_of_reading(tmp_path: Path) -> None:
    """Check the exceptions of the library call, and their texts."""
    (tmp_path / "text.o").write_text("no object" * 10)
    with pytest.raises(NotElfError, match=r"text\.o: not an ELF file$"):
        ObjectFile.read(tmp_path / "text.o")
    with pytest.raises(FileError, match=r"none\.o: No such file or directory$"):
        ObjectFile.read(tmp_path / "none.o")


def test_names() -> None:
    """Check the names of an object's numbers, and that a number without name is shown as it is."""
    ours = ObjectFile("x.o", sample(64, "big", EM_S390))
    assert (ours.machine_name, ours.type_name) == ("EM_S390", "ET_REL")
    assert elf_names.section_type_name(8) == "SHT_NOBITS"
    assert elf_names.symbol_type_name(2) == "STT_FUNC"
    assert elf_names.binding_name(2) == "STB_WEAK"
    assert elf_names.machine_name(64999) == "64999"


def test_constants() -> None:
    """Check our numbers of the ELF format against those of pyelftools."""
    tables = {
        "EM_": enums.ENUM_E_MACHINE,
        "SHT_": {**enums.ENUM_SH_TYPE_BASE},
        "SHN_": enums.ENUM_ST_SHNDX,
        "STB_": enums.ENUM_ST_INFO_BIND,
        "STT_": enums.ENUM_ST_INFO_TYPE,
    }
    checked = 0
    for name, value in vars(elf_constants).items():
        for prefix, table in tables.items():
            if name.startswith(prefix) and name in table:
                assert (name, value) == (name, table[name])
                checked += 1
    assert checked > 25


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
def test_compiled_object(tmp_path: Path) -> None:
    """Check an object of the compiler against pyelftools: every section, every symbol."""
    source = tmp_path / "x.c"
    source.write_text("extern int used(int); static int kept = 3; int exported(int x) { return used(x) + kept++; }\n")
    subprocess.run(["gcc", "-O0", "-c", "-o", tmp_path / "x.o", source], check=True)
    content = (tmp_path / "x.o").read_bytes()
    ours, theirs = ObjectFile.read(tmp_path / "x.o"), ELFFile(io.BytesIO(content))
    assert [tuple(section) for section in ours.sections] == [_section(s) for s in theirs.iter_sections()]
    symbols: Any = theirs.get_section_by_name(".symtab")
    # pyelftools names a section symbol after its section, the string table does not
    names = [symbol.name if symbol.entry["st_name"] else "" for symbol in symbols.iter_symbols()]
    assert [ours.symbols.name(index) for index in range(ours.symbols.count)] == names
