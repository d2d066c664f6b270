# SPDX-License-Identifier: GPL-2.0-or-later
"""Which symbols a run looks at, and the numbers that compilers append to names.

Link-time optimisation and some compilers make names unique by a number: ``foo.123``.  modpost
cuts them in the string table itself, so that every later look at the name sees it cut, and so
does a name that shares the tail of the string.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from modpost_py.elf_constants import SHN_COMMON
from modpost_py.object_file import SymbolTable

# number-suffix = "." digit { digit } ( "." | end of the name )
_NUMBER_SUFFIX = re.compile(rb"\.[0-9]+(?=[.\0])")


def telling_symbols(symbols: SymbolTable, prefixes: Iterable[bytes]) -> Iterator[tuple[int, int, str]]:
    """Number, ``st_shndx`` and name of each undefined or common symbol and each whose name starts with a prefix.

    They come in the order of the table.  All number suffixes of the table are cut, each name when its
    turn comes; that is put off until a name is asked for where it cannot touch the names given here.
    """
    offsets = symbols.name_offset
    telling = names_starting_with(symbols, *prefixes)
    found = [
        (index, section, offset)
        for index, (section, offset) in enumerate(zip(symbols.raw_section, offsets, strict=True))
        if not section or offset in telling or section == SHN_COMMON
    ]
    text = symbols.strings.decode("latin-1")
    end_of = text.find
    names = [text[offset : end_of("\0", offset)] for _, _, offset in found]
    if not any("." in name for name in names):
        symbols.before_naming = _cut_all
        return ((index, section, name) for (index, section, _), name in zip(found, names, strict=True))
    return _cut_in_turn(symbols, {index for index, _, _ in found})


def _cut_all(symbols: SymbolTable) -> None:
    for dot in number_suffixes(symbols).values():
        symbols.cut(dot)


def _cut_in_turn(symbols: SymbolTable, wanted: set[int]) -> Iterator[tuple[int, int, str]]:
    cuts = number_suffixes(symbols)
    for index, offset in enumerate(symbols.name_offset):
        if offset in cuts:
            symbols.cut(cuts[offset])
        if index in wanted:
            yield index, symbols.raw_section[index], symbols.name(index)


def number_suffixes(symbols: SymbolTable) -> dict[int, int]:
    """The names to be cut: offset of the name in the string table -> offset of the dot to cut at.

    A name is cut at its first dot, if that is not its first character and a number suffix begins
    there.
    """
    strings = symbols.strings
    dots = [match.start() for match in _NUMBER_SUFFIX.finditer(strings)]
    if not dots:
        return {}
    names = set(symbols.name_offset)
    cuts: dict[int, int] = {}
    for dot in dots:
        # Names whose first dot this is begin after the previous NUL and the previous dot
        first = max(strings.rfind(b"\0", 0, dot), strings.rfind(b".", 0, dot)) + 1
        for name in names.intersection(range(first, dot)):
            cuts[name] = dot
    return cuts


def names_starting_with(symbols: SymbolTable, *prefixes: bytes) -> set[int]:
    """Offsets in the string table at which one of the texts stands (in whole names or in tails of them)."""
    return {offset for prefix in prefixes for offset in _occurrences(symbols.strings, prefix)}


def _occurrences(strings: bytearray, text: bytes) -> Iterator[int]:
    offset = strings.find(text)
    while offset >= 0:
        yield offset
        offset = strings.find(text, offset + 1)
