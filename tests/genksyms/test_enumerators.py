# SPDX-License-Identifier: GPL-2.0-or-later
"""Values of enum constants."""

from __future__ import annotations

from genksyms_py.enumerators import EnumeratorState


def test_values_count_on() -> None:
    """Check that values are decimal numbers, and sums once an expression was written."""
    state = EnumeratorState()
    values = [state.value(tokens) for tokens in ((), (), ("E#A", "+", "1"), (), (), ("0x7",), ())]
    assert [" ".join(value) for value in values] == [
        "0",
        "1",
        "E#A + 1",
        "( E#A + 1 ) + 1",
        "( E#A + 1 ) + 2",
        "0x7",
        "( 0x7 ) + 1",
    ]
    state.restart()
    assert state.value(()) == ("0",)


def test_snapshots_restore() -> None:
    """Check that a state goes on from a snapshot as from the moment it was taken."""
    state = EnumeratorState()
    state.value(("3",))
    snapshot = state.snapshot()
    state.restart()
    state.restore(snapshot)
    assert (state.value(()), EnumeratorState(*snapshot).value(())) == (("(", "3", ")", "+", "1"),) * 2
