# SPDX-License-Identifier: GPL-2.0-or-later
"""The symbol table: which definition of a name is valid, and what is said about the others."""

from __future__ import annotations

from genksyms_py.messages import Location
from genksyms_py.symbol_table import Symbol, SymbolTable, unknown_definition

PLACE = Location("a.c", 7)


class _Listening:
    """A table whose messages and new definitions are collected."""

    def __init__(self, preserve: bool = False) -> None:
        self.messages: list[tuple[str, bool]] = []
        self.definitions: list[str] = []
        self.table = SymbolTable(
            preserve=preserve,
            on_message=lambda message: self.messages.append((str(message), message.is_error)),
            on_definition=lambda symbol: self.definitions.append(symbol.symref),
        )

    def declare(self, kind: str, name: str, definition: str, is_extern: bool = False) -> Symbol:
        return self.table.declare(kind, name, tuple(definition.split()), is_extern, PLACE)

    def refer(self, kind: str, name: str, definition: str, is_override: bool = False) -> None:
        self.table.add_reference(kind, name, tuple(definition.split()), is_override=is_override)


def test_the_first_definition_stays() -> None:
    """Check that an equal definition is dropped in silence and a different one with a message."""
    listening = _Listening()
    first = listening.declare("", "x", "int x")
    assert listening.declare("", "x", "int x", is_extern=True) is first
    assert listening.declare("", "x", "long x") is first
    assert (first.definition, first.is_extern, first.location) == (("int", "x"), False, PLACE)
    assert listening.messages == [("a.c:7: redefinition of x", True)]
    assert listening.definitions == ["x"]


def test_the_tag_of_a_token_counts() -> None:
    """Check that the same text with another tag is another definition."""
    listening = _Listening()
    listening.declare("", "x", "int x [ N ]")
    listening.declare("", "x", "int x [ E#N ]")
    assert listening.messages == [("a.c:7: redefinition of x", True)]


def test_name_spaces() -> None:
    """Check that tags and ordinary names are apart, and that kinds of one name space exclude each other."""
    listening = _Listening()
    tag = listening.declare("s", "A", "struct A { }")
    constant = listening.declare("E", "A", "0")
    listening.declare("u", "A", "union A { }")
    listening.declare("t", "A", "typedef int A")
    assert listening.messages == [("a.c:7: redefinition of A", True)] * 2
    assert [listening.table.find(kind, "A") for kind in "ue"] == [tag, tag]
    assert [listening.table.find(kind, "A") for kind in ("", "t", "E")] == [constant] * 3
    assert listening.table.lexed_kinds == {"A": "E"}
    assert len(listening.table) == 2


def test_reference_entries_are_invisible_until_declared() -> None:
    """Check that look-ups see an entry of the reference only when the unit has declared it."""
    listening = _Listening()
    listening.refer("t", "u32", "typedef int u32")
    assert (listening.table.find("t", "u32"), listening.table.lexed_kinds) == (None, {})
    symbol = listening.declare("t", "u32", "typedef int u32", is_extern=True)
    assert listening.table.find("t", "u32") is symbol
    assert (symbol.status, symbol.is_extern, symbol.location) == ("unchanged", False, PLACE)
    assert (listening.table.lexed_kinds, listening.messages) == ({"u32": "t"}, [])
    assert listening.definitions == ["t#u32"]


def test_a_changed_definition_replaces_the_reference() -> None:
    """Check that a difference from the reference is modified, or defined if the reference had an unknown compound."""
    listening = _Listening()
    listening.refer("", "x", "int x", is_override=True)
    listening.refer("s", "A", "struct A { UNKNOWN }")
    listening.refer("u", "B", "struct B { UNKNOWN }")
    listening.refer("", "y", "{ UNKNOWN }")
    found = [
        listening.declare("", "x", "long x"),
        listening.declare("s", "A", "struct A { int a ; }"),
        listening.declare("s", "B", "struct B { UNKNOWN }"),
        listening.declare("", "y", "int y"),
    ]
    assert [symbol.status for symbol in found] == ["modified", "defined", "defined", "modified"]
    assert not any(symbol.is_override for symbol in found)
    assert listening.messages == []
    assert listening.definitions == ["x", "s#A", "u#B", "y", "x", "s#A", "s#B", "y"]


def test_an_override_is_kept_with_preserve() -> None:
    """Check that with -p an override keeps the reference's definition and kind, and says so under the new kind."""
    listening = _Listening(preserve=True)
    listening.refer("u", "A", "union A { }", is_override=True)
    listening.refer("", "x", "int x", is_override=True)
    listening.refer("", "y", "int y")
    kept = listening.declare("s", "A", "struct A { }")
    listening.declare("", "x", "int x")
    changed = listening.declare("", "y", "long y")
    assert (kept.kind, kept.definition, kept.is_override, kept.status) == (
        "u",
        ("union", "A", "{", "}"),
        True,
        "unchanged",
    )
    assert listening.messages == [
        ("a.c:7: ignoring struct A modversion change", False),
        ("a.c:7: x modversion is unchanged", False),
    ]
    assert (changed.status, changed.is_override) == ("modified", False)


def test_an_enum_restarts_the_enumerators() -> None:
    """Check that registering an enum, also an unknown or a repeated one, restarts the counting; a struct does not."""
    table = SymbolTable()
    for kind, restarts in (("s", False), ("e", True), ("e", True)):
        table.enumerators.value(("5",))
        table.declare_unknown(kind, "A")
        assert table.enumerators.value(()) == (("0",) if restarts else ("(", "5", ")", "+", "1"))
    assert unknown_definition("e", "A") == ("enum", "A", "{", "UNKNOWN", "}")
