# SPDX-License-Identifier: GPL-2.0-or-later
"""The search for the nearest symbol, in both its forms, against a walk through the whole symbol table."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modpost_py.nearest_symbol import SymbolSearch, SymbolWalk
from modpost_py.object_file import ObjectFile
from tests.modpost.elf_writer import EM_ARM, EM_X86_64, SHN_ABS, STT_FUNC, STT_NOTYPE, STT_SECTION, ElfWriter

NAMES = ["a", "b", "c", "", "$a", "$d.x", "$ab", "$", ".L1", "L0", "L1"]
VALUES = st.one_of(
    st.integers(0, 80),
    st.sampled_from(
        [0x7FFFFFF0, 0x80000000, 0x80000010, 0xFFFFFFF8, 0xFFFFFFFF, 1 << 32, (1 << 63) + 4, (1 << 64) - 8]
    ),
)


class Entry(NamedTuple):
    """A symbol: its name, its section (of three, the first two of one name; 0xfff1 is absolute), value and type."""

    name: str
    section: int
    value: int
    type: int


ENTRIES = st.lists(
    st.builds(
        Entry,
        st.sampled_from(NAMES),
        st.sampled_from([1, 2, 3, SHN_ABS]),
        VALUES,
        st.sampled_from([STT_NOTYPE, STT_FUNC, STT_SECTION]),
    ),
    max_size=12,
)


def _object(entries: list[Entry], bits: int = 64, machine: int = EM_X86_64) -> ObjectFile:
    elf = ElfWriter(bits, machine=machine)
    for name in (".text", ".text", ".data"):
        elf.section(name)
    for entry in entries:
        elf.symbol(entry.name, entry.section, entry.value, type=entry.type)
    return ObjectFile("foo.o", elf.bytes())


def _mapping_symbol(name: str) -> bool:
    return name[:1] == "$" and name[1:2] in {"a", "d", "t", "x"} and name[2:3] in {"", "."}


def _signed_32(value: int) -> int:
    return ((value + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def _walk_below(entries: list[Entry], address: int) -> int | None:
    found, distance = None, 1 << 64
    for number, entry in enumerate(entries, 1):
        if entry.section not in (1, 2) or not entry.name or _mapping_symbol(entry.name):
            continue
        if entry.value <= address and address - entry.value <= distance:
            found, distance = number, address - entry.value
    return found


def _walk_close(entries: list[Entry], section: int, address: int) -> int | None:
    found, distance = None, 20
    for number, entry in enumerate(entries, 1):
        if entry.section != section or entry.type == STT_SECTION or not entry.name or _mapping_symbol(entry.name):
            continue
        if entry.value == address & 0xFFFFFFFFFFFFFFFF:
            return number
        away = _signed_32(entry.value - address)
        if away < 0:
            away = _signed_32(address - entry.value)
        if away < distance:
            found, distance = number, away
    return found


@settings(max_examples=300, deadline=None)
@given(ENTRIES, VALUES, VALUES)
def test_walk(entries: list[Entry], offset: int, addend: int) -> None:
    """Check that the sorted lists give the answers of the walk up to 6.6, its overflows included."""
    walk = SymbolWalk(_object(entries))
    address = _signed_32(addend)
    ours = (walk.at_or_below(".text", offset), walk.close_to(1, address), walk.close_to(3, address))
    expected = (_walk_below(entries, offset), _walk_close(entries, 1, address), _walk_close(entries, 3, address))
    assert ours == expected


def _searchable(entries: list[Entry], section: int) -> list[tuple[int, int]]:
    """Address and number of the symbols that can be found, the first of each address, ascending."""
    first: dict[int, int] = {}
    for number, entry in enumerate(entries, 1):
        if entry.section == section and entry.name and not entry.name.startswith((".L", "L0", "$")):
            first.setdefault(entry.value, number)
    return sorted(first.items())


@settings(max_examples=300, deadline=None)
@given(ENTRIES, VALUES)
def test_search(entries: list[Entry], address: int) -> None:
    """Check the search since 6.7: the last symbol below, and the nearest within 20 bytes, the lower of two."""
    search = SymbolSearch(_object(entries))
    for section in (1, 3):
        symbols = _searchable(entries, section)
        below = [number for value, number in symbols if value <= address]
        close = [(abs(value - address), value, number) for value, number in symbols if abs(value - address) <= 20]
        expected = (below[-1] if below else None, min(close)[2] if close else None)
        assert (search.at_or_below(section, address), search.close_to(section, address)) == expected


@pytest.mark.parametrize(("machine", "expected"), [(EM_ARM, 2), (EM_X86_64, 1)])
def test_thumb_functions(machine: int, expected: int) -> None:
    """Check that on ARM, and there only, bit 0 of a function's value is no part of its address."""
    entries = [Entry("data", 1, 0x20, STT_NOTYPE), Entry("thumb", 1, 0x25, STT_FUNC)]
    search = SymbolSearch(_object(entries, 32, machine))
    assert search.at_or_below(1, 0x24) == expected
