# SPDX-License-Identifier: GPL-2.0-or-later
"""Symbol versions of translation units: the fast path, and the exact parser where it is needed.

:class:`Versioner` serves many units, on the fast path (:mod:`genksyms_py.translation_unit`)
wherever that is certain to give what the C tool gives.  :func:`exact_run` reads one unit as
the C tool does, from the first token to the last, with every message and option.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from genksyms_py.arriving_text import ArrivingText
from genksyms_py.dialects import Dialect
from genksyms_py.errors import UnversionableSymbolError
from genksyms_py.exact_parser import ExactParser
from genksyms_py.expansion import Expander, Expansion, Loaded, finished_expansion, key_of
from genksyms_py.messages import Location, Message
from genksyms_py.pieces import IrregularError, LostDeclaration, lost_declaration
from genksyms_py.symbol_table import KIND_WORDS, TAG_KINDS, Symbol, SymbolTable, unknown_definition
from genksyms_py.symtypes import format_line
from genksyms_py.translation_unit import Place, TranslationUnit, UnitReader


class SymbolType(NamedTuple):
    """A symbol that an expansion reaches: ``symref`` and ``definition`` as in a symtypes line, and its origin.

    ``location`` is the first declaration's file and line, None for what no text declares.
    """

    symref: str
    definition: tuple[str, ...]
    location: Location | None


class SymbolVersion:
    """An exported symbol's version.

    ``crc`` is the CRC-32 that the kernel ships; ``expansion`` the text it was computed over,
    ``types`` what that text is made of, in order of completion, the symbol itself last.  Both
    are worked out when asked for.
    """

    __slots__ = ("_expansion", "_locate", "crc", "name")

    def __init__(self, name: str, expansion: Expansion, locate: Callable[[str, str], Location | None]) -> None:
        self.name = name
        self.crc = expansion.crc
        self._expansion = expansion
        self._locate = locate

    @property
    def expansion(self) -> str:
        """The expanded declaration, one space after every token."""
        return self._expansion.text.decode("latin-1")

    @property
    def types(self) -> tuple[SymbolType, ...]:
        """Every symbol reached, with its definition and where that stands."""
        return tuple(
            SymbolType(symbol.symref, symbol.definition, self._locate(symbol.kind, symbol.name))
            for symbol in self._expansion.symbols
        )

    def __repr__(self) -> str:
        return f"SymbolVersion({self.name!r}, crc={self.crc:#010x})"


@dataclass(slots=True)
class UnitVersions:
    """What one unit gives.

    ``versions`` stand in the order of the export markers; ``symtypes`` holds every symbol that
    an export visited, in order of first completion; ``unversioned`` the exports that got no
    CRC, with the place of their markers; ``lost`` the syntax errors (if they were asked for).

    Of the exact parser only: ``warning_count`` (what ``-w`` shows and counts), ``failure_count``
    (what counts always) and ``entry_count``, the size of the symbol table.
    """

    versions: list[SymbolVersion] = field(default_factory=list)
    symtypes: list[Loaded] = field(default_factory=list)
    unversioned: list[tuple[str, Location]] = field(default_factory=list)
    lost: list[LostDeclaration] = field(default_factory=list)
    warning_count: int = 0
    failure_count: int = 0
    entry_count: int = 0

    def symtypes_text(self) -> str:
        """The symtypes file, as ``-T`` writes it."""
        return "".join(format_line(_symbol(loaded)) for loaded in self.symtypes if loaded.definition)


class _Visited:
    """Collects the symbols that exports visit, each once, in order of first completion."""

    def __init__(self, result: UnitVersions) -> None:
        self._result = result
        self._seen: set[Loaded] = set()

    def add(self, symbols: Iterable[Loaded]) -> None:
        seen = self._seen
        for symbol in symbols:
            if symbol not in seen:
                seen.add(symbol)
                self._result.symtypes.append(symbol)


class Versioner:
    """Computes the symbol versions of units of one dialect; each further unit profits from the earlier ones.

    ``wants_symtypes`` and ``notes_errors`` say what is asked for beside the CRCs;
    ``remembers=False`` saves time and memory where there is only one unit.
    """

    def __init__(
        self, dialect: Dialect, *, wants_symtypes: bool = False, notes_errors: bool = False, remembers: bool = True
    ) -> None:
        self.dialect = dialect
        self._wants_symtypes = wants_symtypes
        self._notes_errors = notes_errors
        self._reader = UnitReader(dialect, notes_errors=notes_errors, remembers=remembers)

    def unit_versions(self, source: bytes | ArrivingText) -> UnitVersions:
        """The versions of all symbols that a preprocessed unit exports; the unit may still be arriving."""
        try:
            return self._fast(self._reader.read(source))
        except IrregularError:
            return exact_run(source if isinstance(source, bytes) else source.whole(), self.dialect)

    def _fast(self, unit: TranslationUnit) -> UnitVersions:
        result = UnitVersions()
        visited = _Visited(result)
        lookup = _PlaceLookup(unit)
        expander = Expander(lookup)

        def locate(kind: str, name: str) -> Location | None:
            return unit.origin(key_of(kind, name))

        for name, place in unit.exports:
            lookup.place = place
            exported = unit.find(name, place)
            if exported is None:
                result.unversioned.append((name, unit.location(place)))
                continue
            expansion = expander.expand(exported)
            result.versions.append(SymbolVersion(name, expansion, locate))
            if self._wants_symtypes:
                visited.add(expansion.symbols)
        result.lost += unit.lost_declarations
        return result


class _PlaceLookup:
    """Loads symbols for an expansion as they are declared at a place."""

    def __init__(self, unit: TranslationUnit) -> None:
        self._unit = unit
        self.place: Place = (0, 0)

    def __call__(self, kind: str, name: str) -> Loaded:
        found = self._unit.find(key_of(kind, name), self.place)
        if found is not None:
            return found
        if kind not in TAG_KINDS:
            raise IrregularError  # read as a reference, so it was declared
        if kind == "e":
            self._unit.restart_enumerators(self.place)
        return Loaded(kind, name, unknown_definition(kind, name))


def exact_run(
    source: bytes,
    dialect: Dialect,
    *,
    references: Iterable[Callable[[SymbolTable], None]] = (),
    preserve: bool = False,
    on_message: Callable[[Message], None] | None = None,
    on_definition: Callable[[Symbol], None] | None = None,
    on_dump: Callable[[bytes], None] | None = None,
) -> UnitVersions:
    """Read a unit from its first token to its last, as the C tool does.

    ``references`` enter symtypes files into the table (option ``-r``); ``on_message`` gets each
    message when it arises, ``on_definition`` each symbol that is entered (``-d``), ``on_dump``
    the text of the expansions piece by piece (``-D``).
    """
    return _ExactRun(dialect, preserve, on_message, on_definition, on_dump).run(source, references)


class _ExactRun:
    """One run of the exact parser, expanding at each export marker what is declared so far."""

    def __init__(
        self,
        dialect: Dialect,
        preserve: bool,
        on_message: Callable[[Message], None] | None,
        on_definition: Callable[[Symbol], None] | None,
        on_dump: Callable[[bytes], None] | None,
    ) -> None:
        self._result = UnitVersions()
        self._visited = _Visited(self._result)
        self._preserve = preserve
        self._on_message = on_message
        self._on_dump = on_dump
        self._location = Location("", 0)
        self._table = SymbolTable(preserve=preserve, on_message=self._tell, on_definition=on_definition)
        self._parser = ExactParser(dialect, self._table, self._tell, self._export)
        self._expander = Expander(self._load)

    def run(self, source: bytes, references: Iterable[Callable[[SymbolTable], None]]) -> UnitVersions:
        for enter in references:
            enter(self._table)
        text = source.decode("latin-1")
        self._parser.parse(text)
        self._result.entry_count = len(self._table)
        self._result.lost += (lost_declaration(record, text) for record in self._parser.syntax_errors)
        return self._result

    def _tell(self, message: Message) -> None:
        if message.is_error:
            self._result.warning_count += 1
        if self._on_message is not None:
            self._on_message(message)

    def _load(self, kind: str, name: str) -> Loaded:
        symbol = self._table.find(kind, name)
        if symbol is None:
            if kind not in TAG_KINDS:
                raise UnversionableSymbolError(f"the preserved definition refers to {kind}#{name}, never declared")
            self._tell(Message(self._location, f"expand undefined {KIND_WORDS[kind]} {name}"))
            symbol = self._table.declare_unknown(kind, name, self._location)
        return _loaded(symbol)

    def _export(self, name: str, location: Location) -> None:
        self._location = location
        symbol = self._table.find("", name)
        if symbol is None:
            self._tell(Message(location, f"export undefined symbol {name}"))
            self._result.unversioned.append((name, location))
            return
        begun: list[Loaded] = []
        completed: list[Loaded] = []
        dump = self._on_dump
        pieces: list[bytes] = []
        if dump is not None:
            dump(f"Export {name} == <".encode("latin-1"))
        try:
            for piece in self._expander.walk(_loaded(symbol), begun, completed):
                pieces.append(piece)
                if dump is not None:
                    dump(piece)
        except UnversionableSymbolError as error:
            self._tell(Message(location, f"{name}: {error}", is_error=False))
            self._result.failure_count += 1
            self._result.unversioned.append((name, location))
            return
        self._visited.add(completed)
        self._result.versions.append(
            SymbolVersion(name, finished_expansion(pieces, completed), self._origin)
        )
        self._report_changes(name, begun)
        if dump is not None:
            dump(b">\n")

    def _report_changes(self, name: str, begun: list[Loaded]) -> None:
        """Tell which of the visited symbols differ from the reference, the one begun last first."""
        changes = []
        for visited in reversed(begun):
            symbol = self._table.find(visited.kind, visited.name)
            if symbol is not None and symbol.status != "unchanged":
                word = KIND_WORDS[symbol.kind]
                change = f"{word} {symbol.name}" if word else symbol.name
                changes.append(change + (" (became defined)" if symbol.status == "defined" else ""))
        if not changes:
            return
        severity = "error" if self._preserve else "warning"
        text = f"{severity}: {name}: modversion changed because of changes in {', '.join(changes)}"
        if self._on_message is not None:
            self._on_message(Message(self._location, text, is_error=False))
        if self._preserve:
            self._result.failure_count += len(changes)

    def _origin(self, kind: str, name: str) -> Location | None:
        symbol = self._table.find(kind, name)
        return symbol.location if symbol is not None else None


def _loaded(symbol: Symbol) -> Loaded:
    return Loaded(symbol.kind, symbol.name, symbol.definition, symbol.is_extern, symbol.is_override)


def _symbol(loaded: Loaded) -> Symbol:
    return Symbol(
        loaded.kind, loaded.name, loaded.definition, loaded.is_extern, is_override=loaded.is_override
    )
