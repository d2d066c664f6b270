# SPDX-License-Identifier: GPL-2.0-or-later
"""Which module needs which, and an order in which a module stands before all those that it needs."""

from __future__ import annotations

import errno
import os
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from modpost_py.kmod.depmod_cycles import cycles_of
from modpost_py.kmod.depmod_kernel_symbols import without_prefix
from modpost_py.kmod.depmod_messages import DEBUG, ERROR, NOTICE, WARNING, Report, ReportedError
from modpost_py.kmod.depmod_reading import ModuleFacts
from modpost_py.kmod.depmod_search import FoundModule


class Module:
    """A module of the run.

    ``index`` is its place in ``modules.dep``, and its priority in the indices.  ``needs`` are the modules that it
    needs itself, ``rank`` its place in the order of dependencies.
    """

    __slots__ = ("facts", "found", "index", "needs", "rank", "users")

    def __init__(self, found: FoundModule, facts: ModuleFacts, index: int) -> None:
        self.found = found
        self.facts = facts
        self.index = index
        self.needs: list[Module] = []
        self.users = 0
        self.rank = 0


@dataclass
class SymbolChecks:
    """What is asked about symbols: ``-e`` reports what nobody has, ``-E`` compares CRCs too, ``-P`` is a prefix."""

    reports_unknown: bool = False
    compares_versions: bool = False
    prefix: bytes = b""


@dataclass
class SymbolTable:
    """All symbols of the run: CRCs and owners by name; those of the kernel have no owner.

    Of a symbol that several modules export, the last has it.
    """

    crcs: dict[bytes, int]
    owners: dict[bytes, Module] = field(default_factory=dict)

    def add_exports(self, modules: Sequence[Module], prefix: bytes, report: Report) -> None:
        """Take up what the modules export, and report those that could not be read."""
        crcs, owners = self.crcs, self.owners
        for module in modules:
            facts = module.facts
            if facts.failure:
                priority = DEBUG if facts.failure == errno.ENOENT else ERROR
                reason = os.strerror(facts.failure)
                report(priority, f"failed to load symbols from {module.found.path}: {reason}")
            for name, crc in facts.exports():
                if prefix:
                    name = without_prefix(name, prefix)
                crcs[name] = crc
                owners[name] = module


def resolve(modules: Sequence[Module], table: SymbolTable, checks: SymbolChecks, report: Report) -> None:
    """Fill in ``needs`` and ``users`` of all modules."""
    for module in modules:
        names = module.facts.needs()
        if checks.prefix or module.facts.needed.startswith(b".") or b"\0." in module.facts.needed:
            # 64-bit PowerPC has .foo for the code of foo
            names = [without_prefix(name.removeprefix(b"."), checks.prefix) for name in names]
        if checks.reports_unknown:
            _check(module, names, table.crcs, checks, report)
        owners = table.owners
        for name in names:
            owner = owners.get(name)
            if owner is not None and owner not in module.needs:
                module.needs.append(owner)
                owner.users += 1
                report(NOTICE, f'{module.found.path} needs "{_text(name)}": {owner.found.path}')


def _check(
    module: Module, names: Sequence[bytes], crcs: Mapping[bytes, int], checks: SymbolChecks, report: Report
) -> None:
    facts = module.facts
    weak = set(array("I", facts.weak))
    expected = array("Q", facts.needed_crcs) if facts.needed_crcs else None
    originals = facts.needs()
    for position, name in enumerate(names):
        if position in weak:
            continue
        crc = crcs.get(name)
        if crc is None:
            report(WARNING, f"{module.found.path} needs unknown symbol {_text(originals[position])}")
        elif checks.compares_versions and crc != (expected[position] if expected is not None else 0):
            symbol = _text(originals[position])
            report(WARNING, f"{module.found.path} disagrees about version of symbol {symbol}")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def rank(modules: Sequence[Module], report: Report) -> None:
    """Give each module a rank lower than those of the modules that it needs, and sort ``needs`` by it.

    Modules that nobody needs come first, the last of them the first; then, depth first, what has no other users left.
    Raises :class:`ReportedError` where modules need each other, after each such cycle has been reported.
    """
    users = [module.users for module in modules]
    free = [module for module in modules if not module.users]
    ranked = 0
    while free:
        module = free.pop()
        module.rank = ranked
        ranked += 1
        for needed in module.needs:
            users[needed.index] -= 1
            if not users[needed.index]:
                free.append(needed)
    if ranked < len(modules):
        involved = _report_cycles([module for module in modules if users[module.index]], report)
        raise ReportedError(f"Found {involved} modules in dependency cycles!")
    for module in modules:
        if len(module.needs) > 1:
            module.needs.sort(key=_rank_of)


def _rank_of(module: Module) -> int:
    return module.rank


def _report_cycles(modules: Sequence[Module], report: Report) -> int:
    """Report every cycle that kmod would; returns how many modules are in one."""
    numbers = {module.index: number for number, module in enumerate(modules)}
    edges = [[numbers[needed.index] for needed in module.needs if needed.index in numbers] for module in modules]
    cycles, involved = cycles_of(edges)
    for cycle in cycles:
        names = [modules[number].found.name for number in cycle]
        report(ERROR, f"Cycle detected: {' -> '.join(names)}")
    report(ERROR, f"Found {involved} modules in dependency cycles!")
    return involved


def all_needs(modules: Sequence[Module]) -> list[list[Module]]:
    """For each module all that it needs, directly or not, in the order of ranks."""
    closures: dict[int, set[Module]] = {}
    # What a module needs has a higher rank: from the highest on, all of it is known
    for module in sorted(modules, key=_rank_of, reverse=True):
        if module.needs:
            closure = set(module.needs)
            for needed in module.needs:
                closure |= closures.get(needed.index, frozenset())
            closures[module.index] = closure
    return [sorted(closures.get(module.index, ()), key=_rank_of) for module in modules]
