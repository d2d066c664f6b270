# SPDX-License-Identifier: GPL-2.0-or-later
"""A Module.symvers put together from a kernel image, a System.map and modules, and what of it is unknown."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from modpost_py.errors import ModpostError
from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.kernel_facts import VMLINUX, Offer
from modpost_py.kmod.kernel_facts_image import image_contents
from modpost_py.kmod.kernel_facts_places import is_system_map
from modpost_py.kmod.module_file import ModuleFile
from modpost_py.kmod.symvers_from_image import system_map_exports
from modpost_py.kmod.symvers_from_image_modules import (
    UNKNOWN_MODULE,
    ModuleExports,
    exports_of_modules,
    modules_below,
)

_MODULE_SUFFIXES = (".ko", ".ko.gz", ".ko.xz", ".ko.zst")
_KINDS = {True: "EXPORT_SYMBOL_GPL", False: "EXPORT_SYMBOL"}


class Sources(NamedTuple):
    """What the paths of a command line are: kernel images, System.maps, modules (name -> file)."""

    images: list[str]
    maps: list[str]
    modules: dict[str, str]


class Dump(NamedTuple):
    """All exports that were found, in the order of a Module.symvers: vmlinux's, then module by module.

    ``has_versions``: the kernel has symbol versions, so that a missing CRC is unknown and not zero.
    ``conflicts`` are symbols for which a module wants another CRC than the image has (symbol, image's, module's).
    ``errors`` are modules that could not be read.
    """

    offers: list[Offer]
    has_versions: bool
    conflicts: list[tuple[str, int, int]]
    errors: list[ModpostError]


def sources_in(paths: Sequence[str]) -> Sources:
    """Sort paths by what they are; raises :class:`KmodError` and :class:`FileError`."""
    found = Sources([], [], {})
    for path in paths:
        if os.path.isdir(path):
            modules = modules_below(path)
            if not modules:
                raise KmodError(f"{path}: no modules (*.ko, *.ko.xz...) in it")
            found.modules.update(modules)
        elif path.endswith(_MODULE_SUFFIXES):
            suffix = next(suffix for suffix in reversed(_MODULE_SUFFIXES) if path.endswith(suffix))
            found.modules[os.path.basename(path).removesuffix(suffix)] = path
        elif is_system_map(path):
            found.maps.append(path)
        else:
            found.images.append(path)
    return found


def dump_from(sources: Sources, progress: Callable[[int, int], None] | None = None) -> Dump:
    """Read everything; raises :class:`KmodError` for an image without exports, and :class:`FileError`."""
    images = [offer for path in sources.images for offer in image_contents(path)[1]]
    maps = [offer for path in sources.maps for offer in system_map_exports(path)]
    modules = exports_of_modules(sources.modules, learns=True, report=progress)
    merged: dict[str, Offer] = {}
    for offer in (*images, *maps, *modules.exports):
        known = merged.get(offer.symbol)
        merged[offer.symbol] = offer if known is None else known.merged(offer)
    conflicts = _add_learnt(merged, modules, is_complete=bool(images or maps))
    return Dump(list(merged.values()), _has_versions(images, sources, modules), conflicts, modules.errors)


def _add_learnt(merged: dict[str, Offer], modules: ModuleExports, is_complete: bool) -> list[tuple[str, int, int]]:
    """Add what imports show; where vmlinux's exports are known they only fill gaps."""
    conflicts = []
    for offer in modules.learnt:
        known = merged.get(offer.symbol)
        if known is not None:
            if known.crc is not None and offer.crc is not None and known.crc != offer.crc:
                conflicts.append((offer.symbol, known.crc, offer.crc))
            merged[offer.symbol] = known.merged(offer)
        elif not is_complete:
            merged[offer.symbol] = offer
    return conflicts


def _has_versions(images: Iterable[Offer], sources: Sources, modules: ModuleExports) -> bool:
    """Whether the kernel has symbol versions: an image tells, else the modules."""
    for offer in images:
        return offer.crc is not None
    if any(offer.crc is not None for offer in (*modules.exports, *modules.learnt)):
        return True
    for path in sources.modules.values():
        try:
            with ModuleFile.opened(path) as module:
                return "modversions" in (module.value("vermagic") or "").split()
        except ModpostError:
            continue
    return True  # a System.map alone: not known, so nothing may be taken for zero


class Line(NamedTuple):
    """One line of a Module.symvers: its text, and which fields are unknown.

    ``unknown`` names them: ``crc``, ``module``, ``kind``, ``namespace``.
    """

    offer: Offer
    unknown: tuple[str, ...]
    text: str


def dump_lines(dump: Dump) -> Iterator[Line]:
    """The lines of a Module.symvers; an unknown field has the value that claims least.

    That is 0 for the CRC, vmlinux for the module, EXPORT_SYMBOL for the kind, and no name space.

    modpost knows no word for "unknown": it ends at a line that it cannot read.
    """
    for offer in dump.offers:
        unknown = []
        if offer.crc is None and dump.has_versions:
            unknown.append("crc")
        if offer.module == UNKNOWN_MODULE:
            unknown.append("module")
        if offer.gpl_only is None:
            unknown.append("kind")
        if offer.namespace is None:
            unknown.append("namespace")
        kind = _KINDS[bool(offer.gpl_only)]
        module = VMLINUX if "module" in unknown else offer.module
        text = f"0x{offer.crc or 0:08x}\t{offer.symbol}\t{module}\t{kind}\t{offer.namespace or ''}\n"
        yield Line(offer, tuple(unknown), text)
