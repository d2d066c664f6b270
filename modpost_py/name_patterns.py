# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists of name patterns in which ``*`` stands for any text, compiled and with the answers kept."""

from __future__ import annotations

import re
from collections.abc import Iterable


def compile_patterns(patterns: Iterable[str]) -> re.Pattern[str]:
    """One expression that fully matches what any of the patterns does; of no patterns, nothing at all."""
    expressions = [".*".join(map(re.escape, pattern.split("*"))) for pattern in patterns]
    return re.compile("|".join(expressions) if expressions else r"(?!)", re.DOTALL)


class NamePatterns(dict[str, bool]):
    """``patterns[name]``: whether one of the patterns matches; the answer for a name is found once.

    Meant for section names, of which there are few.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        super().__init__()
        self._expression = compile_patterns(patterns)

    def __missing__(self, name: str) -> bool:
        found = self[name] = self._expression.fullmatch(name) is not None
        return found
