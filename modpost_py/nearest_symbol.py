# SPDX-License-Identifier: GPL-2.0-or-later
"""Which symbol stands at, or close to, a place in a section.

A relocation says where it applies and, often, only in which section its target lies; the messages name symbols.  Since
6.7 modpost keeps all symbols sorted by section and address (:class:`SymbolSearch`); before, it walked through the
symbol table for every question (:class:`SymbolWalk`), with other rules for ties, names and distances.  Both classes
answer from sorted lists of one section, built when the first question about the section is asked.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from modpost_py.elf_constants import EM_ARM, STT_FUNC, STT_SECTION
from modpost_py.object_file import ObjectFile

#: A symbol further away than this (in bytes) does not name the target of a reference.
CLOSE = 20

_COMPILER_LABELS = (".L", "L0", "$")


def symbols_by_section(object_file: ObjectFile) -> dict[int, list[int]]:
    """The numbers of the symbols of each section, in the order of the symbol table."""
    found: dict[int, list[int]] = {}
    for symbol, section in enumerate(object_file.symbols.section):
        if section in found:
            found[section].append(symbol)
        else:
            found[section] = [symbol]
    return found


class SymbolSearch:
    """The search of 6.7 and later: symbols of one section, sorted by address.

    Symbols without name and compiler labels (``.L``, ``L0``, ``$``) are never found.  Of several symbols at one
    address only the first of the symbol table is.  Read names are those at the time of the first question.
    """

    __slots__ = ("_by_section", "_object_file", "_sorted")

    def __init__(self, object_file: ObjectFile) -> None:
        self._object_file = object_file
        self._by_section: dict[int, list[int]] | None = None
        self._sorted: dict[int, tuple[list[int], list[int]]] = {}

    def at_or_below(self, section: int, address: int) -> int | None:
        """The last symbol of ``section`` at or below ``address``, or ``None``."""
        addresses, symbols = self._section(section)
        position = bisect_right(addresses, address)
        return symbols[position - 1] if position else None

    def close_to(self, section: int, address: int) -> int | None:
        """The symbol of ``section`` nearest to ``address`` and not more than :data:`CLOSE` away, or ``None``.

        Of two symbols at the same distance the lower one is taken.
        """
        addresses, symbols = self._section(section)
        position = bisect_right(addresses, address)
        nearest, distance = None, CLOSE
        if position < len(addresses) and addresses[position] - address <= distance:
            nearest, distance = symbols[position], addresses[position] - address
        if position and address - addresses[position - 1] <= distance:
            nearest = symbols[position - 1]
        return nearest

    def has_name(self, symbol: int) -> bool:
        """Whether a symbol has a name that can be shown."""
        name = self._object_file.symbols.name(symbol)
        return bool(name) and not name.startswith(_COMPILER_LABELS)

    def _section(self, section: int) -> tuple[list[int], list[int]]:
        """The distinct addresses in a section, ascending, and the first symbol at each."""
        found = self._sorted.get(section)
        if found is None:
            if self._by_section is None:
                self._by_section = symbols_by_section(self._object_file)
            first: dict[int, int] = {}
            for symbol in self._by_section.get(section, ()):
                if self.has_name(symbol):
                    first.setdefault(self._address(symbol), symbol)
            addresses = sorted(first)
            found = self._sorted[section] = (addresses, [first[address] for address in addresses])
        return found

    def _address(self, symbol: int) -> int:
        """Where a symbol stands; on ARM bit 0 of a function's value says only that it is Thumb code."""
        symbols = self._object_file.symbols
        value = symbols.value[symbol]
        if self._object_file.machine == EM_ARM and symbols.type(symbol) == STT_FUNC:
            return value & ~1
        return value


class SymbolWalk:
    """The search up to 6.6: the answers of a walk through the whole symbol table.

    Symbols without name and mapping symbols (``$a``, ``$d``, ``$t``, ``$x``, alone or before a dot) are never found.
    """

    __slots__ = ("_by_section", "_close", "_object_file", "_sections", "_sorted")

    def __init__(self, object_file: ObjectFile) -> None:
        self._object_file = object_file
        self._by_section: dict[int, list[int]] | None = None
        self._sections: dict[str, list[int]] = {}
        self._sorted: dict[str, tuple[list[int], list[int]]] = {}
        self._close: dict[int, _CloseSymbols] = {}

    def at_or_below(self, section_name: str, address: int) -> int | None:
        """The last symbol at or below ``address`` in any section called ``section_name``, or ``None``.

        Of several symbols at one address the last of the symbol table is taken.
        """
        found = self._sorted.get(section_name)
        if found is None:
            values = self._object_file.symbols.value
            last: dict[int, int] = {}
            for symbol in sorted(self._named(self._sections_called(section_name))):
                last[values[symbol]] = symbol
            addresses = sorted(last)
            found = self._sorted[section_name] = (addresses, [last[value] for value in addresses])
        position = bisect_right(found[0], address)
        return found[1][position - 1] if position else None

    def close_to(self, section: int, address: int) -> int | None:
        """The symbol of ``section`` at ``address``, else the nearest less than :data:`CLOSE` away, or ``None``.

        ``address`` is a signed number of 32 bits, as are the distances.  Section symbols are passed over.  Of several
        symbols at the same distance the first of the symbol table is taken.
        """
        found = self._close.get(section)
        if found is None:
            symbols = self._object_file.symbols
            named = [symbol for symbol in self._named((section,)) if symbols.type(symbol) != STT_SECTION]
            values = symbols.value
            found = self._close[section] = _CloseSymbols(
                [(values[symbol], symbol) for symbol in named], self._object_file.bits
            )
        return found.nearest(address)

    def _sections_called(self, name: str) -> list[int]:
        if not self._sections:
            for index, section in enumerate(self._object_file.sections):
                self._sections.setdefault(section.name, []).append(index)
        return self._sections.get(name, [])

    def _named(self, sections: Iterable[int]) -> list[int]:
        if self._by_section is None:
            self._by_section = symbols_by_section(self._object_file)
        groups = [self._by_section.get(section, ()) for section in sections]
        return [symbol for group in groups for symbol in group if self._has_name(symbol)]

    def _has_name(self, symbol: int) -> bool:
        name = self._object_file.symbols.name(symbol)
        if name[:1] != "$":
            return bool(name)
        return not (name[1:2] in ("a", "d", "t", "x") and name[2:3] in ("", "."))


class _CloseSymbols:
    """The symbols of a section arranged for distances that are signed numbers of 32 bits."""

    __slots__ = ("_at", "_first_at_word", "_mask", "_words")

    def __init__(self, symbols: list[tuple[int, int]], bits: int) -> None:
        self._mask = (1 << bits) - 1
        self._at: dict[int, int] = {}
        self._first_at_word: dict[int, int] = {}
        for value, symbol in symbols:
            self._at.setdefault(value, symbol)
            self._first_at_word.setdefault(value & 0xFFFFFFFF, symbol)
        self._words = sorted(self._first_at_word)

    def nearest(self, address: int) -> int | None:
        exact = self._at.get(address & self._mask)
        if exact is not None:
            return exact
        # Half of the number space away is the one distance whose negation is negative again, less than any other.
        opposite = self._first_at_word.get((address + 0x80000000) & 0xFFFFFFFF)
        if opposite is not None:
            return opposite
        return self._within(address)

    def _within(self, address: int) -> int | None:
        low = (address - CLOSE + 1) & 0xFFFFFFFF
        count = 2 * CLOSE - 1
        words = [*self._between(low, low + count), *self._between(low - (1 << 32), low - (1 << 32) + count)]
        if not words:
            return None
        return min((min((word - address) & 0xFFFFFFFF, (address - word) & 0xFFFFFFFF), self._first_at_word[word])
                   for word in words)[1]  # fmt: skip

    def _between(self, start: int, end: int) -> list[int]:
        return self._words[bisect_left(self._words, start) : bisect_left(self._words, end)]
