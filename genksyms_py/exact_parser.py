# SPDX-License-Identifier: GPL-2.0-or-later
"""The exact engine (skeleton: the interface only)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from genksyms_py.dialects import Dialect
from genksyms_py.messages import Location, Message
from genksyms_py.symbol_table import Definition, SymbolTable


class Scope(Protocol):
    """What a fragment sees of the unit before it."""

    def kind_of(self, name: str) -> str | None:
        """``"t"`` for a declared typedef, ``"E"`` for an enum constant, ``""`` for another symbol, else None."""


class SyntaxErrorRecord(NamedTuple):
    """A syntax error, told or hidden by the rule of three tokens."""

    location: Location
    column: int
    token: str
    declaration_location: Location
    declaration_start: int
    declaration_end: int
    names: tuple[str, ...]


class Declared(NamedTuple):
    """One thing that a fragment declares, in order."""

    kind: str
    name: str
    definition: Definition
    is_extern: bool
    line: int


EnumeratorSnapshot = tuple[int, tuple[str, ...] | None]


class FragmentResult(NamedTuple):
    """What a piece of a unit declares, and whether reading ended where a declaration begins."""

    declarations: list[Declared]
    syntax_errors: list[SyntaxErrorRecord]
    is_neutral: bool
    enumerator_state: EnumeratorSnapshot


class ExactParser:
    """Parses a whole unit into a symbol table."""

    def __init__(
        self,
        dialect: Dialect,
        table: SymbolTable,
        on_message: Callable[[Message], None] | None = None,
        on_export: Callable[[str, Location], None] | None = None,
    ) -> None:
        self.syntax_errors: list[SyntaxErrorRecord] = []

    def parse(self, text: str) -> None:
        """Run a whole unit."""
        raise NotImplementedError


def parse_fragment(
    dialect: Dialect,
    text: str,
    scope: Scope,
    *,
    in_source: bool,
    line: int = 1,
    file: str = "<stdin>",
    enumerator_state: EnumeratorSnapshot = (0, None),
) -> FragmentResult:
    """Parse a piece of a unit that starts where a declaration begins."""
    raise NotImplementedError
