# SPDX-License-Identifier: GPL-2.0-or-later
"""The exact engine: parses a translation unit as the C tool does, its syntax errors and their recovery included.

The tables come from lark (lalr.py, grammar_a.lark, grammar_b.lark), the driver is ours, because the C tool's results
depend on two habits of its parser that lark's driver does not have:

* A rule is reduced, and its action takes effect, without reading the next token whenever nothing else is possible, and
  by default (in spite of a wrong next token) unless the state is a recovery place.  A name is looked up when it is
  read, so what a declaration means depends on which actions came before.
* On a syntax error the parser goes back to the innermost state that can shift ERROR, and skips tokens until one fits.

:class:`ExactParser` runs a whole unit into a symbol table, :func:`parse_fragment` a piece of one into a list.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple, Protocol

from genksyms_py.dialects import Dialect
from genksyms_py.enumerators import EnumeratorState
from genksyms_py.lalr import END, ERROR
from genksyms_py.messages import NO_FILE, Location, Message
from genksyms_py.phrases import LexedKinds, PhraseReader, vocabulary
from genksyms_py.raw_tokens import HASH_LINE, TOKEN, Lines
from genksyms_py.reserved_words import COMPOUND_KINDS
from genksyms_py.symbol_table import Definition, SymbolTable

#: After an error, so many terminals must be accepted before the next one is told.
_SILENT_FOR = 3

# In place of a terminal: the next one has not been read, parsing cannot go on.
_UNREAD = -1
_STOP = -2

_OPENING_BRACKETS = frozenset("({")

EnumeratorSnapshot = tuple[int, tuple[str, ...] | None]


class SyntaxErrorRecord(NamedTuple):
    """A syntax error, whether it was told or hidden by the rule of three tokens.

    ``location`` is the C tool's idea of the place (the line reading had reached), ``line`` and ``column`` (from 1) are
    those of the offending ``token`` itself.  ``declaration_start`` and ``declaration_end`` are offsets in the text of
    the file-level declaration around it, ``names`` what that declaration registered nevertheless.
    """

    location: Location
    line: int
    column: int
    token: str
    declaration_location: Location
    declaration_start: int
    declaration_end: int
    names: tuple[str, ...]


_Rule = tuple[int, int, Callable[["Engine", int], None] | None]


class Declarations(Protocol):
    """Where the engine enters what it finds, and looks up what exists."""

    enumerators: EnumeratorState

    @property
    def lexed_kinds(self) -> LexedKinds:
        """The typedefs and enum constants declared so far."""

    def declare(self, kind: str, name: str, definition: Definition, is_extern: bool, location: Location) -> object:
        """Enter a declaration."""


class Engine:
    """One run over one text.

    Every symbol on the parser's stack has as its value the index, in the token list, of its last token.
    """

    def __init__(
        self,
        dialect: Dialect,
        text: str,
        lines: Lines,
        declarations: Declarations,
        on_message: Callable[[Message], None],
        on_export: Callable[[str, Location], None],
    ) -> None:
        self.syntax_errors: list[SyntaxErrorRecord] = []
        #: Whether the whole text was read, and ended where a declaration does.
        self.is_complete = True
        self._text = text
        self._lines = lines
        self._declarations = declarations
        self._on_message = on_message
        self._on_export = on_export
        words = vocabulary(dialect)
        self._tables = words.grammar
        self._rules = _rules_with_actions(dialect)
        self._has_no_type_flag = dialect.grammar == "B"
        self._keeps_attributes = dialect.keeps_declarator_attributes
        self.reader = PhraseReader(words, text, lines, declarations.lexed_kinds, self._is_inside_brackets)
        self._tokens = self.reader.tokens
        self._states = [0]
        self._values = [-1]
        self._silent = 0
        #: Offset and told place of the errors in this declaration.
        self._errors: list[tuple[int, Location]] = []
        self._registered: list[str] = []
        self._declaration_start = 0
        self._begin_declaration()

    # ---- the driver

    def run(self) -> bool:
        """Parse; return whether the input ended where a declaration begins, with nothing pending."""
        reader = self.reader
        is_accepted = self._drive()
        self._record_errors()
        self.is_complete = is_accepted and not (reader.ended_inside or reader.cut_short)
        return self.is_complete and not reader.awaits_compound and not reader.no_type

    def _drive(self) -> bool:
        """Run the automaton; return whether it accepted the input."""
        table = self._tables
        all_actions, consistent, default, gotos = table.actions, table.consistent, table.default, table.gotos
        rules = self._rules
        states, values, tokens = self._states, self._values, self._tokens
        read = self.reader.terminals().__next__
        state = 0
        lookahead = _UNREAD
        while True:
            rule = consistent[state]
            if rule < 0:
                if lookahead < 0:
                    lookahead = read()
                action = all_actions[state].get(lookahead)
                if action is None:
                    rule = default[state]
                    if rule < 0:
                        lookahead = self._recover(lookahead)
                        if lookahead == _STOP:
                            return False
                        state = states[-1]
                        continue
                elif action > 0:
                    state = action - 1
                    states.append(state)
                    values.append(len(tokens) - 1)
                    lookahead = _UNREAD
                    if self._silent:
                        self._silent -= 1
                    continue
                elif action == 0:
                    return True
                else:
                    rule = -action - 1
            left, length, act = rules[rule]
            if act is not None:
                act(self, length)
            if length > 1:
                del states[-length:], values[-length:-1]
            else:
                states.pop()
            state = gotos[left][states[-1]]
            states.append(state)

    def _recover(self, lookahead: int) -> int:
        """A syntax error at ``lookahead``: go to the innermost recovery place, return the lookahead from there on.

        An error right after another one means that its token is skipped.  The end of the input cannot be skipped.
        """
        numbers = self._tables.terminals
        if self._silent == _SILENT_FOR:
            if numbers[lookahead : lookahead + 1] == [END]:
                return _STOP
            lookahead = _UNREAD
        else:
            self._note_error(is_told=not self._silent)
        error = numbers.index(ERROR)
        target = self._tables.actions[self._states[-1]].get(error, 0)
        while target <= 0:
            self._states.pop()
            self._values.pop()
            target = self._tables.actions[self._states[-1]].get(error, 0)
        self._states.append(target - 1)
        self._values.append(len(self._tokens) - 1)
        self._silent = _SILENT_FOR
        return lookahead

    def _note_error(self, is_told: bool) -> None:
        first = self.reader.first
        location = self._location()
        start = first.start(first.lastindex) if first is not None and first.lastindex else self.reader.position
        self._errors.append((start, location))
        if is_told:
            self._on_message(Message(location, "syntax error"))

    def _is_inside_brackets(self) -> bool:
        """Whether a block that is read now can end up in a definition: only where something is open around it."""
        entered_by = self._tables.entered_by
        return any(entered_by[state] in _OPENING_BRACKETS for state in self._states)

    def _location(self) -> Location:
        return self._lines.at(self.reader.position)

    # ---- declarations: actions of the grammars; ``length`` is the number of symbols of the rule

    def _begin_declaration(self) -> None:
        self._is_typedef = False
        self._is_extern = False
        self._name = ""
        #: The index of the last token of the most recent specifier, -1 if there is none.
        self._mark = -1
        self._remembered: Definition = ()

    def _end_declaration(self, length: int) -> None:
        self._record_errors()
        self.reader.cut(0)
        self._values[-1] = -1
        self._registered.clear()
        self._declaration_start = self.reader.position
        self._begin_declaration()

    def _begin_typedef(self, length: int) -> None:
        self._is_typedef = True

    def _export(self, length: int) -> None:
        self._on_export(self._word(self._values[-3]), self._location())

    def _define_function(self, length: int) -> None:
        self._declare("", self._name, self._kept(0, self._values[-2] + 1))

    def _declare_first(self, length: int) -> None:
        self._remembered = self._kept(0, self._mark + 1)
        self._remembered_mark = self._mark
        self._declare_plain(self._kept(0, self._values[-1] + 1))

    def _declare_next(self, length: int) -> None:
        self._declare_after(self._values[-2])

    def _declare_next_attributed(self, length: int) -> None:
        self._declare_after(self._values[-3])

    def _declare_after(self, comma: int) -> None:
        """Register a second or later declarator, which gets the specifiers remembered from the first.

        One that itself has a specifier makes the C tool copy a ring of tokens for ever.
        """
        if self._mark != self._remembered_mark:
            self._remembered_mark = self._mark
            text = f"{self._name}: specifiers inside a second declarator, for which genksyms has no definition"
            self._on_message(Message(self._location(), text))
        self._declare_plain(self._remembered + self._kept(comma + 1, self._values[-1] + 1))

    def _declare_plain(self, definition: Definition) -> None:
        self._declare("t" if self._is_typedef else "", self._name, definition)

    def _declare(self, kind: str, name: str, definition: Definition) -> None:
        self._registered.append(name)
        is_extern = self._is_extern and kind != "E"
        self._declarations.declare(kind, name, definition, is_extern, self._location())

    # The rule's value becomes the end of the definition.

    def _cut_before_attributes(self, length: int) -> None:
        if not self._keeps_attributes:
            self._values[-1] = self._values[-2]

    def _cut_initialiser(self, length: int) -> None:
        self._values[-1] = self._values[-3]
        self._expect_name(length)

    def _set_name(self, length: int) -> None:
        self._name = self._word(self._values[-1])
        self._expect_type(length)

    # ---- the flag of grammar B that makes typedef names plain

    def _expect_name(self, length: int) -> None:
        self.reader.no_type = self._has_no_type_flag

    def _expect_type(self, length: int) -> None:
        self.reader.no_type = False

    # ---- specifiers

    def _end_specifier(self, length: int) -> None:
        self._mark = self._values[-1]

    def _end_type(self, length: int) -> None:
        self._mark = self._values[-1]
        self.reader.no_type = self._has_no_type_flag

    def _refer_to_typedef(self, length: int) -> None:
        index = self._values[-1]
        self._tokens[index] = f"t#{self._tokens[index]}"
        self._end_type(length)

    def _drop_word(self, length: int) -> None:
        self._tokens[self._values[-1]] = None

    def _drop_specifier(self, length: int) -> None:
        self._drop_word(length)
        self._end_specifier(length)

    def _set_extern(self, length: int) -> None:
        self._is_extern = True
        self._drop_specifier(length)

    def _clear_extern(self, length: int) -> None:
        self._is_extern = False
        self._drop_specifier(length)

    def _end_typeof(self, length: int) -> None:
        self._end_type(length)
        self._mark = self._values[-4]

    # KEYWORD attributes? IDENT
    def _refer_to_compound(self, length: int) -> None:
        keyword, tag = self._values[-length], self._values[-1]
        kind = COMPOUND_KINDS[self._word(keyword)]
        self._tokens[tag] = f"{kind}#{self._word(tag)}"
        self._tokens[keyword] = None
        self._end_type(length)

    # KEYWORD attributes? IDENT body
    def _define_compound(self, length: int) -> None:
        keyword, tag = self._values[-length], self._values[-2]
        name = self._word(tag)
        kind = COMPOUND_KINDS[self._word(keyword)]
        if self.reader.was_in_source(tag):
            self._tokens[keyword] = None
            last = tag
        else:
            self._declare(kind, name, self._kept(keyword, len(self._tokens)))
            last = keyword
        self._tokens[last] = f"{kind}#{name}"
        self.reader.cut(last + 1)
        self._values[-1] = last
        self._end_type(length)

    def _end_anonymous_enum(self, length: int) -> None:
        self._declarations.enumerators.restart()
        self._end_type(length)

    # ---- enumerators

    def _declare_enumerator(self, length: int) -> None:
        self._declare_enum_constant(self._values[-1], ())

    def _declare_valued_enumerator(self, length: int) -> None:
        self._declare_enum_constant(self._values[-3], self._kept(self._values[-2] + 1, self._values[-1] + 1))

    def _declare_enum_constant(self, index: int, expression: Definition) -> None:
        self._declare("E", self._word(index), self._declarations.enumerators.value(expression))

    # ---- tokens

    def _word(self, index: int) -> str:
        """The text of a token, without the tag of an enum constant."""
        token = self._tokens[index] or ""
        return token[2:] if token[1:2] == "#" else token

    def _kept(self, start: int, end: int) -> Definition:
        """The tokens of a range that have not been removed."""
        return tuple(filter(None, self._tokens[start:end]))

    # ---- records for those who do not want errors to be silent

    def _record_errors(self) -> None:
        if not self._errors:
            return
        text, lines = self._text, self._lines
        end = self.reader.position
        start = _skip_blank(text, self._declaration_start)
        for position, location in self._errors:
            match = TOKEN.match(text, position)
            token = match[match.lastindex] if match is not None and match.lastindex else ""
            record = SyntaxErrorRecord(
                location=location,
                line=lines.at(position).line,
                column=lines.column(position),
                token=token,
                declaration_location=lines.at(start),
                declaration_start=start,
                declaration_end=end,
                names=tuple(self._registered),
            )
            self.syntax_errors.append(record)
        self._errors.clear()


@functools.cache
def _rules_with_actions(dialect: Dialect) -> list[_Rule]:
    """The rules of the dialect's grammar with the methods that are their actions."""
    rules = vocabulary(dialect).grammar.rules
    return [(left, length, getattr(Engine, f"_{name}") if name else None) for left, length, name in rules]


def _skip_blank(text: str, position: int) -> int:
    """The position of the first token at or after ``position``."""
    for match in TOKEN.finditer(text, position):
        if match.lastindex is not None and match.lastindex != HASH_LINE:
            return match.start(match.lastindex)
    return len(text)


class ExactParser:
    """Parses whole units into ``table``.

    ``on_message`` gets every message in order, syntax errors under the rule of three tokens; the caller gives the table
    the same callback.  ``on_export`` gets the name at each export marker, when the table holds what is declared so far.
    ``syntax_errors`` has a record for every error, told or not.  ``is_complete`` is false if the input ended inside a
    declaration or at a byte that is no text, so that something of it was lost.
    """

    def __init__(
        self,
        dialect: Dialect,
        table: SymbolTable,
        on_message: Callable[[Message], None] | None = None,
        on_export: Callable[[str, Location], None] | None = None,
    ) -> None:
        self.syntax_errors: list[SyntaxErrorRecord] = []
        self.is_complete = True
        self._dialect = dialect
        self._table = table
        self._on_message = on_message or _ignore
        self._on_export = on_export or _ignore

    def parse(self, text: str) -> None:
        """Run a whole unit, given as latin-1 text."""
        engine = Engine(self._dialect, text, Lines(text), self._table, self._on_message, self._on_export)
        engine.run()
        self.is_complete = engine.is_complete
        self.syntax_errors = engine.syntax_errors


def _ignore(*_: object) -> None: ...


# ---- fragments


class Scope(Protocol):
    """What a fragment sees of the unit before it."""

    def kind_of(self, name: str, /) -> str | None:
        """``"t"`` for a declared typedef, ``"E"`` for an enum constant, ``""`` for another symbol, else None."""


class Declared(NamedTuple):
    """One thing that a fragment declares; the fields are those of a symbol."""

    kind: str
    name: str
    definition: Definition
    is_extern: bool
    line: int


class FragmentResult(NamedTuple):
    """What a piece of a unit declares, in order, what it has of syntax errors, and how it ends.

    ``is_neutral``: reading ended where a declaration begins, with nothing pending that could change how the text after
    it is read.  ``enumerator_state`` is what the next enum would begin with.
    """

    declarations: list[Declared]
    syntax_errors: list[SyntaxErrorRecord]
    messages: list[Message]
    is_neutral: bool
    enumerator_state: EnumeratorSnapshot


class _FragmentKinds:
    """Look-ups of a fragment: what the scope knows comes first, since the first declaration of a name is valid."""

    def __init__(self, scope: Scope) -> None:
        self.own: dict[str, str] = {}
        self._scope = scope

    def get(self, name: str, /) -> str | None:
        kind = self._scope.kind_of(name)
        return self.own.get(name) if kind is None else kind


class _FragmentDeclarations:
    """Collects what a fragment declares."""

    def __init__(self, scope: Scope, enumerators: EnumeratorState) -> None:
        self.enumerators = enumerators
        self.lexed_kinds = _FragmentKinds(scope)
        self.found: list[Declared] = []

    def declare(self, kind: str, name: str, definition: Definition, is_extern: bool, location: Location) -> None:
        if kind == "e":
            self.enumerators.restart()
        elif kind not in ("s", "u"):
            self.lexed_kinds.own.setdefault(name, kind)
        self.found.append(Declared(kind, name, definition, is_extern, location.line))


def parse_fragment(
    dialect: Dialect,
    text: str,
    scope: Scope,
    *,
    in_source: bool,
    line: int = 1,
    file: str = NO_FILE,
    source_file: str | None = None,
    enumerator_state: EnumeratorSnapshot = (0, None),
) -> FragmentResult:
    """Parse a piece of a unit that begins where a declaration does, in neutral state, and has no export markers.

    ``in_source``, ``line`` and ``file`` tell where it begins; ``source_file`` is needed only if it has line markers.
    """
    if _skip_blank(text, 0) == len(text):
        return FragmentResult([], [], [], True, enumerator_state)
    enumerators = EnumeratorState(*enumerator_state)
    declarations = _FragmentDeclarations(scope, enumerators)
    lines = Lines(text, Location(file, line), file if in_source else source_file)
    messages: list[Message] = []
    engine = Engine(dialect, text, lines, declarations, messages.append, _ignore)
    is_neutral = engine.run()
    return FragmentResult(declarations.found, engine.syntax_errors, messages, is_neutral, enumerators.snapshot())
