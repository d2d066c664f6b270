# SPDX-License-Identifier: GPL-2.0-or-later
"""What the rules find out about a module, and what they find it out from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from modpost_py.errors import ObjectFileError
from modpost_py.kmod.errors import ModuleFileError
from modpost_py.kmod.kernel_facts import KernelFacts, Offer
from modpost_py.kmod.load_rules_releases import LoadDialect, load_dialect
from modpost_py.kmod.module_file import ModuleFile
from modpost_py.object_file import ObjectFile


class Reason(NamedTuple):
    """Why the kernel refuses a module.

    ``kind`` is one of the kinds in docs/modcheck-py.md, ``errno`` the name of the error that insmod gets, ``text`` for
    people; ``symbol`` and ``provider`` (the module that exports it) where there is one; ``log_line`` what the kernel
    prints, ``None`` where it prints nothing; ``advice`` what to do.
    """

    kind: str
    errno: str
    text: str
    symbol: str = ""
    provider: str = ""
    log_line: str | None = None
    advice: str = ""
    near: tuple[str, ...] = ()


class Remark(NamedTuple):
    """What the kernel, or whoever loads the module, should know but does not refuse it for."""

    kind: str
    text: str
    symbol: str = ""
    log_line: str | None = None


class Taint(NamedTuple):
    """A taint that loading the module sets; ``letter`` as in ``/sys/module/NAME/taint``."""

    letter: str
    text: str
    log_line: str | None = None


class Unknown(NamedTuple):
    """A fact that decides and that nothing told."""

    kind: str
    text: str
    symbol: str = ""


class Need(NamedTuple):
    """A module that has to be loaded before, for a symbol."""

    module: str
    symbol: str


Finding = Reason | Remark | Taint | Unknown | Need
Findings = Iterator[Finding]

#: The letters of taints, in the order of their bits.
TAINT_ORDER = "PFCOEKN"


class Circumstances(NamedTuple):
    """How the module is loaded.

    ``command_line`` is the kernel's, ``sig_enforce`` is as if it had ``module.sig_enforce``.  ``as_insmod``: only
    modules that are given as loaded are; otherwise the in-tree modules that it needs are loaded first, as modprobe
    does.  ``process`` is the program's name in the log.
    """

    command_line: str = ""
    sig_enforce: bool = False
    as_insmod: bool = False
    process: str = "insmod"


class Provided(NamedTuple):
    """What a module that is loaded before exports, and whether it is proprietary."""

    offer: Offer
    is_proprietary: bool


class LoadCase:
    """One module on its way into one kernel: what the rules look at.

    ``data`` are the uncompressed bytes of the file, ``module`` the same as the kernel reads it, ``None`` where it
    cannot be read.  ``loaded`` are the names of the modules that are there already, ``provided`` their exports.
    ``taints`` and ``used`` (the exports that the module's symbols were found to be) grow as the rules go on.
    """

    def __init__(
        self,
        path: str,
        data: bytes,
        kernel: KernelFacts,
        circumstances: Circumstances,
        loaded: frozenset[str] = frozenset(),
        provided: Mapping[str, Provided] | None = None,
    ) -> None:
        self.path = path
        self.data = data
        self.kernel = kernel
        self.circumstances = circumstances
        self.loaded = loaded
        self.provided = provided or {}
        self.taints: set[str] = set()
        self.used: list[Offer] = []

    @cached_property
    def dialect(self) -> LoadDialect:
        """How this kernel judges."""
        return load_dialect(self.kernel.release)

    @cached_property
    def module(self) -> ModuleFile | None:
        """The module as the kernel reads it: in its own word size and byte order, whatever the file says."""
        data = self.data
        machine = self.kernel.machine
        if machine is not None:
            ident = bytes((2 if machine.bits == 64 else 1, 1 if machine.byteorder == "little" else 2))
            if data[4:6] != ident:
                data = data[:4] + ident + data[6:]
        try:
            return ModuleFile(self.path, data)
        except ModuleFileError:
            return None

    @cached_property
    def object_file(self) -> ObjectFile | None:
        """Its sections and symbols, ``None`` where they cannot be read."""
        if self.module is None:
            return None
        try:
            return ObjectFile(self.path, self.module.data)
        except ObjectFileError:
            return None

    @cached_property
    def name(self) -> str:
        """What the kernel calls the module: modinfo's ``name``, else that of the file."""
        name = self.module.value("name") if self.module is not None else None
        base = self.path.rsplit("/", 1)[-1]
        return name or base.split(".", 1)[0].replace("-", "_")

    def section_bytes(self, name: str) -> bytes | None:
        """An allocated section of the module as the kernel finds it; ``None`` where it finds none."""
        header = self.module.section_header(name) if self.module is not None else None
        if header is None or self.module is None or not header[2] & _SHF_ALLOC:
            return None
        return self.module.section_bytes(name)

    def elf_log(self, text: str) -> str:
        """The line about what is wrong with the ELF file: the kernel's own for each thing, or one for all."""
        return self.dialect.elf_line or text


_SHF_ALLOC = 2
