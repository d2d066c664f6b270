# SPDX-License-Identifier: GPL-2.0-or-later
"""Damaged input: a message or one line ``path: what is wrong``, never a traceback, never without end."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path

import pytest

from modpost_py.object_file import ObjectFile
from tests.modpost.elf_writer import (
    SHN_ABS,
    SHT_NOBITS,
    SHT_RELA,
    SHT_SYMTAB,
    STB_LOCAL,
    STT_OBJECT,
    ElfWriter,
)
from tests.modpost.module_writer import ExportSpec, ModuleSpec, write_files
from tests.modpost.running import ALL, run_in, run_modules

DUMP = "0x12345678\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n"


def outcome_of(content: bytes, directory: Path, dialect: str = "6.12", options: str = "-M -w -n") -> tuple[int, str]:
    """Exit status and stderr of a run with one object."""
    write_files(directory, {"foo.o": content, "foo.mod": b"foo.o\n", ".foo.o.cmd": b"cmd_foo.o := cc\n"})
    known = {letter for letter in options.split() if letter != "-M" or dialect not in ("5.10", "6.1")}
    outcome = run_in(directory, dialect, [*known, "foo.o"])
    return outcome.status, outcome.stderr


def minimal() -> ElfWriter:
    """A module without faults."""
    elf = ElfWriter()
    elf.section(".modinfo", data=b"license=GPL\0description=x\0")
    return elf


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "foo.o: Invalid argument (ignored)\n"),
        (b"\x7fELF", ""),
        (b"not an object" * 20, ""),
        (b"\x7fELF\x03\x01\x01" + bytes(100), "foo.o: unknown ELF class 3\n"),
        (minimal().bytes()[:100], "ERROR: modpost: section header offset=168 in file"),
        (minimal().bytes()[:-70], "foo.o: 5 section headers at offset "),
    ],
)
def test_cut_or_foreign_file(content: bytes, text: str, tmp_path: Path) -> None:
    """Check what is said of a file that ends too early, or is no object at all."""
    _, stderr = outcome_of(content, tmp_path)
    assert stderr.startswith(text) and stderr.count("\n") == (1 if text else 0)


def absurd_count() -> bytes:
    return ElfWriter(e_shnum=0xFE00).bytes()


def bad_names_index() -> bytes:
    return ElfWriter(e_shstrndx=77).bytes()


def name_outside() -> bytes:
    elf = minimal()
    elf.section(".x", sh_name=1 << 20)
    return elf.bytes()


def symbol_name_outside() -> bytes:
    elf = minimal()
    elf.symbol("x", name_offset=1 << 20)
    return elf.bytes()


def strings_without_end() -> bytes:
    elf = minimal()
    elf.symbol("x")
    elf.string_table = b"\0abc"
    return elf.bytes()


def strings_link_outside() -> bytes:
    elf = minimal()
    elf.symtab_header = {"sh_link": 99}
    return elf.bytes()


def uneven_symbol_table() -> bytes:
    elf = minimal()
    elf.symbol("x")
    elf.symtab_header = {"sh_size": 25}
    return elf.bytes()


def huge_symbol_table() -> bytes:
    elf = minimal()
    elf.symtab_header = {"sh_size": 1 << 60}
    return elf.bytes()


def modinfo_outside() -> bytes:
    elf = ElfWriter()
    elf.section(".modinfo", data=b"license=GPL\0", sh_size=1 << 30)
    return elf.bytes()


def relocations_outside() -> bytes:
    elf = minimal()
    text = elf.section(".text", flags=6, data=bytes(8))
    elf.symbol("freed", elf.section(".init.text", flags=6, data=bytes(8)))
    elf.relocations(text, [(0, 1, 1, 0)], sh_size=24 << 32)
    return elf.bytes()


def uneven_relocations() -> bytes:
    elf = minimal()
    text = elf.section(".text", flags=6, data=bytes(8))
    elf.symbol("freed", elf.section(".init.text", flags=6, data=bytes(8)))
    elf.relocations(text, [(0, 1, 1, 0)], sh_size=23)
    return elf.bytes()


def export_of_no_symbol() -> bytes:
    elf = minimal()
    section = elf.section(".export_symbol", data=bytes(16))
    elf.symbol("__export_symbol_x", section, 0, 0, STB_LOCAL)
    elf.relocations(section, [(8, 99, 1, 0)])
    return elf.bytes()


def export_without_end() -> bytes:
    elf = minimal()
    section = elf.section(".export_symbol", data=b"GPL")
    elf.symbol("__export_symbol_x", section, 0, 0, STB_LOCAL)
    exported = elf.symbol("x")
    elf.relocations(section, [(0, exported, 1, 0)])
    return elf.bytes()


def extended_indices_missing() -> bytes:
    elf = minimal()
    elf.symbol("x", 0xFFFF, type=STT_OBJECT)
    elf.symbol("__mod_pci__x_device_table", 0xFFFF, type=STT_OBJECT)
    elf.symbol("__mod_device_table__kmod_x__pci__x", 0xFFFF, type=STT_OBJECT)
    return elf.bytes()


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (absurd_count, "foo.o: 65024 section headers at offset 128 reach beyond the end of file"),
        (bad_names_index, "foo.o: section name table has index 77 of 4 sections"),
        (name_outside, "foo.o: a section has its name outside the section name table"),
        (symbol_name_outside, "foo.o: a symbol has its name outside the string table"),
        (strings_without_end, "foo.o: string table of the symbols does not end in NUL"),
        (strings_link_outside, "foo.o: symbol table has string table 99, which is no section"),
        (uneven_symbol_table, "foo.o: symbol table of 25 bytes has no whole number of entries"),
        (huge_symbol_table, "foo.o: section 2 (.symtab) reaches beyond the end of the file"),
        (modinfo_outside, "foo.o: section 1 (.modinfo) reaches beyond the end of the file"),
        (relocations_outside, "foo.o: section 4 (.rela.text) reaches beyond the end of the file"),
        (uneven_relocations, "foo.o: section 4 (.rela.text) of 23 bytes has no whole number of entries"),
        (export_of_no_symbol, "foo.o: .export_symbol refers to symbol 99, which does not exist"),
        (export_without_end, "foo.o: the text at __export_symbol_x is not terminated"),
        (extended_indices_missing, "foo.o: extended section indices are missing"),
    ],
)
def test_damaged_object(make: object, line: str, tmp_path: Path) -> None:
    """Check the one line about an object for whose damage the C tool has no message, and that nothing is written."""
    assert callable(make)
    assert outcome_of(make(), tmp_path) == (1, line + "\n")
    assert not (tmp_path / "foo.mod.c").exists()


def test_modinfo_without_terminator(tmp_path: Path) -> None:
    """Check that the last entry of .modinfo needs no NUL."""
    elf = ElfWriter()
    elf.section(".modinfo", data=b"description=x\0license=GPL")
    assert outcome_of(elf.bytes(), tmp_path) == (0, "")


@pytest.mark.parametrize("section", [SHN_ABS, 5000, 0xFF20])
def test_symbol_in_no_section(section: int, tmp_path: Path) -> None:
    """Check that symbols of special or absurd sections are passed over, device tables among them."""
    elf = minimal()
    elf.symbol("x", section, 8, 8, type=STT_OBJECT)
    elf.symbol("__mod_pci__x_device_table", section, 0, 80, type=STT_OBJECT)
    elf.symbol("__mod_device_table__kmod_x__pci__x", section, 0, 80, type=STT_OBJECT)
    assert outcome_of(elf.bytes(), tmp_path) == (0, "")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("directory", "directory: No such device\n"),
        ("missing.o", "missing.o: No such file or directory\n"),
        ("empty.o", "empty.o: Invalid argument\n"),
    ],
)
def test_what_is_no_file(path: str, text: str, tmp_path: Path) -> None:
    """Check what is said of a directory, a missing and an empty file."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory.o").symlink_to("directory")
    (tmp_path / "empty.o").touch()
    name = path if path.endswith(".o") else f"{path}.o"
    outcome = run_in(tmp_path, "6.1", [name])
    assert (outcome.status, outcome.stderr) == (1, text.replace("directory:", "directory.o:"))


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Check that a named pipe in an object's place is refused, not read."""
    (tmp_path / "real").write_bytes(minimal().bytes())
    os.symlink("/dev/zero", tmp_path / "zero.o")
    outcome = run_in(tmp_path, "6.1", ["zero.o"])
    assert (outcome.status, outcome.stderr) == (1, "zero.o: Invalid argument\n")


@pytest.mark.parametrize(
    "line",
    ["", "0x1", "0x1\ta\tvmlinux\tEXPORT_SYMBOL", "zz\ta\tvmlinux\tEXPORT_SYMBOL\t", "0x1\t\tvmlinux\tEXPORT_SYMBOL\t"],
)
@pytest.mark.parametrize("dialect", ALL)
def test_malformed_dump(line: str, dialect: str, tmp_path: Path) -> None:
    """Check that a malformed line of a dump ends the run before anything is written."""
    outcome = run_modules(tmp_path, dialect, [ModuleSpec("foo")], "-i dump -o out", {"dump": DUMP + line + "\n" + DUMP})
    prefix = "FATAL" if dialect in ("5.10", "6.1") else "ERROR"
    assert (outcome.status, outcome.stderr, outcome.files) == (
        1,
        f"{prefix}: modpost: parse error in symbol dump file\n",
        outcome.files,
    )
    assert "out" not in outcome.files and "foo.mod.c" not in outcome.files


def test_nothing_is_left_behind_where_writing_fails(tmp_path: Path) -> None:
    """Check that an output that cannot be written is one line, and that no temporary file stays."""
    ModuleSpec("foo").write(tmp_path, "6.12")
    (tmp_path / "foo.mod.c").mkdir()
    outcome = run_in(tmp_path, "6.12", ["foo.o"])
    assert outcome.status == 1
    assert outcome.stderr == "foo.mod.c: Is a directory\n"
    assert sorted(os.listdir(tmp_path)) == [".foo.o.cmd", "foo.mod", "foo.mod.c", "foo.o"]


# --- mutations ----------------------------------------------------------------------------


def _rich_object(dialect: str, bits: int, byteorder: str) -> bytes:
    table = bytes(200)
    spec = ModuleSpec(
        "foo",
        exports=[ExportSpec("one", "GPL", "NS"), ExportSpec("two.12", section=".init.text")],
        undefined=["printk", "a.isra.0"],
        weak=["maybe"],
        modinfo=["license=GPL", "version=1", "import_ns=X", "description=x"],
        defined=["init_module", "cleanup_module"],
        no_trim=["one"],
        tables=[("__mod_of__x_device_table", table), ("__mod_device_table__kmod_foo__of__x", table)],
        bits=bits,
        byteorder=byteorder,
    )
    return spec.object_bytes(dialect)


def _mutated(content: bytes, rng: random.Random) -> bytes:
    """The object with a few bytes or words changed, most of them in the headers, or cut short."""
    data = bytearray(content)
    headers = struct.unpack_from("<Q" if data[4] == 2 else "<I", data, 0x28 if data[4] == 2 else 0x20)[0]
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        start = rng.choice([0, 0, min(headers, len(data) - 1), min(headers, len(data) - 1), rng.randrange(len(data))])
        place = min(len(data) - 1, start + rng.randrange(1 + min(len(data) - start, 64 if start == 0 else 1 << 20)))
        kind = rng.random()
        if kind < 0.5:
            data[place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        elif kind < 0.9:
            value = rng.choice([0, 1, 0xFFFF, 0xFF00, 1 << 31, (1 << 32) - 1, (1 << 64) - 1, rng.getrandbits(20)])
            width = rng.choice([2, 4, 8])
            data[place : place + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")
        else:
            del data[place:]
            break
    return bytes(data)


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("byteorder", ["little", "big"])
@pytest.mark.parametrize("dialect", ALL)
def test_mutated_objects_never_end_in_a_traceback(dialect: str, byteorder: str, bits: int, tmp_path: Path) -> None:
    """Check 100 damaged objects of each kind: the run ends with 0 or 1, and has said why where it is 1."""
    rng = random.Random(f"{dialect} {byteorder} {bits}")
    content = _rich_object(dialect, bits, byteorder)
    for _ in range(100):
        status, stderr = outcome_of(_mutated(content, rng), tmp_path, dialect, "-M -m -w")
        assert status in (0, 1)
        assert not status or stderr


def test_mutated_texts_never_end_in_a_traceback(tmp_path: Path) -> None:
    """Check damaged dumps, .mod and .cmd files and lists: the run ends with 0 or 1."""
    rng = random.Random(3)
    module = ModuleSpec("foo", exports=[ExportSpec("one")], modinfo=["license=GPL", "version=1", "description=x"])
    for number in range(200):
        dialect = ALL[number % len(ALL)]
        files = {**module.files(dialect), "dump": DUMP.encode(), "list": b"foo.o\n"}
        name = rng.choice(["dump", "list", "foo.mod", ".foo.o.cmd"])
        text = bytearray(files[name] * rng.randrange(4))
        for _ in range(rng.randrange(6)):
            text[rng.randrange(len(text) + 1) : rng.randrange(len(text) + 1)] = rng.choice(
                [b"\0", b"\n", b"\t", b" ", b"\xff", b"#SYMVER ", b"source_", b"deps_", b"/" * 5000, b"9" * 400]
            )
        write_files(tmp_path, {**files, name: bytes(text)})
        options = ["-m", "-i", "dump", "-o", "out", "-d", "deps", "-T", "list"]
        assert run_in(tmp_path, dialect, options).status in (0, 1)


def test_endless_relocations_take_no_time(tmp_path: Path) -> None:
    """Check that many relocation sections over the same bytes are read in bounded time."""
    elf = minimal()
    text = elf.section(".text", flags=6, data=bytes(64))
    target = elf.symbol("stays", text)
    entries = [(0, target, 1, 0)] * 20_000
    first = elf.relocations(text, entries)
    size = 24 * len(entries)
    for number in range(20):
        elf.section(f".rela.x{number}", type=SHT_RELA, data=b"", info=text, sh_size=size)
    del first
    status, stderr = outcome_of(elf.bytes(), tmp_path)
    assert status in (0, 1) and stderr.count("\n") <= 1


def test_two_symbol_tables(tmp_path: Path) -> None:
    """Check that of several symbol tables the last counts, as in the C tool."""
    elf = minimal()
    elf.section(".other", type=SHT_SYMTAB, data=bytes(24), link=1, sh_link=1)
    elf.section(".bss", type=SHT_NOBITS, sh_size=1 << 60)
    path = tmp_path / "foo.o"
    path.write_bytes(elf.bytes())
    assert ObjectFile.read(path).symbols.count == 1
