# SPDX-License-Identifier: GPL-2.0-or-later
"""The values that enum constants get in an expansion.

An enumerator without a value counts on from the last one that had an expression: ``N``, or ``( E ) + N``.  The state
outlives the enum wherever the C tool forgets to restart it: after a named enum of the source file and after an enum
that ended in a syntax error.
"""

from __future__ import annotations


class EnumeratorState:
    """The counter and the last expression.

    >>> state = EnumeratorState()
    >>> state.value(()), state.value(("1", "<<", "3")), state.value(())
    (('0',), ('1', '<<', '3'), ('(', '1', '<<', '3', ')', '+', '1'))
    """

    __slots__ = ("count", "expression")

    def __init__(self, count: int = 0, expression: tuple[str, ...] | None = None) -> None:
        self.count = count
        self.expression = expression

    def value(self, tokens: tuple[str, ...]) -> tuple[str, ...]:
        """The value of the next enumerator, written with the expression ``tokens`` (empty: none)."""
        if tokens:
            self.count = 1
            self.expression = tokens
            return tokens
        number = str(self.count)
        self.count += 1
        if self.expression is None:
            return (number,)
        return ("(", *self.expression, ")", "+", number)

    def restart(self) -> None:
        """Begin again with 0, as at the end of an enum."""
        self.count = 0
        self.expression = None

    def snapshot(self) -> tuple[int, tuple[str, ...] | None]:
        """The state as a value: counter and expression."""
        return self.count, self.expression

    def restore(self, snapshot: tuple[int, tuple[str, ...] | None]) -> None:
        """Go to a state that :meth:`snapshot` gave."""
        self.count, self.expression = snapshot
