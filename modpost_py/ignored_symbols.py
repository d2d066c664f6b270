# SPDX-License-Identifier: GPL-2.0-or-later
"""Undefined symbols that need no export: made by the linker or supplied by the module loader."""

from __future__ import annotations

from typing import NamedTuple

from modpost_py.dialects import Dialect
from modpost_py.elf_constants import EM_PPC, EM_PPC64, EM_S390


class IgnoredSymbols(NamedTuple):
    """Names and beginnings of names."""

    names: frozenset[str]
    prefixes: tuple[str, ...]


_ANY_MACHINE = frozenset({"__this_module", "_GLOBAL_OFFSET_TABLE_"})
_PPC_PREFIXES = ("_restgpr_", "_savegpr_", "_rest32gpr_", "_save32gpr_", "_restvr_", "_savevr_")
# 5.10 knows the last four since some release between 5.10.223 and 5.10.262
_PPC64_PREFIXES = (
    "_restgpr0_",
    "_savegpr0_",
    "_restvr_",
    "_savevr_",
    "_restgpr1_",
    "_savegpr1_",
    "_restfpr_",
    "_savefpr_",
)
_S390_PREFIXES = ("__s390_indirect_jump_r",)
_SECTION_BOUNDS = ("__start_", "__stop_")

# Per dialect: beginnings for every machine, then for one machine
_PREFIXES: dict[str, tuple[tuple[str, ...], dict[int, tuple[str, ...]]]] = {
    "5.10": ((), {EM_PPC: _PPC_PREFIXES, EM_PPC64: _PPC64_PREFIXES}),
    "6.1": ((), {EM_PPC: _PPC_PREFIXES, EM_PPC64: _PPC64_PREFIXES, EM_S390: _S390_PREFIXES}),
    "6.12": ((), {EM_PPC: _PPC_PREFIXES, EM_PPC64: _PPC64_PREFIXES}),
    "7.2": (_SECTION_BOUNDS, {EM_PPC: _PPC_PREFIXES, EM_PPC64: _PPC64_PREFIXES}),
    "7.3": (_SECTION_BOUNDS, {EM_PPC: _PPC_PREFIXES, EM_PPC64: _PPC64_PREFIXES}),
}


def ignored_symbols(machine: int, dialect: Dialect) -> IgnoredSymbols:
    """What an object of ``machine`` (an ``EM_`` number) may leave undefined."""
    for_all, by_machine = _PREFIXES[dialect.name]
    names = _ANY_MACHINE | {".TOC."} if machine == EM_PPC64 else _ANY_MACHINE
    return IgnoredSymbols(names, for_all + by_machine.get(machine, ()))
