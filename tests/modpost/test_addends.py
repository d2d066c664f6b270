# SPDX-License-Identifier: GPL-2.0-or-later
"""Addends of REL relocations: instructions and words as assemblers store them, seen as the target that is named."""

from __future__ import annotations

import struct

import pytest

from modpost_py.addends import ADDENDS, Place
from modpost_py.elf_constants import EM_386, EM_ARM, EM_MIPS
from tests.modpost.elf_writer import ET_EXEC, ET_REL, ElfWriter
from tests.modpost.section_references import ALL, SINCE_6_1, SINCE_6_12, checked

UP_TO_6_1 = ALL[:2]


def _place(word: int, symbol_value: int = 0, offset: int = 0) -> Place:
    """A place of a little-endian object: the first half of the word is the low one."""
    return Place(word, word & 0xFFFF, word >> 16, symbol_value, offset)


def _thumb(upper: int, lower: int) -> int:
    return upper | lower << 16


# machine, relocation type, word at the place, value of the symbol, addend, dialects
CASES = [
    (EM_386, 1, 0xFFFFFFFC, 9, 0xFFFFFFFC, ALL),
    (EM_386, 2, 0x10, 9, 0x14, ALL),
    (EM_386, 2, 0xFFFFFFFC, 0, 0, SINCE_6_1),
    (EM_386, 10, 0x10, 9, 0, UP_TO_6_1),
    (EM_386, 10, 0x10, 9, -1, SINCE_6_12),
    (EM_ARM, 2, 0x10, 0x20, 0x30, ALL),
    (EM_ARM, 2, 0xFFFFFFF0, 0x20, 0x100000010, ALL),  # the caller wraps it
    (EM_ARM, 3, 0x10, 0x20, None, UP_TO_6_1),
    (EM_ARM, 3, 0x10, 0x20, 0x30, SINCE_6_12),
    (EM_ARM, 1, 0xEBFFFFFE, 0x20, 0x20, ALL),  # bl, to the symbol itself
    (EM_ARM, 28, 0xEB000010, 0x20, 0x68, ALL),
    (EM_ARM, 29, 0xEA7FFFFF, 0, 0x2000004, ALL),
    (EM_ARM, 29, 0xEA800000, 0, 8 - 0x2000000, ALL),
    (EM_ARM, 43, 0xE3010234, 0x20, 0x1254, SINCE_6_12),  # movw r0, #0x1234
    (EM_ARM, 44, 0xE34F0FFE, 0x20, 0x1E, SINCE_6_12),  # movt r0, #0xfffe
    (EM_ARM, 43, 0xE3010234, 0x20, None, UP_TO_6_1),
    (EM_ARM, 47, _thumb(0xF241, 0x2034), 0x20, 0x1254, SINCE_6_12),  # movw r0, #0x1234
    (EM_ARM, 48, _thumb(0xF6CF, 0x70FE), 0x20, 0x1E, SINCE_6_12),  # movt r0, #0xfffe
    (EM_ARM, 10, _thumb(0xF7FF, 0xFFFE), 0x20, 0x20, SINCE_6_12),  # bl, to the symbol itself
    (EM_ARM, 10, _thumb(0xF000, 0xF810), 0, 0x24, SINCE_6_12),
    (EM_ARM, 30, _thumb(0xF400, 0x9000), 0, 4 - 0x1000000, SINCE_6_12),  # b.w, as far back as it goes
    (EM_ARM, 30, _thumb(0xF000, 0xB800), 0, 4, SINCE_6_12),
    (EM_ARM, 30, _thumb(0xF000, 0x9800), 0, 4 + (1 << 23), SINCE_6_12),
    (EM_ARM, 30, _thumb(0xF000, 0xB000), 0, 4 + (1 << 22), SINCE_6_12),
    (EM_ARM, 51, _thumb(0xF43F, 0xAFFE), 0x20, 0x20, SINCE_6_12),  # beq.w, to the symbol itself
    (EM_ARM, 51, _thumb(0xF001, 0x8002), 0, 0x1008, SINCE_6_12),
    (EM_ARM, 51, _thumb(0xF000, 0xA000), 0, 4 + (1 << 18), SINCE_6_12),
    (EM_ARM, 51, _thumb(0xF000, 0x8800), 0, 4 + (1 << 19), SINCE_6_12),
    (EM_ARM, 40, 0x10, 0x20, None, UP_TO_6_1),
    (EM_ARM, 40, 0x10, 0x20, -1, SINCE_6_12),
    (EM_MIPS, 2, 0x89ABCDEF, 9, 0x89ABCDEF, ALL),
    (EM_MIPS, 4, 0x0FFFFFFF, 9, 0x0FFFFFFC, ALL),  # jal, 26 bits
    (EM_MIPS, 6, 0x2484FFFC, 9, 0xFFFC, ALL),  # addiu, low half
    (EM_MIPS, 5, 0x3C040001, 9, None, UP_TO_6_1),
    (EM_MIPS, 5, 0x3C040001, 9, -1, SINCE_6_12),
    (EM_MIPS, 18, 0x10, 9, 0, UP_TO_6_1),
]


@pytest.mark.parametrize(("machine", "type_", "word", "value", "addend", "dialects"), CASES)
def test_addend(machine: int, type_: int, word: int, value: int, addend: int | None, dialects: tuple[str, ...]) -> None:
    """Check the addend of each understood relocation type; None is a relocation that is passed over."""
    found = {name: ADDENDS[name][machine].read(type_, _place(word, value)) for name in dialects}
    assert found == dict.fromkeys(dialects, addend)


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_halves_in_file_order(byteorder: str) -> None:
    """Check that a Thumb instruction is its first half word and its second, in both byte orders."""
    elf = ElfWriter(32, byteorder, EM_ARM)
    order = "<" if byteorder == "little" else ">"
    source = elf.section(".text", data=bytes(8) + struct.pack(order + "HH", 0xF000, 0xF810))
    target = elf.section(".init.text", data=bytes(256))
    elf.symbol("named", target, 0x28)
    elf.relocations(source, [(8, elf.section_symbol(target), 10, 0)], rela=False)
    assert [text.split("-> ")[1] for _, text in checked(elf, "6.12")[0]] == ["named (section: .init.text)\n"]


@pytest.mark.parametrize(("e_type", "name"), [(ET_REL, "at_14"), (ET_EXEC, "at_101c")])
def test_linked_objects_of_5_10(e_type: int, name: str) -> None:
    """Check that in an executable places lie at addresses, which 5.10 adds to relative relocations of i386."""
    elf = ElfWriter(32, "little", EM_386, e_type)
    address = 0x1000 if e_type == ET_EXEC else 0
    source = elf.section(".text", data=bytes(8) + struct.pack("<I", 0x10) + bytes(4), sh_addr=address)
    target = elf.section(".init.text", data=bytes(16), sh_addr=0)
    elf.symbol("at_14", target, 0x14)
    elf.symbol("at_101c", target, 0x101C)
    elf.relocations(source, [(address + 8, elf.section_symbol(target), 2, 0)], rela=False)
    line = checked(elf, "5.10")[0][0][1]
    assert line.endswith(f".init.text:{name}\n")


@pytest.mark.parametrize(("offset", "name"), [(8, "behind"), (1 << 30, "beyond")])
def test_place_outside_its_section(offset: int, name: str) -> None:
    """Check that a place outside its section holds what the file has there, and zeros beyond its end."""
    elf = ElfWriter(32, "little", EM_386)
    source = elf.section(".text", data=b"\xff" * 8)
    target = elf.section(".init.text", data=b"\x40\0\0\0")
    elf.symbol("behind", target, 0x44)
    elf.symbol("beyond", target, 4)
    elf.relocations(source, [(offset, elf.section_symbol(target), 2, 0)], rela=False)
    assert [text.split("-> ")[1] for _, text in checked(elf, "7.2")[0]] == [f"{name} (section: .init.text)\n"]
