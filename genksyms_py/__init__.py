# SPDX-License-Identifier: GPL-2.0-or-later
"""genksyms in Python: the CRCs of exported kernel symbols, exact to the bit.

>>> source = b'# 1 "a.c"\\nint printk(const char *fmt, ...);\\n__GENKSYMS_EXPORT_SYMBOL(printk);\\n'
>>> versions = symbol_versions(source, kernel="6.1")
>>> hex(versions["printk"].crc)
'0xea147363'
>>> versions["printk"].expansion
'int printk ( const char * , ... ) '

``source`` is C that was preprocessed with ``-D__GENKSYMS__``.  For many units, keep one
:class:`Versioner`: headers that units share are read once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genksyms_py.dialects import Dialect, choose_dialect, dialect_of
    from genksyms_py.errors import GenksymsError
    from genksyms_py.versions import SymbolType, SymbolVersion, UnitVersions, Versioner

__version__ = "0.1.0"
__all__ = [
    "Dialect",
    "GenksymsError",
    "SymbolType",
    "SymbolVersion",
    "UnitVersions",
    "Versioner",
    "choose_dialect",
    "dialect_of",
    "symbol_versions",
]


# Imported when first asked for: modpost-py shares a few small modules of this package, and starts without the parsers
_HOMES = {
    "Dialect": "genksyms_py.dialects",
    "GenksymsError": "genksyms_py.errors",
    "SymbolType": "genksyms_py.versions",
    "SymbolVersion": "genksyms_py.versions",
    "UnitVersions": "genksyms_py.versions",
    "Versioner": "genksyms_py.versions",
    "choose_dialect": "genksyms_py.dialects",
    "dialect_of": "genksyms_py.dialects",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def symbol_versions(source: bytes | str, kernel: str | None = None) -> Mapping[str, SymbolVersion]:
    """The version of every symbol that one preprocessed unit exports, by name, in the order of the markers.

    ``kernel`` is a release such as ``6.1`` or ``6.12.107+deb13-arm64``; without it the newest
    dialect serves.  A symbol exported twice appears with its first version; one that is not
    declared is left out.  Raises :class:`GenksymsError` for a ``kernel`` that is none.
    """
    from genksyms_py.dialects import dialect_of
    from genksyms_py.versions import Versioner

    dialect = dialect_of(kernel) if kernel is not None else dialect_of("7.x")
    data = source.encode("latin-1", "replace") if isinstance(source, str) else source
    versions: dict[str, SymbolVersion] = {}
    for version in Versioner(dialect).unit_versions(data).versions:
        versions.setdefault(version.name, version)
    return versions
