# SPDX-License-Identifier: GPL-2.0-or-later
"""Cycles of modules that need each other, as depmod reports them.

kmod follows every way from one module until it is back there, then from the next that was in no such cycle.  Three
oddities come of that.  The next is the one that stands behind the module at which a way ended last.  A module that
needs others, is in no cycle, and was passed on an earlier way is reported as if it were a cycle by itself.  And where
a way leads into another cycle kmod goes round in that for ever, or fails an assertion; here such a cycle is reported as
well.  Modules are numbers, ``needs[n]`` are those that ``n`` needs.
"""

from __future__ import annotations

from collections.abc import Sequence

# The ways between n modules can be 2**n; nobody reads more than these
_MOST_STEPS = 100_000
_MOST_CYCLES = 1_000


def cycles_of(needs: Sequence[Sequence[int]]) -> tuple[list[list[int]], int]:
    """The cycles in kmod's order and how many modules are in any.

    A cycle begins and ends with the module that comes first on its way; it has one module where kmod reports one that
    is in none.  Of very many cycles only the first are told.
    """
    search = _Search(needs)
    while search.ring:
        search.follow_from(search.ring.pop(0))
    involved = sum(group is not None for group in _groups(needs))
    return search.cycles, involved


class _Search:
    """kmod's search, from one module after the other.

    ``cycles`` are closed: their first module is the last again.  ``ring`` are the modules to begin at, the next first.
    """

    def __init__(self, needs: Sequence[Sequence[int]]) -> None:
        self.cycles: list[list[int]] = []
        self.ring = list(range(len(needs)))
        self._needs = needs
        self._known: set[tuple[int, ...]] = set()
        self._in_cycles: set[int] = set()
        self._visited: set[int] = set()
        self._steps = 0

    def follow_from(self, start: int) -> None:
        """Follow all ways from a module that is in no cycle yet."""
        if start in self._in_cycles:
            return
        ways: list[tuple[int, ...]] = [(start,)]
        while ways and self._steps < _MOST_STEPS:
            self._steps += 1
            way = ways.pop()
            module = way[-1]
            if not self._needs[module]:
                self._go_on_behind(module)
            elif module == start and start in self._visited:
                self._add(way)
            elif module in way[:-1]:
                self._add(way[way.index(module) :])
            else:
                self._visited.add(module)
                ways += [(*way, needed) for needed in self._needs[module]]

    def _go_on_behind(self, module: int) -> None:
        if module in self.ring:
            place = self.ring.index(module)
            self.ring = self.ring[place + 1 :] + self.ring[:place]

    def _add(self, way: tuple[int, ...]) -> None:
        """Note a way that ends where it began."""
        turns = way[:-1] or way
        turned = turns.index(min(turns))
        key = (*turns[turned:], *turns[:turned], len(way) - len(turns))
        if key not in self._known and len(self.cycles) < _MOST_CYCLES:
            self._known.add(key)
            self.cycles.append(list(way))
            self._in_cycles.update(way[:-1])


def _groups(needs: Sequence[Sequence[int]]) -> list[set[int] | None]:
    """For each module those that it needs and that need it, itself included; ``None`` for one that is in no cycle.

    Tarjan's strongly connected components, without recursion.
    """
    groups: list[set[int] | None] = [None] * len(needs)
    order: dict[int, int] = {}
    lowest: dict[int, int] = {}
    waiting: list[int] = []
    for start in range(len(needs)):
        work = [] if start in order else [(start, 0)]
        while work:
            module, position = work.pop()
            if module not in order:
                order[module] = lowest[module] = len(order)
                waiting.append(module)
            for place in range(position, len(needs[module])):
                needed = needs[module][place]
                if needed not in order:
                    work += [(module, place), (needed, 0)]
                    break
                if needed in lowest:
                    lowest[module] = min(lowest[module], lowest[needed])
            else:
                if lowest[module] == order[module]:
                    _close_group(module, waiting, lowest, needs, groups)
    return groups


def _close_group(
    first: int,
    waiting: list[int],
    lowest: dict[int, int],
    needs: Sequence[Sequence[int]],
    groups: list[set[int] | None],
) -> None:
    place = waiting.index(first)
    members = set(waiting[place:])
    del waiting[place:]
    for member in members:
        del lowest[member]
    if len(members) > 1 or first in needs[first]:
        for member in members:
            groups[member] = members
