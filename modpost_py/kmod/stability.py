# SPDX-License-Identifier: GPL-2.0-or-later
"""Stability lists: which exported symbols a kernel promises to keep, and which it does not.

Grammar of a rule file, a rule a line; the first rule that fits a symbol decides::

    file       = { [ rule ] [ "#" comment ] newline }
    rule       = ( "stable" | "experimental" ) condition { condition }
    condition  = ( "symbol" | "module" | "namespace" ) GLOB          all conditions of a rule have to hold
    GLOB       = a pattern of fnmatch: * ? [...]; "" is the empty text

A module is compared by the name that Module.symvers gives it (``drivers/usb/core/usbcore``, ``vmlinux``) and by
its own (``usbcore``); a symbol without name space has the empty one.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase, translate
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from modpost_py.errors import FileError
from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.kernel_facts import Offer

STABLE, EXPERIMENTAL = "stable", "experimental"
_SUBJECTS = ("symbol", "module", "namespace")


class StabilityError(KmodError):
    """A rule file that cannot be read; the text is ``path:line: message``."""


class Rule:
    """One rule: ``stability``, its conditions as (subject, pattern), and where it stands."""

    def __init__(self, stability: str, conditions: tuple[tuple[str, str], ...], path: str, line: int) -> None:
        self.stability = stability
        self.conditions = conditions
        self.path = path
        self.line = line

    @property
    def place(self) -> str:
        """``path:line``."""
        return f"{self.path}:{self.line}"

    @property
    def text(self) -> str:
        """The rule as it would be written."""
        return " ".join([self.stability, *(f"{subject} {pattern}" for subject, pattern in self.conditions)])

    @cached_property
    def _matchers(self) -> list[tuple[str, re.Pattern[str]]]:
        return [(subject, re.compile(translate(pattern))) for subject, pattern in self.conditions]

    def fits(self, offer: Offer) -> bool:
        """Whether all conditions hold; one on a name space that is unknown does not."""
        return all(any(map(pattern.match, _values(offer, subject))) for subject, pattern in self._matchers)

    def covers(self, other: Rule) -> bool:
        """Whether it certainly fits everything that ``other`` fits: standing behind it, ``other`` never decides."""
        return all(
            any(subject == theirs and _is_wider(pattern, narrower) for theirs, narrower in other.conditions)
            for subject, pattern in self.conditions
        )


def _values(offer: Offer, subject: str) -> tuple[str, ...]:
    if subject == "symbol":
        return (offer.symbol,)
    if subject == "module":
        return offer.module, offer.module_name
    return () if offer.namespace is None else (offer.namespace,)


def _is_wider(pattern: str, narrower: str) -> bool:
    # With stars only, what is between its literal pieces is arbitrary: the other's wildcards among it
    return pattern == narrower or (not re.search(r"[?\[]", pattern) and fnmatchcase(narrower, pattern))


class StabilityList:
    """The rules of one file, in order."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = list(rules)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> StabilityList:
        """Read a rule file; raises :class:`StabilityError` for a line that is no rule, and :class:`FileError`."""
        name = os.fspath(path)
        try:
            text = Path(path).read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise FileError(name, error.errno or 5) from None
        numbered = ((number, line.split("#", 1)[0].split()) for number, line in enumerate(text.splitlines(), 1))
        return cls([_rule(words, name, number) for number, words in numbered if words])

    def rule_for(self, offer: Offer) -> Rule | None:
        """The first rule that fits a symbol."""
        return next((rule for rule in self.rules if rule.fits(offer)), None)


def _rule(words: Sequence[str], path: str, line: int) -> Rule:
    stability, *rest = words
    if stability not in (STABLE, EXPERIMENTAL):
        raise StabilityError(f"{path}:{line}: '{stability}' is neither {STABLE} nor {EXPERIMENTAL}")
    if not rest:
        raise StabilityError(f"{path}:{line}: a rule needs a condition: symbol, module or namespace, and a pattern")
    conditions = []
    for position in range(0, len(rest), 2):
        subject, *pattern = rest[position : position + 2]
        if subject not in _SUBJECTS:
            raise StabilityError(f"{path}:{line}: '{subject}' is none of symbol, module, namespace")
        if not pattern:
            raise StabilityError(f"{path}:{line}: '{subject}' needs a pattern")
        conditions.append((subject, "" if pattern[0] == '""' else pattern[0]))
    return Rule(stability, tuple(conditions), path, line)


class RuleUse(NamedTuple):
    """How much a rule does for one kernel: the exports that it fits and those for which it decides.

    ``shadow`` is the rule before it that leaves it nothing, where there is one that does so for every kernel.
    """

    rule: Rule
    fitting: int
    deciding: int
    shadow: Rule | None

    @property
    def fault(self) -> str:
        """What is wrong with the rule; empty for nothing."""
        if self.shadow is not None:
            return f"never decides: line {self.shadow.line} ({self.shadow.text}) fits everything that it fits"
        if not self.fitting:
            return "fits no exported symbol"
        if not self.deciding:
            return "never decides: rules before it fit all that it fits"
        return ""


def uses_of_rules(stability: StabilityList, offers: Iterable[Offer]) -> list[RuleUse]:
    """What each rule does for the exports of a kernel, in the order of the rules."""
    fitting: Counter[int] = Counter()
    deciding: Counter[int] = Counter()
    for offer in offers:
        numbers = [number for number, rule in enumerate(stability.rules) if rule.fits(offer)]
        fitting.update(numbers)
        deciding.update(numbers[:1])
    return [
        RuleUse(rule, fitting[number], deciding[number], _shadow(stability.rules[:number], rule))
        for number, rule in enumerate(stability.rules)
    ]


def _shadow(before: Iterable[Rule], rule: Rule) -> Rule | None:
    return next((other for other in before if other.covers(rule)), None)


class Reliance(NamedTuple):
    """What a module leans on: the experimental symbols with their rules, and how many are stable or in no rule."""

    experimental: list[tuple[Offer, Rule]]
    stable: int
    unlisted: int


def reliance_on(stability: StabilityList, used: Iterable[Offer]) -> Reliance:
    """How stable the symbols are that a module uses."""
    experimental = []
    stable = unlisted = 0
    for offer in used:
        rule = stability.rule_for(offer)
        if rule is None:
            unlisted += 1
        elif rule.stability == STABLE:
            stable += 1
        else:
            experimental.append((offer, rule))
    return Reliance(experimental, stable, unlisted)
