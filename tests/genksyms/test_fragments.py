# SPDX-License-Identifier: GPL-2.0-or-later
"""Pieces of a unit parsed on their own."""

from __future__ import annotations

import pytest

from genksyms_py.dialects import dialect_of
from genksyms_py.exact_parser import Declared, parse_fragment


class _Scope:
    def __init__(self, kinds: dict[str, str]) -> None:
        self._kinds = kinds
        self.asked: list[str] = []

    def kind_of(self, name: str, /) -> str | None:
        self.asked.append(name)
        return self._kinds.get(name)


def test_names_are_looked_up_in_the_scope() -> None:
    """Check that typedefs and enum constants of the scope count, and that its names cannot be declared anew."""
    scope = _Scope({"u32": "t", "N": "E", "plain": ""})
    text = "typedef int plain; typedef int own; extern u32\n f(own a, int plain[N]); int f; enum { K = N } k;"
    result = parse_fragment(dialect_of("6.1"), text, scope, in_source=False, line=40, file="a.h")
    assert result.declarations == [
        Declared("t", "plain", ("typedef", "int", "plain"), False, 40),
        Declared("t", "own", ("typedef", "int", "own"), False, 40),
        Declared("", "f", ("t#u32", "f", "(", "t#own", ",", "int", "[", "E#N", "]", ")"), True, 41),
        Declared("", "f", ("int", "f"), False, 41),
        Declared("E", "K", ("E#N",), False, 41),
        Declared("", "k", ("enum", "{", "K", "=", "E#N", "}", "k"), False, 41),
    ]
    assert (result.syntax_errors, result.messages, result.is_neutral) == ([], [], True)
    assert {"f", "own", "plain", "N", "u32", "K", "k", "a"} >= set(scope.asked)


def test_compounds_of_the_source_file_are_not_registered() -> None:
    """Check that in_source, and markers that leave and enter the source file, decide about compounds."""
    text = 'struct A { int a; } x;\n# 1 "b.h"\nstruct B { int b; } y;\n# 9 "a.c"\nstruct C { int c; } z;'
    result = parse_fragment(dialect_of("6.1"), text, _Scope({}), in_source=True, file="a.c")
    assert [(entry.kind, entry.name, entry.line) for entry in result.declarations] == [
        ("", "x", 1),
        ("s", "B", 1),
        ("", "y", 1),
        ("", "z", 9),
    ]


def test_the_enumerators_go_on_from_the_state_given() -> None:
    """Check that a fragment begins with the enumerator state of the text before it and returns its own."""
    dialect = dialect_of("6.1")
    result = parse_fragment(dialect, "enum A { A0, A1 };", _Scope({}), in_source=True, enumerator_state=(3, ("7",)))
    assert [" ".join(entry.definition) for entry in result.declarations] == ["( 7 ) + 3", "( 7 ) + 4"]
    assert result.enumerator_state == (5, ("7",))
    restarted = parse_fragment(dialect, "enum { A0 = 2 };", _Scope({}), in_source=True, enumerator_state=(3, ("7",)))
    assert restarted.enumerator_state == (0, None)


# text -> neutral at its end in grammar A, in grammar B
ENDS = {
    "": (True, True),
    " \n#pragma x\n": (True, True),
    "int x;": (True, True),
    "int x; ;": (True, True),
    "int f(void) { }": (True, True),
    "3;": (True, True),
    "int 3;": (True, False),
    "int 3; int x;": (True, True),
    "struct A;": (True, True),
    "struct;": (False, False),
    "struct u32 3;": (True, False),
    "int x": (False, False),
    "int x = ": (False, False),
    "int x[": (False, False),
    "int f(void) {": (False, False),
    "struct A {": (False, False),
    "int f(3;": (False, False),
    "3": (False, False),
    "int x; \x80": (False, False),
    "int x; \0": (False, False),
}


@pytest.mark.parametrize("text", ENDS)
def test_the_end_is_judged(text: str) -> None:
    """Check that a fragment is neutral only if nothing of it can reach into the text behind it."""
    found = tuple(
        parse_fragment(dialect_of(kernel), text, _Scope({"u32": "t"}), in_source=False).is_neutral
        for kernel in ("6.1", "7.2")
    )
    assert found == ENDS[text]


def test_errors_are_recorded_with_offsets_of_the_fragment() -> None:
    """Check that the errors of a fragment have its lines, and offsets within its text."""
    result = parse_fragment(dialect_of("6.1"), "int x;\nint y 3;", _Scope({}), in_source=False, line=9, file="a.h")
    (error,) = result.syntax_errors
    assert (str(result.messages[0]), error.line, error.column) == ("a.h:10: syntax error", 10, 7)
    assert (error.declaration_start, error.declaration_end, error.names) == (7, 15, ("y",))
