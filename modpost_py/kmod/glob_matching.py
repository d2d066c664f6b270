# SPDX-License-Identifier: GPL-2.0-or-later
"""fnmatch(3) as glibc has it in the C locale and without flags: what kmod compares aliases with.

Python's own ``fnmatch`` knows no backslash, no ``[^...]``, no ``[[:digit:]]``, and takes a lone ``[`` differently.

Grammar of a pattern::

    pattern = { "*" | "?" | set | "\\" CHARACTER | CHARACTER }
    set     = "[" [ "!" | "^" ] [ "]" ] { member [ "-" member ] | "[:" CLASS ":]" | "[=" CHARACTER "=]" } "]"
    member  = [ "\\" ] CHARACTER | "[." CHARACTER ".]"

A ``[`` without its ``]`` stands for itself; a pattern that ends in a single backslash matches nothing.
"""

from __future__ import annotations

import functools
import re

_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_CLASS = re.compile(r"\[:([a-z]*):\]")
_EQUIVALENTS = re.compile(r"\[=(.)=\]", re.DOTALL)
_NAMED_MEMBER = re.compile(r"\[\.(.)\.\]", re.DOTALL)
_NEVER = "(?!)"


def matches(pattern: str, text: str) -> bool:
    """Whether ``fnmatch(pattern, text, 0)`` finds a match."""
    return _expression(pattern).fullmatch(text) is not None


@functools.lru_cache(maxsize=4096)
def _expression(pattern: str) -> re.Pattern[str]:
    parts: list[str] = []
    star_at = None
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            # What stands between two stars may be looked for once, at its first place: no way back into it, or a
            # pattern of many stars would take for ever.
            if star_at is not None:
                parts[star_at:] = ["(?>.*?", *parts[star_at + 1 :], ")"]
            star_at = len(parts)
            parts.append(".*")
        elif character == "?":
            parts.append(".")
        elif character == "[":
            expression, at = _set(pattern, at)
            parts.append(expression)
        elif character == "\\":
            parts.append(re.escape(pattern[at]) if at < len(pattern) else _NEVER)
            at += 1
        else:
            parts.append(re.escape(character))
    return re.compile("".join(parts), re.DOTALL)


def _set(pattern: str, start: int) -> tuple[str, int]:
    """The expression of the set behind a ``[``, and where it ends; ``\\[`` where it is none."""
    at = start
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    first = at
    ranges: list[str] = []
    while True:
        if at >= len(pattern):
            return "\\[", start
        if pattern[at] == "]" and at > first:
            break
        found = _CLASS.match(pattern, at)
        if found is not None:
            if found[1] not in _CLASSES:
                return _NEVER, len(pattern)
            ranges.append(_CLASSES[found[1]])
            at = found.end()
            continue
        found = _EQUIVALENTS.match(pattern, at)
        if found is not None:
            ranges.append(re.escape(found[1]))
            at = found.end()
            continue
        if pattern.startswith("[.", at) and _NAMED_MEMBER.match(pattern, at) is None:
            return _NEVER, len(pattern)
        low, at = _member(pattern, at)
        high = low
        if pattern[at : at + 1] == "-" and at + 1 < len(pattern) and pattern[at + 1] != "]":
            high, at = _member(pattern, at + 1)
        if low and high and low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    if not ranges:
        return ("." if negated else _NEVER), at + 1
    return f"[{'^' if negated else ''}{''.join(ranges)}]", at + 1


def _member(pattern: str, at: int) -> tuple[str, int]:
    """One character of a set, perhaps behind a backslash; nothing at the pattern's end."""
    named = _NAMED_MEMBER.match(pattern, at)
    if named is not None:
        return named[1], named.end()
    if pattern[at] == "\\":
        at += 1
    return pattern[at : at + 1], at + 1
