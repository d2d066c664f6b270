# SPDX-License-Identifier: GPL-2.0-or-later
"""From the device tables of an object to the module's aliases.

``MODULE_DEVICE_TABLE(type, name)`` gives the table an alias symbol that tells its type::

    up to 6.12:  "__mod_" type "__" name "_device_table"
    7.x:         "__mod_device_table__" ... "__kmod_" module "__" type "__" name

where ``type`` and ``module`` have no ``__``.  The table is an array of the type's structures that a zero one ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

from modpost_py.alias_notation import Converter, compile_rule
from modpost_py.alias_rules import ALIAS_RULES, AliasRule
from modpost_py.device_layouts import DEVICE_STRUCTURES, DeviceStructure, Target, in_force, layout_of, target_of
from modpost_py.device_messages import LAST_ENTRY, NOT_TERMINATED, TABLE_SIZE
from modpost_py.dialects import Dialect
from modpost_py.elf_constants import STT_OBJECT
from modpost_py.errors import ObjectFileError
from modpost_py.messages import Reporter
from modpost_py.object_file import ObjectFile

#: Every symbol of a device table begins so.
TABLE_PREFIX = "__mod_"

# Section types with this bit are taken for sections without bytes in the file.
_SHT_NOBITS_BIT = 8
# Larger tables of zeros do not exist; a damaged symbol must not cost the memory of one.
_LARGEST_ZERO_TABLE = 1 << 24

# The messages call a PnP card's table a PnP table.
_NAMES_IN_MESSAGES = {"pnp_card": "pnp"}


class Alias(NamedTuple):
    """A modalias pattern; ``tag`` is the module that the table's symbol names (7.x), else empty."""

    text: str
    tag: str = ""


class TableSymbol(NamedTuple):
    """The parts of a device table's symbol name; ``module`` is empty where the name has none."""

    device_type: str
    name: str
    module: str = ""


# --------------------------------------------------------------------------------------- symbol names


def _type_first(symbol: str) -> TableSymbol | None:
    """``__mod_TYPE__NAME_device_table``."""
    if not symbol.endswith("_device_table"):
        return None
    device_type, separator, name = symbol.removeprefix("__mod_").partition("__")
    return TableSymbol(device_type, name.removesuffix("_device_table")) if separator else None


def _module_first(symbol: str) -> TableSymbol | None:
    """``__mod_device_table__...__kmod_MODULE__TYPE__NAME``."""
    if not symbol.startswith("__mod_device_table__"):
        return None
    _, marker, rest = symbol.removeprefix("__mod_device_table").partition("__kmod_")
    module, separator, rest = rest.partition("__")
    device_type, second_separator, name = rest.partition("__")
    if not (marker and separator and second_separator):
        return None
    return TableSymbol(device_type, name, module)


class _TableForm(NamedTuple):
    """How a dialect's symbols name a table, and whether a bad table is skipped rather than the end of the run."""

    parse: Callable[[str], TableSymbol | None]
    shows_last_entry: bool


_TYPE_FIRST = _TableForm(_type_first, shows_last_entry=True)
_MODULE_FIRST = _TableForm(_module_first, shows_last_entry=False)
_FORMS = {"5.10": _TYPE_FIRST, "6.1": _TYPE_FIRST, "6.12": _TYPE_FIRST, "7.2": _MODULE_FIRST, "7.3": _MODULE_FIRST}


def table_symbol(symbol: str, dialect: Dialect) -> TableSymbol | None:
    """The parts of the name of a device table's symbol; ``None`` for any other symbol."""
    return _FORMS[dialect.name].parse(symbol)


# ------------------------------------------------------------------------------------------ conversion


class TableFormat(NamedTuple):
    """What is needed to convert tables of a type: the entries' size in bytes, and the conversion."""

    entry_size: int
    convert: Converter


@cache
def _table_formats(dialect_name: str) -> dict[str, tuple[AliasRule, DeviceStructure]]:
    structures = in_force(DEVICE_STRUCTURES, dialect_name)
    return {name: (rule, structures[name]) for name, rule in in_force(ALIAS_RULES, dialect_name).items()}


@cache
def table_format(device_type: str, dialect_name: str, target: Target) -> TableFormat | None:
    """The format of a type's tables, ``None`` for a type without aliases."""
    found = _table_formats(dialect_name).get(device_type)
    if found is None:
        return None
    rule, structure = found
    layout = layout_of(structure, target)
    return TableFormat(layout.size, compile_rule(rule.rule, layout))


def aliases_of_table(
    table: bytes, symbol: TableSymbol, target: Target, dialect: Dialect, reporter: Reporter
) -> list[str]:
    """The aliases of a table's entries, in order; none for a type that has no aliases.

    ``table`` is the whole array, with its terminator.  Reports tables of a wrong size or without
    terminator, which ends the run in dialects up to 6.12 and the table's conversion in later ones.
    """
    found = table_format(symbol.device_type, dialect.name, target)
    if found is None:
        return []
    entry_size, convert = found
    size = len(table)
    values: dict[str, Any] = {
        "structure": _NAMES_IN_MESSAGES.get(symbol.device_type, symbol.device_type),
        "device_type": symbol.device_type,
        "table": symbol.name,
        "entry_size": entry_size,
    }
    if size < entry_size or size % entry_size:
        reporter.report(TABLE_SIZE, size=size, **values)
        return []
    terminator = table[size - entry_size :]
    if any(terminator):
        if _FORMS[dialect.name].shows_last_entry:
            shown = "".join([f"0x{byte:02x} " for byte in terminator])
            reporter.report(LAST_ENTRY, count=size // entry_size, bytes=shown, **values)
        reporter.report(NOT_TERMINATED, **values)
        return []
    return convert(table, reporter)


def _table_bytes(object_file: ObjectFile, symbol: int) -> bytes:
    """The bytes of a table; zeros where its section has none in the file."""
    symbols = object_file.symbols
    if not object_file.sections[symbols.section[symbol]].type & _SHT_NOBITS_BIT:
        return bytes(symbols.data(symbol))
    size = symbols.size[symbol]
    if size > _LARGEST_ZERO_TABLE:
        raise ObjectFileError(object_file.path, f"symbol {symbol} ({symbols.name(symbol)}) has {size} bytes of zeros")
    return bytes(size)


def aliases(object_file: ObjectFile, symbol: int, name: str, dialect: Dialect, reporter: Reporter) -> Iterable[Alias]:
    """The aliases that come from symbol number ``symbol``, called ``name``, in the table's order.

    Empty for a symbol that is no device table, or one of a type without aliases.  Raises
    :class:`ObjectFileError` for a table that does not lie in its section.
    """
    symbols = object_file.symbols
    if not 0 < symbols.section[symbol] < len(object_file.sections) or symbols.type(symbol) != STT_OBJECT:
        return ()
    parts = table_symbol(name, dialect)
    if parts is None:
        return ()
    target = target_of(object_file.bits, object_file.byteorder, object_file.machine)
    if table_format(parts.device_type, dialect.name, target) is None:
        return ()
    texts = aliases_of_table(_table_bytes(object_file, symbol), parts, target, dialect, reporter)
    return [Alias(text, parts.module) for text in texts]
