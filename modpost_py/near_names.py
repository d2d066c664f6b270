# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that look like a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable

_MOST = 3


def near_names(wanted: str, names: Iterable[str]) -> list[str]:
    """At most three of ``names``, the nearest first: few edits away, or alike but for underscores.

    A name may be a quarter of its length off, and three edits at most.
    """
    limit = min(3, max(1, len(wanted) // 4))
    bare = wanted.strip("_")
    found = []
    for name in names:
        if abs(len(name) - len(wanted)) <= limit and name != wanted:
            distance = _distance(wanted, name, limit)
            if distance <= limit:
                found.append((distance, name))
                continue
        if bare and name != wanted and name.strip("_") == bare:
            found.append((1, name))
    return [name for _, name in sorted(found)[:_MOST]]


def _distance(first: str, second: str, limit: int) -> int:
    """Insertions, deletions, substitutions and swaps of neighbours between two texts; inexact above ``limit``."""
    if len({*first} ^ {*second}) > 2 * limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, character in enumerate(first, 1):
        current = [i]
        for j, other in enumerate(second, 1):
            cost = min(row[j] + 1, current[j - 1] + 1, row[j - 1] + (character != other))
            if i > 1 and j > 1 and character == second[j - 2] and first[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        if min(current) > limit:
            return limit + 1
        before, row = row, current
    return row[-1]
