# SPDX-License-Identifier: GPL-2.0-or-later
"""How an object says what it exports.

Up to 6.4 ``EXPORT_SYMBOL(foo)`` makes a symbol ``__ksymtab_foo`` in a section of its own,
``___ksymtab+foo`` or ``___ksymtab_gpl+foo``, and a string ``__kstrtabns_foo`` for the name space.
Since 6.5 it makes, in the section ``.export_symbol``, a label ``__export_symbol_foo`` at::

    license NUL  namespace NUL  [padding]  address of foo (by relocation)

where license is ``GPL`` or empty.
"""

from __future__ import annotations

from collections.abc import Iterator

from modpost_py.core_messages import (
    EXIT_SYMBOL_EXPORTED,
    INIT_SYMBOL_EXPORTED,
    LOCAL_EXPORT,
    STRANGE_EXPORT_LABEL,
    STRANGE_EXPORT_REFERENCE,
    UNKNOWN_EXPORT_LICENSE,
)
from modpost_py.elf_constants import EM_PARISC, STB_GLOBAL, STB_WEAK, STT_FUNC, STT_PARISC_MILLICODE
from modpost_py.errors import ObjectFileError
from modpost_py.messages import Reporter
from modpost_py.module_facts import FoundExport
from modpost_py.nearest_symbol import SymbolSearch
from modpost_py.object_file import ObjectFile

PLAIN = "EXPORT_SYMBOL"
GPL = "EXPORT_SYMBOL_GPL"
UNUSED = "EXPORT_UNUSED_SYMBOL"
UNUSED_GPL = "EXPORT_UNUSED_SYMBOL_GPL"
GPL_FUTURE = "EXPORT_SYMBOL_GPL_FUTURE"
UNKNOWN = "(unknown)"

#: Symbols that mark exports, their name spaces and their CRCs.
KSYMTAB_PREFIX = "__ksymtab_"
NAMESPACE_PREFIX = "__kstrtabns_"
CRC_PREFIX = "__crc_"
LABEL_PREFIX = "__export_symbol_"

# Beginning of the section of a __ksymtab_ symbol -> kind of export; what else there is -> unknown kind or no export
_KSYMTAB_SECTIONS: dict[str, tuple[tuple[tuple[str, str], ...], str | None]] = {
    "5.10": (
        (
            ("___ksymtab+", PLAIN),
            ("___ksymtab_unused+", UNUSED),
            ("___ksymtab_gpl+", GPL),
            ("___ksymtab_unused_gpl+", UNUSED_GPL),
            ("___ksymtab_gpl_future+", GPL_FUTURE),
        ),
        UNKNOWN,
    ),
    "6.1": ((("___ksymtab_gpl+", GPL), ("___ksymtab+", PLAIN)), None),
}

#: The kinds of export that a dump may name in each dialect; what else it names is unknown, or an error.
EXPORT_KINDS: dict[str, frozenset[str]] = {
    "5.10": frozenset({PLAIN, GPL, UNUSED, UNUSED_GPL, GPL_FUTURE, UNKNOWN}),
    "6.1": frozenset({PLAIN, GPL}),
    "6.12": frozenset({PLAIN, GPL}),
    "7.2": frozenset({PLAIN, GPL}),
    "7.3": frozenset({PLAIN, GPL}),
}

_LICENSES = {"GPL": GPL, "": PLAIN}


def export_of_ksymtab(object_file: ObjectFile, symbol: int, name: str, dialect_name: str) -> FoundExport | None:
    """The export that the symbol ``__ksymtab_X`` (``name``) marks, if any; name space not yet known."""
    section = object_file.section_name(object_file.symbols.section[symbol])
    sections, otherwise = _KSYMTAB_SECTIONS[dialect_name]
    kinds = [kind for prefix, kind in sections if section.startswith(prefix)]
    kind = kinds[0] if kinds else otherwise
    return FoundExport(name.removeprefix(KSYMTAB_PREFIX), kind) if kind is not None else None


def exports_of_relocations(
    object_file: ObjectFile, relocation_section: int, skipped_types: frozenset[int], reporter: Reporter
) -> Iterator[FoundExport]:
    """The exports of ``.export_symbol``, in the order of its relocations, which need not be that of the symbols.

    Relocations of the ``skipped_types`` are passed over.
    """
    relocations = object_file.relocations(relocation_section)
    search = SymbolSearch(object_file)
    for offset, symbol, type_ in zip(relocations.offset, relocations.symbol, relocations.type, strict=True):
        if type_ in skipped_types:
            continue
        if symbol >= object_file.symbols.count:
            raise ObjectFileError(object_file.path, f".export_symbol refers to symbol {symbol}, which does not exist")
        export = _export_of(object_file, search.at_or_below(relocations.target, offset), symbol, reporter)
        if export is not None:
            yield export
            _check_section(object_file, symbol, export.symbol, reporter)


def _export_of(object_file: ObjectFile, label: int | None, symbol: int, reporter: Reporter) -> FoundExport | None:
    symbols = object_file.symbols
    label_name = "" if label is None else symbols.name(label)
    if label is None or not label_name.startswith(LABEL_PREFIX):
        reporter.report(STRANGE_EXPORT_LABEL, label=label_name)
        return None
    exported = label_name.removeprefix(LABEL_PREFIX)
    if symbols.binding(symbol) not in (STB_GLOBAL, STB_WEAK):
        reporter.report(LOCAL_EXPORT, symbol=exported)
        return None
    name = symbols.name(symbol)
    if name != exported:
        reporter.report(STRANGE_EXPORT_REFERENCE, symbol=name)
        return None
    license, namespace = _license_and_namespace(object_file, label)
    if license not in _LICENSES:
        reporter.report(UNKNOWN_EXPORT_LICENSE, license=license, symbol=name)
        return None
    return FoundExport(name, _LICENSES[license], namespace, _is_function(object_file, symbol))


def _license_and_namespace(object_file: ObjectFile, label: int) -> tuple[str, str]:
    symbols = object_file.symbols
    content = bytes(object_file.section_data(symbols.section[label])[symbols.data_offset(label) :])
    texts = content.split(b"\0", 2)
    if len(texts) < 3:
        raise ObjectFileError(object_file.path, f"the text at {symbols.name(label)} is not terminated")
    return texts[0].decode("latin-1"), texts[1].decode("latin-1")


def _check_section(object_file: ObjectFile, symbol: int, name: str, reporter: Reporter) -> None:
    section = object_file.section_name(object_file.symbols.section[symbol])
    if section.startswith(".init."):
        reporter.report(INIT_SYMBOL_EXPORTED, symbol=name)
    elif section.startswith(".exit."):
        reporter.report(EXIT_SYMBOL_EXPORTED, symbol=name)


def _is_function(object_file: ObjectFile, symbol: int) -> bool:
    type_ = object_file.symbols.type(symbol)
    if object_file.machine == EM_PARISC and object_file.bits == 64 and type_ == STT_PARISC_MILLICODE:
        return True
    return type_ == STT_FUNC
