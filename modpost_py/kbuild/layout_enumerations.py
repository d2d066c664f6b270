# SPDX-License-Identifier: GPL-2.0-or-later
"""What happened to an enum between two kernels: whether constants were only added, and its type is as wide as before.

A compiled module has the values of the constants in it, and the size of the type.  Constants that are added leave both
alone if no old value moves and the new values need no other integer type.  The smallest type counts, since an enum may
be packed, which genksyms does not write down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from modpost_py.kbuild.layout_types import Tokens

#: A value: a number, or the expression that could not be calculated and what is added to it.
_Value = int | tuple[Tokens, int]

_INTEGERS = ((0, 0xFF), (-0x80, 0x7F), (0, 0xFFFF), (-0x8000, 0x7FFF), (0, 0x7FFFFFFF), (-0x80000000, 0x7FFFFFFF))
_PRECEDENCE = {"|": 1, "<<": 2, "+": 3, "-": 3, "*": 4}


class EnumerationChange(NamedTuple):
    """``what`` tells the change, empty where there is none; ``expressions`` have to be the same, pair by pair."""

    is_harmless: bool
    what: str
    expressions: tuple[tuple[Tokens, Tokens], ...] = ()


def enumeration_change(old: Sequence[tuple[str, Tokens]], new: Sequence[tuple[str, Tokens]]) -> EnumerationChange:
    """Compare the constants of two enums: names with the tokens of their values, empty where they count on."""
    old_values, new_values = _values(old), _values(new)
    expressions: list[tuple[Tokens, Tokens]] = []
    for name, value in old_values.items():
        if name not in new_values:
            return EnumerationChange(False, f"the constant {name} is gone")
        other = new_values[name]
        if isinstance(value, int) or isinstance(other, int):
            if value != other:
                return EnumerationChange(False, f"{name} was {_shown(value)}, is {_shown(other)}")
        elif value[1] != other[1]:
            return EnumerationChange(False, f"{name} was {_shown(value)}, is {_shown(other)}")
        else:
            expressions.append((value[0], other[0]))
    added = [name for name in new_values if name not in old_values]
    if not added:
        return EnumerationChange(True, "", tuple(expressions))
    if _smallest_integer(old_values) is None or _smallest_integer(old_values) != _smallest_integer(new_values):
        return EnumerationChange(False, f"with {added[0]} the enum may need another integer type")
    return EnumerationChange(True, f"constants were added: {', '.join(added)}", tuple(expressions))


def _values(constants: Sequence[tuple[str, Tokens]]) -> dict[str, _Value]:
    values: dict[str, _Value] = {}
    following: _Value = 0
    for name, tokens in constants:
        value = following
        if tokens:
            number = calculated(tokens, values)
            value = (tokens, 0) if number is None else number
        values[name] = value
        following = value + 1 if isinstance(value, int) else (value[0], value[1] + 1)
    return values


def _smallest_integer(values: Mapping[str, _Value]) -> tuple[int, int] | None:
    """The range of the first of the integer types that holds all values; ``None`` where it is not known."""
    numbers = [value for value in values.values() if isinstance(value, int)]
    if len(numbers) != len(values) or not numbers:
        return None
    return next((range_ for range_ in _INTEGERS if range_[0] <= min(numbers) and max(numbers) <= range_[1]), None)


def _shown(value: _Value) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{' '.join(value[0])} + {value[1]}" if value[1] else " ".join(value[0])


def calculated(tokens: Tokens, names: Mapping[str, _Value]) -> int | None:
    """The value of a constant expression in which everything is an ``int``; ``None`` for any other.

    expression = operand ( ( "|" | "<<" | "+" | "-" | "*" ) operand )*, with the precedence of C
    operand    = NUMBER | NAME of a constant before | "-" operand | "(" expression ")"
    """
    calculator = _Calculator(tokens, names)
    try:
        value = calculator.expression(0)
    except (ValueError, RecursionError):
        return None
    return value if calculator.is_at_end else None


class _Calculator:
    def __init__(self, tokens: Tokens, names: Mapping[str, _Value]) -> None:
        self._tokens = tokens
        self._names = names
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        return self._at == len(self._tokens)

    def expression(self, lowest: int) -> int:
        value = self._operand()
        while not self.is_at_end and _PRECEDENCE.get(self._tokens[self._at], 0) > lowest:
            operator = self._tokens[self._at]
            self._at += 1
            value = _combined(operator, value, self.expression(_PRECEDENCE[operator]))
        return value

    def _operand(self) -> int:
        if self.is_at_end:
            raise ValueError
        token = self._tokens[self._at]
        self._at += 1
        if token == "-":
            return -self._operand()
        if token == "(":
            value = self.expression(0)
            if self.is_at_end or self._tokens[self._at] != ")":
                raise ValueError
            self._at += 1
            return value
        known = self._names.get(token.removeprefix("E#"))
        if known is not None:
            if not isinstance(known, int):
                raise ValueError
            return known
        return _as_int(int(token, 8) if token.startswith("0") and token.isdigit() else int(token, 0))


def _combined(operator: str, left: int, right: int) -> int:
    if operator == "<<":
        if left < 0 or not 0 <= right < 31:
            raise ValueError
        return _as_int(left << right)
    if operator == "|":
        return left | right
    return _as_int(left * right if operator == "*" else left + right if operator == "+" else left - right)


def _as_int(value: int) -> int:
    if not -0x80000000 <= value <= 0x7FFFFFFF:
        raise ValueError
    return value
