# SPDX-License-Identifier: GPL-2.0-or-later
"""The versions of the symbols that a module uses, out of both tables in which it may have them.

``__versions`` has no room for names of 56 characters (60 with 32 bits) and more; since 6.14 a module may have the
tables ``__version_ext_crcs`` and ``__version_ext_names`` instead or in addition.
"""

from __future__ import annotations

from modpost_py.kmod.module_file import ModuleFile

#: How the tables are called.
BASIC, EXTENDED = "basic", "extended"


class SymbolVersion:
    """The CRC with which a module expects a symbol, and the tables that say so (:data:`BASIC`, :data:`EXTENDED`)."""

    __slots__ = ("crc", "symbol", "tables")

    def __init__(self, symbol: str, crc: int, tables: tuple[str, ...]) -> None:
        self.symbol = symbol
        self.crc = crc
        self.tables = tables

    @property
    def crc_text(self) -> str:
        """The CRC as in Module.symvers: ``0x`` and eight digits."""
        return f"0x{self.crc:08x}"


def symbol_versions(module: ModuleFile) -> list[SymbolVersion]:
    """All versions in the order of the tables, the basic one first; what is equal in both stands once.

    Raises :class:`modpost_py.kmod.compression.DamagedModuleError` for a damaged table.
    """
    basic = module.versions()
    extended = module.extended_versions()
    in_basic, in_extended = set(basic), set(extended)
    found = [SymbolVersion(*pair, (BASIC, EXTENDED) if pair in in_extended else (BASIC,)) for pair in basic]
    return found + [SymbolVersion(*pair, (EXTENDED,)) for pair in extended if pair not in in_basic]


def versions_text(versions: list[SymbolVersion]) -> str:
    """One line a symbol: the CRC, a tab, the name."""
    return "".join([f"{version.crc_text}\t{version.symbol}\n" for version in versions])
