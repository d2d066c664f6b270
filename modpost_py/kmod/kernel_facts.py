# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of a kernel that modules might be loaded into.

>>> kernel = KernelFacts.read(["/usr/src/linux-headers-6.1.0-37-amd64"])     # doctest: +SKIP
>>> kernel.vermagic                                                           # doctest: +SKIP
'6.1.0-37-amd64 SMP preempt mod_unload modversions '
>>> kernel.offers["printk"].crc                                               # doctest: +SKIP

Every place tells some facts and not others, so a fact that no place told is ``None``: unknown, never assumed.

==================  =====================================================================================
a place             what it tells
==================  =====================================================================================
headers directory   release, configuration, vermagic, machine, all exports (its Module.symvers)
modules directory   release, vermagic, machine, size of ``struct module``, signers, the modules and their
                    exports; of vmlinux's exports those that its modules import; all through ``build``
Module.symvers      all exports
vmlinux, vmlinuz    release, vermagic, machine, vmlinux's exports, the keys that it trusts
System.map          vmlinux's exports, without CRCs since 6.x
config-RELEASE      release, configuration, machine
==================  =====================================================================================
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from modpost_py.elf_names import machine_name
from modpost_py.kmod.kernel_facts_keys import Key

VMLINUX = "vmlinux"


class Offer(NamedTuple):
    """One exported symbol as far as it is known; ``module`` is ``vmlinux`` or a module's name or path without ``.ko``.

    ``crc`` is ``None`` where it is unknown or the kernel has no symbol versions, ``gpl_only`` and
    ``namespace`` are ``None`` where they are unknown; ``""`` is no name space.
    """

    symbol: str
    module: str
    crc: int | None
    gpl_only: bool | None
    namespace: str | None

    @property
    def is_in_vmlinux(self) -> bool:
        """Whether the kernel itself exports it, so that it is there before any module is loaded."""
        return self.module == VMLINUX

    @property
    def module_name(self) -> str:
        """The exporting module as the kernel calls it: no directory, underscores."""
        return self.module.rsplit("/", 1)[-1].replace("-", "_")

    def merged(self, other: Offer) -> Offer:
        """This offer with what only ``other`` knows."""
        return Offer(
            self.symbol,
            self.module,
            other.crc if self.crc is None else self.crc,
            other.gpl_only if self.gpl_only is None else self.gpl_only,
            other.namespace if self.namespace is None else self.namespace,
        )


class Machine(NamedTuple):
    """What a kernel wants of an ELF header: ``e_machine``, word size in bits, ``little`` or ``big``."""

    number: int
    bits: int
    byteorder: str

    def __str__(self) -> str:
        name = machine_name(self.number).removeprefix("EM_").lower()
        return f"{name} ({self.bits} bit, {self.byteorder}-endian)"


@dataclass
class KernelFacts:
    """The facts of one kernel, put together from one or more places; ``None`` is unknown.

    ``paths`` are the places, ``vermagic`` is the whole text with its last blank, ``module_struct_size``
    the size of ``struct module`` in bytes, ``configuration`` maps ``NAME`` (without ``CONFIG_``) to
    ``y``, ``m`` or a value and lacks what is not set.  ``offers`` are the exports by symbol;
    ``knows_vmlinux`` says that a symbol missing from them is not exported by vmlinux, ``knows_modules``
    that no in-tree module exports it.  ``modules`` are the files of the in-tree modules by the name that
    Module.symvers gives them (``drivers/net/foo``), ``directory`` is the modules directory, ``signers``
    name the keys that its modules are signed with, ``keys`` are the RSA keys in its image by serial number.
    ``distribution`` is ``debian``, or empty for a kernel
    that is not known to be patched in what concerns modules.  ``near`` remembers which exports look like
    a name that is missing.
    """

    paths: tuple[str, ...] = ()
    release: str | None = None
    vermagic: str | None = None
    machine: Machine | None = None
    module_struct_size: int | None = None
    configuration: Mapping[str, str] | None = None
    offers: dict[str, Offer] = field(default_factory=dict)
    knows_vmlinux: bool = False
    knows_modules: bool = False
    directory: str | None = None
    modules: Mapping[str, str] | None = None
    signers: frozenset[str] | None = None
    keys: Mapping[bytes, Key] | None = None
    distribution: str | None = None
    near: dict[str, list[str]] = field(default_factory=dict, repr=False)

    @classmethod
    def read(
        cls, paths: Sequence[str | os.PathLike[str]], progress: Callable[[int, int], None] | None = None
    ) -> KernelFacts:
        """The facts that these places tell of one kernel; what two of them know, the first decides.

        Where the modules of a modules directory have to be read for their exports, ``progress`` is called with the
        number of modules read and that of all.

        Raises :class:`KmodError` for a place that is none of those in the module's description, and
        :class:`FileError` where it cannot be read.
        """
        from modpost_py.kmod.kernel_facts_places import facts_at

        facts = merged(facts_at(os.fspath(path)) for path in paths)
        if facts.modules and not (facts.knows_vmlinux and facts.knows_modules):
            facts.add_exports_of_modules(progress)
        return facts

    def add_exports_of_modules(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Add what the in-tree modules export, and of vmlinux's exports what their imports show."""
        from modpost_py.kmod.symvers_from_image_modules import UNKNOWN_MODULE, exports_of_modules

        found = exports_of_modules(self.modules or {}, not self.knows_vmlinux, progress)
        for offer in (*found.exports, *found.learnt):
            if offer.module != UNKNOWN_MODULE:
                self.offers.setdefault(offer.symbol, offer)
        self.knows_modules = not found.errors

    @cached_property
    def module_paths(self) -> Mapping[str, str]:
        """The files of the in-tree modules by the kernel's names of the modules (underscores)."""
        return {name.rsplit("/", 1)[-1].replace("-", "_"): path for name, path in (self.modules or {}).items()}

    def config(self, name: str) -> str | None:
        """An option's value: ``y``, ``m``, a value, ``n`` where it is not set; ``None`` where that is unknown."""
        if self.configuration is None:
            return None
        return self.configuration.get(name, "n")

    @property
    def checks_versions(self) -> bool | None:
        """Whether the kernel compares CRCs (CONFIG_MODVERSIONS); ``None`` where nothing tells."""
        setting = self.config("MODVERSIONS")
        if setting is not None:
            return setting == "y"
        if self.vermagic is not None:
            return "modversions" in self.vermagic.split()
        crcs = {offer.crc for offer in self.offers.values()}
        if crcs - {None, 0}:
            return True
        return False if crcs == {0} else None

    @property
    def name(self) -> str:
        """How to call the kernel in messages: its release, else the first place."""
        return self.release or (self.paths[0] if self.paths else "the kernel")


def merged(parts: Iterable[KernelFacts]) -> KernelFacts:
    """One kernel's facts from those of several places; the first that knows a fact decides."""
    whole = KernelFacts()
    for part in parts:
        whole.paths += part.paths
        for name in _SINGLE_FACTS:
            if getattr(whole, name) is None:
                setattr(whole, name, getattr(part, name))
        whole.knows_vmlinux |= part.knows_vmlinux
        whole.knows_modules |= part.knows_modules
        for symbol, offer in part.offers.items():
            known = whole.offers.get(symbol)
            whole.offers[symbol] = offer if known is None else known.merged(offer)
    return whole


_SINGLE_FACTS = (
    "release",
    "vermagic",
    "machine",
    "module_struct_size",
    "configuration",
    "directory",
    "modules",
    "signers",
    "keys",
    "distribution",
)
