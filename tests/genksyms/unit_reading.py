# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading a unit with the exact engine, so that what it declares and says can be compared as text."""

from __future__ import annotations

from typing import NamedTuple

from genksyms_py.dialects import dialect_of
from genksyms_py.exact_parser import ExactParser, SyntaxErrorRecord
from genksyms_py.messages import Location
from genksyms_py.symbol_table import Symbol, SymbolTable

#: Stands before each case: the typedef that the cases use.
PRELUDE = "typedef int u32;\n"

#: A kernel for each grammar.
KERNEL_OF_GRAMMAR = {"A": "6.1", "B": "7.2"}


class Case(NamedTuple):
    """A text, the lines of what it registers after PRELUDE, in order, and the messages.

    What grammar B makes of it stands behind where it differs.
    """

    text: str
    declared: tuple[str, ...]
    messages: tuple[str, ...] = ()
    declared_by_b: tuple[str, ...] | None = None
    messages_by_b: tuple[str, ...] | None = None

    def expected(self, grammar: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What a grammar declares and says."""
        if grammar == "B" and self.declared_by_b is not None:
            return self.declared_by_b, self.messages_by_b or ()
        return self.declared, self.messages


class Reading(NamedTuple):
    """What a unit declares (as lines of a symtypes file), says, exports and has of errors."""

    declared: tuple[str, ...]
    messages: tuple[str, ...]
    exports: tuple[str, ...]
    errors: tuple[SyntaxErrorRecord, ...]
    is_complete: bool


def read_unit(text: str, kernel: str = "6.1") -> Reading:
    """Read a whole unit."""
    declared: list[str] = []
    messages: list[str] = []
    exports: list[str] = []

    def note_definition(symbol: Symbol) -> None:
        words = [symbol.symref, *["extern"] * symbol.is_extern, *symbol.definition]
        declared.append(" ".join(words))

    def note_export(name: str, location: Location) -> None:
        exports.append(f"{location.file}:{location.line}: {name}")

    table = SymbolTable(on_message=lambda message: messages.append(str(message)), on_definition=note_definition)
    parser = ExactParser(dialect_of(kernel), table, lambda message: messages.append(str(message)), note_export)
    parser.parse(text)
    return Reading(tuple(declared), tuple(messages), tuple(exports), tuple(parser.syntax_errors), parser.is_complete)


def read_case(case: Case, grammar: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a case declares after PRELUDE, and the messages."""
    reading = read_unit(PRELUDE + case.text, KERNEL_OF_GRAMMAR[grammar])
    assert reading.declared[0] == "t#u32 typedef int u32"
    return reading.declared[1:], reading.messages
