# SPDX-License-Identifier: GPL-2.0-or-later
"""Which symbols a run looks at, and the numbers that compilers append to names.

Link-time optimisation and some compilers make names unique by a number: ``foo.123``.  modpost
cuts them in the string table itself, so that every later look at the name sees it cut, and so
does a name that shares the tail of the string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from modpost_py.object_file import SymbolTable

# number-suffix = "." digit { digit } ( "." | end of the name )
_NUMBER_SUFFIX = re.compile(rb"\.[0-9]+(?=[.\0])")


def number_suffixes(symbols: SymbolTable) -> dict[int, int]:
    """The names to be cut: offset of the name in the string table -> offset of the dot to cut at.

    A name is cut at its first dot, and only if a number suffix begins there and something
    stands before it.
    """
    strings = symbols.strings
    dots = [match.start() for match in _NUMBER_SUFFIX.finditer(strings)]
    if not dots:
        return {}
    names = set(symbols.name_offset)
    cuts: dict[int, int] = {}
    for dot in dots:
        # Names whose first dot this is begin after the previous NUL and after the previous dot
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
