# SPDX-License-Identifier: GPL-2.0-or-later
"""Which references between sections a dialect forbids and which of those it excuses: the section rules made ready.

The answer for a pair of section names is found once a process, so that the check of an object is a matter of looking
names up.
"""

from __future__ import annotations

import re
from functools import cache

from modpost_py.addends import ADDENDS
from modpost_py.name_patterns import NamePatterns, compile_patterns
from modpost_py.section_classes import SECTION_RULES, Exemption, MismatchRule, Patterns, SectionRules


class ForbiddenTargets(dict[str, MismatchRule | None]):
    """``targets[section_name]``: the rule that a reference to that section breaks, or ``None``.

    ``rules`` are those whose ``from_sections`` have the section where the reference starts; the first one counts.
    The nameless section, that of undefined symbols, is never forbidden.
    """

    def __init__(self, rules: tuple[MismatchRule, ...]) -> None:
        super().__init__({"": None})
        self._rules = [
            (rule, compile_patterns(rule.bad), compile_patterns(rule.good) if rule.good else None) for rule in rules
        ]

    def __missing__(self, name: str) -> MismatchRule | None:
        for rule, bad, good in self._rules:
            if bad.fullmatch(name) or (good is not None and not good.fullmatch(name)):
                self[name] = rule
                return rule
        self[name] = None
        return None


class _CompiledExemption:
    """An exemption with its lists compiled, in the order: sections from and to, symbols from and to."""

    def __init__(self, exemption: Exemption) -> None:
        self.unless_extra_warnings = exemption.unless_extra_warnings
        lists = (exemption.from_sections, exemption.to_sections, exemption.from_symbols, exemption.to_symbols)
        self._expressions = tuple(_compiled(patterns) for patterns in lists)

    def covers(self, names: tuple[str, str, str, str]) -> bool:
        return all(
            expression is None or expression.fullmatch(name) is not None
            for expression, name in zip(self._expressions, names, strict=True)
        )


def _compiled(patterns: Patterns | None) -> re.Pattern[str] | None:
    return None if patterns is None else compile_patterns(patterns)


class ReferenceRules(dict[str, ForbiddenTargets | None]):
    """The section rules of one dialect; ``rules[section_name]`` are the targets forbidden to references from there.

    ``None`` means that no rule looks at references that start in a section of that name.  ``rules`` are the tables
    behind it, ``unchecked`` the sections that are not looked at, ``addends`` the addend tables by machine.
    """

    def __init__(self, dialect_name: str) -> None:
        super().__init__()
        self.rules: SectionRules = SECTION_RULES[dialect_name]
        self.unchecked = NamePatterns(self.rules.unchecked)
        self.addends = ADDENDS[dialect_name]
        self._from = [(rule, compile_patterns(rule.from_sections)) for rule in self.rules.rules]
        self._targets: dict[tuple[MismatchRule, ...], ForbiddenTargets] = {}
        self._exemptions = [_CompiledExemption(exemption) for exemption in self.rules.exemptions]
        self._annotated = compile_patterns(self.rules.annotated)

    def __missing__(self, name: str) -> ForbiddenTargets | None:
        rules = tuple(rule for rule, expression in self._from if expression.fullmatch(name))
        if not rules:
            found = None
        elif rules in self._targets:
            found = self._targets[rules]
        else:
            found = self._targets[rules] = ForbiddenTargets(rules)
        self[name] = found
        return found

    def excuses(
        self, from_section: str, to_section: str, from_symbol: str, to_symbol: str, extra_warnings: bool
    ) -> bool:
        """Whether a forbidden reference is known to be harmless."""
        names = (from_section, to_section, from_symbol, to_symbol)
        return any(
            exemption.covers(names)
            for exemption in self._exemptions
            if not (extra_warnings and exemption.unless_extra_warnings)
        )

    def skipped_types(self, machine: int, from_section: str, has_addends: bool) -> frozenset[int]:
        """The types of relocations that are no references when they apply to ``from_section``; none without addends."""
        return frozenset(
            skipped.type
            for skipped in self.rules.skipped
            if has_addends and skipped.machine == machine and skipped.section in (None, from_section)
        )

    def annotation(self, section: str) -> str:
        """The source annotation that puts something into an init or exit section: ``__init ``, ``__initdata ``...

        It is followed by a blank; the empty text stands for any other section.
        """
        if not self._annotated.fullmatch(section):
            return ""
        first, _dot, rest = section.removeprefix(".").partition(".")
        if "rodata" in rest:
            return f"__{first}const "
        if "data" in rest:
            return f"__{first}data "
        return f"__{first} "


@cache
def reference_rules(dialect_name: str) -> ReferenceRules:
    """The rules of a dialect; one object a process."""
    return ReferenceRules(dialect_name)
