# SPDX-License-Identifier: GPL-2.0-or-later
"""What modules tell of exported symbols: their own exports, and what their imports say of other people's.

A module that was built with its kernel carries the CRC of every symbol that it uses.  So the CRC of a symbol is
known that some module imports, though its exporter is not at hand.  More follows from the module that imports it:

* where all modules are at hand that it depends on, and none exports the symbol: it is vmlinux's;
* without a GPL-compatible licence: the symbol is not for GPL only;
* without any ``import_ns``: the symbol has no name space.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from modpost_py.errors import ModpostError, ObjectFileError
from modpost_py.kmod.errors import ModuleFileError
from modpost_py.kmod.kernel_facts import VMLINUX, Offer
from modpost_py.kmod.module_file import ModuleFile
from modpost_py.kmod.names import module_name
from modpost_py.kmod.symvers_from_image import module_exports
from modpost_py.modinfo import GPL_COMPATIBLE_LICENSES

_KSYMTABS = ("__ksymtab", "__ksymtab_gpl")
# modpost's own name for the layout of struct module: imported by nobody's code, exported by vmlinux
LAYOUT_SYMBOL = "module_layout"
_SUFFIXES = (".ko", ".ko.gz", ".ko.xz", ".ko.zst")


class ModuleExports(NamedTuple):
    """What a set of modules tells: their exports, vmlinux's as far as they show, and modules that cannot be read."""

    exports: list[Offer]
    learnt: list[Offer]
    errors: list[ModpostError]


#: The exporter of a symbol that is imported by modules only whose dependencies are not all at hand.
UNKNOWN_MODULE = "(unknown)"


def exports_of_modules(
    modules: Mapping[str, str], learns: bool, report: Callable[[int, int], None] | None = None
) -> ModuleExports:
    """What modules export, by ``modules`` (how Module.symvers calls them -> file).

    With ``learns`` what their imports say of vmlinux's exports too.  ``report`` is called with
    the number of modules read and that of all.  Modules that cannot be read are passed over, with an error each.
    """
    exports: list[Offer] = []
    imports: dict[str, Offer] = {}
    errors: list[ModpostError] = []
    names = frozenset(module_name(path) for path in modules.values())
    for number, (name, path) in enumerate(modules.items()):
        if report is not None:
            report(number, len(modules))
        try:
            with ModuleFile.opened(path) as module:
                exports += own_exports(module, name)
                if learns:
                    _add_imports(imports, module, names)
        except ModpostError as error:
            errors.append(error)
    for offer in exports:
        imports.pop(offer.symbol, None)
    return ModuleExports(exports, list(imports.values()), errors)


def own_exports(module: ModuleFile, name: str) -> list[Offer]:
    """What one module exports; raises :class:`ModuleFileError` for damaged tables."""
    if not any(module.section_header(table) for table in _KSYMTABS):
        return []
    try:
        return module_exports(module.object_file, name)
    except ObjectFileError as error:
        raise ModuleFileError(module.path, error.what) from None


def _add_imports(imports: dict[str, Offer], module: ModuleFile, names: frozenset[str]) -> None:
    depends = (module.value("depends") or "").replace("-", "_").split(",")
    owner = VMLINUX if names.issuperset(filter(None, depends)) else UNKNOWN_MODULE
    not_gpl = False if module.value("license") not in GPL_COMPATIBLE_LICENSES else None
    no_namespace = None if module.values("import_ns") else ""
    for symbol, crc in imported(module):
        if symbol == LAYOUT_SYMBOL:
            # Always the kernel's own, and given to everybody: that a module uses it tells nothing of its kind
            imports.setdefault(symbol, Offer(symbol, VMLINUX, crc, None, ""))
            continue
        known = imports.get(symbol)
        if known is None:
            imports[symbol] = Offer(symbol, owner, crc, not_gpl, no_namespace)
        elif (
            (not_gpl is False and known.gpl_only is None)
            or (no_namespace == "" and known.namespace is None)
            or (owner == VMLINUX and known.module == UNKNOWN_MODULE)
        ):
            better = Offer(symbol, owner, crc, not_gpl, no_namespace)
            imports[symbol] = better.merged(known) if owner == VMLINUX else known.merged(better)


def imported(module: ModuleFile) -> Iterable[tuple[str, int | None]]:
    """The symbols that a module uses with the CRCs that it wants; the CRC is ``None`` where it has none."""
    versions = module.extended_versions() or module.versions()
    if versions:
        return versions
    symbols = module.symbols
    return [
        (symbols.name(index), None)
        for index in range(1, symbols.count)
        if symbols.section[index] == 0 and symbols.binding(index) == 1
    ]


def modules_below(directory: str) -> dict[str, str]:
    """The module files in a directory tree: path below it without suffix (``drivers/net/foo``) -> file.

    A leading ``kernel/`` is left out, as Module.symvers has it.  Links to directories (``build``) are not followed.
    """
    found: dict[str, str] = {}
    for root, directories, names in os.walk(directory):
        directories.sort()
        for name in sorted(names):
            suffix = next((suffix for suffix in reversed(_SUFFIXES) if name.endswith(suffix)), None)
            if suffix is not None:
                path = os.path.join(root, name)
                found[os.path.relpath(path, directory).removeprefix("kernel/").removesuffix(suffix)] = path
    return found
