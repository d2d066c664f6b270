# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole genksyms made of the exact engine and the plainest possible expansion, as an independent check.

The package's own expansion is clever; this one follows the rule word by word: depth first, left to right, a symbol that
has begun already gives its short form.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from genksyms_py.dialects import Dialect
from genksyms_py.errors import GenksymsError
from genksyms_py.exact_parser import ExactParser
from genksyms_py.messages import Location, Message
from genksyms_py.symbol_table import KIND_WORDS, TAG_KINDS, Symbol, SymbolTable
from genksyms_py.symtypes import add_reference_lines, format_line, parse_lines


class Outcome(NamedTuple):
    """All that a run of genksyms leaves behind; ``symtypes`` is the -T file."""

    stdout: str
    symtypes: str
    stderr: str
    status: int


class Request(NamedTuple):
    """The options of a run: ``reference`` is the text of the -r file."""

    warnings: bool = True
    preserve: bool = False
    reference: str | None = None
    debug: bool = False
    dump: bool = False


Run = Callable[[bytes, Request], Outcome]


class _Genksyms:
    def __init__(self, dialect: Dialect, request: Request) -> None:
        self._dialect = dialect
        self._request = request
        self._table = SymbolTable(
            preserve=request.preserve,
            on_message=self._tell,
            on_definition=self._tell_definition if request.debug else None,
        )
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self.errors = 0
        self._visited: list[Symbol] = []
        self._visited_set: set[int] = set()

    def run(self, text: str) -> Outcome:
        """The whole run."""
        request = self._request
        if request.reference is not None:
            try:
                add_reference_lines(
                    parse_lines(request.reference, "reference"),
                    self._table,
                    leaks_enumerators=self._dialect.grammar == "A",
                )
            except GenksymsError as error:
                self.stderr.append(f"{str(error).split(': ', 1)[1]}\n")
                return Outcome("", "", "".join(self.stderr), error.exit_status)
        ExactParser(self._dialect, self._table, self._tell, self._export).parse(text)
        if request.debug:
            count = len(self._table)
            self.stderr.append(f"Hash table occupancy {count}/4096 = {count / 4096:g}\n")
        symtypes = "".join(format_line(symbol) for symbol in self._visited if symbol.definition)
        return Outcome("".join(self.stdout), symtypes, "".join(self.stderr), 1 if self.errors else 0)

    def _tell(self, message: Message) -> None:
        if message.is_error and not self._request.warnings:
            return
        self.errors += message.is_error
        self.stderr.append(f"{message}\n")

    def _tell_definition(self, symbol: Symbol) -> None:
        kind = KIND_WORDS[symbol.kind] or "type0"
        tokens = "".join(f"{token} " for token in symbol.definition) or "(nil)"
        extern = "extern " if symbol.is_extern else ""
        self.stderr.append(f"Defn for {kind} {symbol.name} == <{extern}{tokens}>\n")

    def _export(self, name: str, location: Location) -> None:
        symbol = self._table.find("", name)
        if symbol is None:
            self._tell(Message(location, f"export undefined symbol {name}"))
            return
        self._begun: dict[int, Symbol] = {}
        self._location = location
        if self._request.dump:
            self.stderr.append(f"Export {name} == <")
        text = "".join(self._expanded(symbol))
        self._compare(name, location)
        if self._request.dump:
            self.stderr.append(">\n")
        crc = zlib.crc32(text.encode("latin-1"))
        self.stdout.append(
            f"#SYMVER {name} 0x{crc:08x}\n" if self._dialect.output == "symver" else f"__crc_{name} = 0x{crc:08x};\n"
        )

    def _compare(self, name: str, location: Location) -> None:
        changed = [symbol for symbol in reversed(self._begun.values()) if symbol.status != "unchanged"]
        if not changed:
            return
        word = "error" if self._request.preserve else "warning"
        if self._request.preserve:
            self.errors += len(changed)
        names = ", ".join(
            (f"{KIND_WORDS[symbol.kind]} " if symbol.kind else "")
            + symbol.name
            + (" (became defined)" if symbol.status == "defined" else "")
            for symbol in changed
        )
        text = f"{word}: {name}: modversion changed because of changes in {names}"
        self.stderr.append(f"{Message(location, text)}\n")

    def _expanded(self, symbol: Symbol) -> Iterator[str]:
        """The expansion, told token by token with -D, since messages can come between."""
        for token in self._expand(symbol):
            if self._request.dump:
                self.stderr.append(f"{token} ")
            yield f"{token} "

    def _expand(self, symbol: Symbol) -> Iterator[str]:
        """Expand without recursion: a stack of the symbols under way and the rest of their definitions."""
        self._begun[id(symbol)] = symbol
        stack = [(symbol, iter(symbol.definition))]
        while stack:
            current, rest = stack[-1]
            token = next(rest, None)
            if token is None:
                stack.pop()
                if id(current) not in self._visited_set:
                    self._visited_set.add(id(current))
                    self._visited.append(current)
                continue
            if token[1:2] != "#":
                yield token
                continue
            kind, name = token[0], token[2:]
            target = self._table.find(kind, name)
            if target is None and kind in TAG_KINDS:
                self._tell(Message(self._location, f"expand undefined {KIND_WORDS[kind]} {name}"))
                target = self._table.declare_unknown(kind, name, self._location)
            assert target is not None, token
            if id(target) in self._begun:
                yield f"{KIND_WORDS[kind]} {name}" if kind in TAG_KINDS else name
                continue
            self._begun[id(target)] = target
            stack.append((target, iter(target.definition)))


def plain_run(dialect: Dialect) -> Run:
    """The plain genksyms of a dialect."""

    def run(source: bytes, request: Request) -> Outcome:
        return _Genksyms(dialect, request).run(source.decode("latin-1"))

    return run
