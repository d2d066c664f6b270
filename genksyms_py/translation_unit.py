# SPDX-License-Identifier: GPL-2.0-or-later
"""A translation unit on the fast path: which names it declares where, definitions on demand.

Reading a unit looks up its pieces (:mod:`genksyms_py.pieces`) and merges what they declare
into one index, first declaration first.  Definitions are made for the few names that
exports reach.  Whatever cannot be shown to come out like the C tool's raises
:class:`IrregularError`; the unit then goes to the exact parser as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from sys import intern
from typing import NamedTuple

from pycparser.c_parser import ParseError

from genksyms_py.arriving_text import ArrivingText
from genksyms_py.c_front_end import FrontEnd
from genksyms_py.declaration_shapes import shapes_of
from genksyms_py.definitions import INITIAL_COUNTER, DeclarationReader, DeclarationTokens, Declared
from genksyms_py.dialects import Dialect
from genksyms_py.exact_parser import parse_fragment
from genksyms_py.expansion import Definition, Loaded
from genksyms_py.messages import Location
from genksyms_py.pieces import (
    MARKER,
    Declaration,
    IrregularError,
    LostDeclaration,
    Piece,
    PieceAnalyser,
    kind_before,
    piece_text,
)
from genksyms_py.token_classes import TokenClasses

# Characters; a declaration that goes on for longer has most likely lost its end.
_LONGEST_REST = 400_000

Place = tuple[int, int]


class Export(NamedTuple):
    """An export marker: the symbol's name and the marker's place in the unit."""

    name: str
    place: Place


class UnitReader:
    """Reads units of one dialect and remembers their pieces, so that each further unit is cheaper.

    ``remembers=False`` is for a single unit: nothing is noted that only a further one would need.
    """

    def __init__(self, dialect: Dialect, *, notes_errors: bool = False, remembers: bool = True) -> None:
        self.dialect = dialect
        self.remembers = remembers
        self.notes_errors = notes_errors
        self.declaration_reader = DeclarationReader(dialect, FrontEnd())
        self.shapes = shapes_of(dialect)
        self._with_tokens: list[Piece] = []
        #: By the text between two markers: None for blank text, else the piece's variants,
        #: which differ in what was a typedef before, or in being in the source file.
        self.pieces: dict[bytes, list[Piece] | None] = {}
        #: The same for text that goes over several markers.
        self.joined_pieces: dict[str, list[Piece]] = {}

    def has_tokens(self, piece: Piece) -> None:
        """Note a piece that holds its tokens, to be freed when the next unit is read."""
        if self.remembers:
            self._with_tokens.append(piece)

    def read(self, source: bytes | ArrivingText) -> TranslationUnit:
        """Read one preprocessed unit.  Raises :class:`IrregularError`."""
        for piece in self._with_tokens:
            piece.forget_tokens()
        self._with_tokens.clear()
        return _Reading(self, ArrivingText([source]) if isinstance(source, bytes) else source).unit()


class _Reading:
    """One unit under way: the row of its pieces, and the typedefs and enum constants so far."""

    def __init__(self, reader: UnitReader, text: ArrivingText) -> None:
        self._pieces = reader.pieces
        self._joined = reader.joined_pieces
        self._reader = reader
        self._text = text
        self._source_file = ""
        self._typedefs: set[str] = set()
        self._enumerators: set[str] = set()
        self._classes = TokenClasses(reader.dialect)
        self._analyser = PieceAnalyser(
            reader.dialect,
            reader.shapes,
            self._classes,
            self._typedefs,
            self._enumerators,
            notes_errors=reader.notes_errors,
            remembers=reader.remembers,
        )
        self._row: list[Piece] = []

    def unit(self) -> TranslationUnit:
        text = self._text
        raw = text.texts
        if not text.more():
            raise IrregularError
        raw[0] = raw[0].removeprefix(b"# ")
        match = MARKER.match(raw[0])
        if match is None:
            raise IrregularError
        self._source_file = match[2].decode("latin-1")
        known = self._pieces
        index = 0
        while index < len(raw) or text.more():
            between = raw[index]
            variants = known.get(between, ())
            index += 1
            if variants is None:
                continue
            piece = self._fitting(variants) or self._analysed(between)
            if piece is None:
                continue
            self._append(piece)
            while piece.rest:
                piece, index = self._joined_with_next(piece, index)
                self._append(piece)
        if b"\n" not in raw[-1]:
            raise IrregularError
        return TranslationUnit(self._reader, self._row, self._typedefs, self._enumerators)

    def _fitting(self, variants: Iterable[Piece]) -> Piece | None:
        """The variant that this unit would give again."""
        typedefs = self._typedefs
        if not self._reader.remembers:
            return None
        for piece in variants:
            if (
                piece.in_source == (piece.file == self._source_file)
                and piece.types <= typedefs
                and typedefs.isdisjoint(piece.names)
                and (piece.surroundings is None or self._has_surroundings(piece.surroundings))
            ):
                return piece
        return None

    def _has_surroundings(self, surroundings: dict[str, str | None]) -> bool:
        return all(
            kind_before(name, self._typedefs, self._enumerators) == kind for name, kind in surroundings.items()
        )

    def _analysed(self, raw: bytes) -> Piece | None:
        """Analyse a piece that is new, or new under these typedefs; None for a blank one."""
        match = MARKER.match(raw)
        if match is None:
            raise IrregularError
        if raw[match.end() :].isspace() or match.end() == len(raw):
            self._pieces[raw] = None
            return None
        file = intern(match[2].decode("latin-1"))
        piece = Piece(raw, ((0, file, int(match[1])),), file == self._source_file)
        self._analyser.analyse(piece)
        self._reader.has_tokens(piece)
        variants = self._pieces.get(raw)
        if variants is None:
            variants = self._pieces[raw] = []
        variants.append(piece)
        return piece

    def _joined_with_next(self, piece: Piece, index: int) -> tuple[Piece, int]:
        """The piece that an incomplete declaration and the following text make."""
        raw = self._text.texts
        parts = [piece.rest]
        anchors = list(piece.rest_anchors)
        length = len(piece.rest)
        depth = _depth(piece.rest)
        is_mixed = False
        if length > _LONGEST_REST or not (index < len(raw) or self._text.more()):
            raise IrregularError  # no end of the declaration in sight
        while index < len(raw) or self._text.more():
            match = MARKER.match(raw[index])
            if match is None:
                raise IrregularError
            file = intern(match[2].decode("latin-1"))
            is_mixed |= (file == self._source_file) != piece.in_source
            text = piece_text(raw[index])
            index += 1
            length += 1
            anchors.append((length, file, int(match[1])))
            parts.append(text)
            length += len(text)
            depth += _depth(text)
            if depth <= 0 and (";" in text or "}" in text):
                break
        joined = self._joined_piece("\n".join(parts), tuple(anchors), piece.in_source, is_mixed)
        return joined, index

    def _joined_piece(
        self, text: str, anchors: tuple[tuple[int, str, int], ...], in_source: bool, is_mixed: bool
    ) -> Piece:
        """``is_mixed``: the text stands partly in the source file, partly in headers."""
        found = None if is_mixed else self._fitting(self._joined.get(text, ()))
        if found is not None:
            return found
        piece = Piece(text, anchors, in_source)
        self._analyser.analyse(piece)
        self._reader.has_tokens(piece)
        if not is_mixed:
            self._joined.setdefault(text, []).append(piece)
        elif piece.surroundings is not None or self._analyser.has_met_tags:
            raise IrregularError  # each tag's own place would decide whether it is recorded
        return piece

    def _append(self, piece: Piece) -> None:
        self._row.append(piece)
        if piece.typedefs:
            self._typedefs.update(piece.typedefs)
            self._classes.enter_typedefs(piece.typedefs)
        if piece.enumerators:
            self._enumerators.update(piece.enumerators)


def _depth(text: str) -> int:
    return text.count("{") + text.count("(") - text.count("}") - text.count(")")


class TranslationUnit:
    """The declarations of one unit.

    A *place* is a pair of numbers that orders like the text; :meth:`find` tells what a name
    means at a place.
    """

    def __init__(self, reader: UnitReader, row: list[Piece], typedefs: set[str], enumerators: set[str]) -> None:
        self._reader = reader
        self._dialect = reader.dialect
        self._declaration_reader = reader.declaration_reader
        self._enumerators = enumerators
        self._row = row
        self._places: dict[Piece, int] = {}
        index: dict[str, Declaration] = {}
        for place in range(len(row) - 1, -1, -1):
            piece = row[place]
            self._places[piece] = place
            index.update(piece.declared)
        self._index = index
        self._check_first_declarations(typedefs)
        #: What enums declare that begin with what an enum of the source file left.
        self._counted_on: dict[Declaration, Declared] = {}
        self._restarts: list[Place] = []
        self._count_on()

    def _check_first_declarations(self, typedefs: set[str]) -> None:
        """What was read as a typedef or constant must not have been declared as something else before."""
        index = self._index
        for name in typedefs:
            if name not in index[name].piece.typedefs:
                raise IrregularError
        if sum(len(piece.enumerators) for piece in self._row) > len(self._enumerators):
            raise IrregularError  # a constant that is declared twice is one already where it is declared again
        for piece in self._row:
            if piece.surroundings is not None:
                for name in piece.enumerators:
                    if index[name].piece is not piece:
                        raise IrregularError

    def _count_on(self) -> None:
        """The counter is not restarted after a named enum of the source file: give the next enum what it left."""
        self._counted_on.clear()
        state = INITIAL_COUNTER
        left_at = written_at = (0, 0)
        for piece in self._row:
            for declaration in piece.enums:
                leaks = piece.in_source and "W" in declaration.shape
                if state == INITIAL_COUNTER and not leaks:
                    continue
                place = self._place(declaration)
                if any(left_at < restart < place for restart in self._restarts):
                    state = INITIAL_COUNTER
                declared = self._counted_on[declaration] = self._read(declaration, state)
                if declared.enumerator_state[1] != state[1]:
                    written_at = place
                state = declared.enumerator_state
                left_at = place
                if state[1] is not None:
                    self._check_left_expression(state[1], written_at)
            if state != INITIAL_COUNTER and piece.surroundings is not None:
                raise IrregularError  # the exact parser began with a fresh counter

    def _check_left_expression(self, expression: Definition, written_at: Place) -> None:
        """An expression that goes over to the next enum keeps the tags that it was read with."""
        for token in expression:
            if token in self._enumerators and self._place(self._index[token]) >= written_at:
                raise IrregularError  # became a constant only afterwards, and would be tagged now

    @property
    def exports(self) -> Iterator[Export]:
        """The export markers in the order of the text."""
        for place, piece in enumerate(self._row):
            for name, start in piece.exports:
                yield Export(name, (place, start))

    def find(self, key: str, before: Place) -> Loaded | None:
        """What ``name`` or ``#tag`` was declared as before a place, or None.  Raises :class:`IrregularError`."""
        declaration = self._index.get(key)
        if declaration is None or self._place(declaration) >= before:
            return None
        declared = self._declared(declaration)
        for entry in declared.defined:
            if entry.key == key:
                return self._tagged(declaration, declared, entry)
        raise IrregularError  # index and front end do not agree

    def location(self, place: Place) -> Location:
        """File and line of a place; computed from the text on demand."""
        piece = self._row[place[0]]
        return piece.location_at(piece.offset_of(place[1]))

    def origin(self, key: str) -> Location | None:
        """File and line where ``name`` or ``#tag`` is declared first, or None; computed on demand."""
        declaration = self._index.get(key)
        if declaration is None:
            return None
        piece = declaration.piece
        offset = piece.offset_of(declaration.start)
        pattern = rf"\b(?:struct|union|enum)\s+{re.escape(key[1:])}\b" if key[0] == "#" else rf"\b{re.escape(key)}\b"
        match = re.compile(pattern).search(piece.source, offset)
        return piece.location_at(match.start() if match else offset)

    @property
    def lost_declarations(self) -> Iterator[LostDeclaration]:
        """The syntax errors, if the reader notes them."""
        for piece in self._row:
            yield from piece.lost

    def restart_enumerators(self, at: Place) -> None:
        """An unknown enum is registered at a place, which restarts the counter.  Raises :class:`IrregularError`."""
        if self._counted_on:
            self._restarts.append(at)
            self._count_on()

    def kind_before(self, name: str, place: Place) -> str | None:
        """``"t"``, ``"E"`` or ``""`` for a name of the ordinary name space declared before a place, else None."""
        declaration = self._index.get(name)
        if declaration is None or self._place(declaration) >= place:
            return None
        if name in declaration.piece.typedefs:
            return "t"
        return "E" if name in declaration.piece.enumerators else ""

    def _place(self, declaration: Declaration) -> Place:
        return self._places[declaration.piece], declaration.start

    def _declared(self, declaration: Declaration) -> Declared:
        found = self._counted_on.get(declaration) or declaration.declared
        if found is None and declaration.is_raw:
            found = self._counted_on[declaration] = self._read_raw(declaration)
        elif found is None:
            found = declaration.declared = self._read(declaration, INITIAL_COUNTER)
        return found

    def _read(self, declaration: Declaration, state: tuple[int, tuple[str, ...] | None]) -> Declared:
        self._reader.has_tokens(declaration.piece)
        text = DeclarationTokens(declaration.tokens, declaration.shape, declaration.piece.in_source)
        try:
            return self._declaration_reader.read(text, state)
        except (ParseError, RecursionError) as error:
            raise IrregularError from error  # recursion: nested deeper than the front end can follow

    def _read_raw(self, declaration: Declaration) -> Declared:
        """A prototype whose parameters stay raw text: the exact parser writes it down, for this unit only."""
        self._reader.has_tokens(declaration.piece)
        scope = _ScopeBefore(self, self._place(declaration))
        text = " ".join(declaration.tokens)
        result = parse_fragment(self._dialect, text, scope, in_source=declaration.piece.in_source)
        if not result.is_neutral:
            raise IrregularError
        return Declared(
            [Loaded(entry.kind, entry.name, entry.definition, entry.is_extern) for entry in result.declarations],
            frozenset(),
            frozenset(),
            INITIAL_COUNTER,
        )

    def _tagged(self, declaration: Declaration, declared: Declared, entry: Loaded) -> Loaded:
        """``entry`` with those tokens as references that name an enum constant declared before."""
        index = self._index
        for name in declared.own_references:
            if index[name] is not declaration:
                raise IrregularError
        hits = declared.identifiers & self._enumerators
        if not hits:
            return entry
        place = self._place(declaration)
        earlier = {
            name for name in hits if name in index[name].piece.enumerators and self._place(index[name]) < place
        }
        if not earlier:
            return entry
        definition = tuple("E#" + token if token in earlier else token for token in entry.definition)
        return Loaded(entry.kind, entry.name, definition, entry.is_extern)


class _ScopeBefore:
    """What a fragment at a place sees of the unit before it."""

    def __init__(self, unit: TranslationUnit, place: Place) -> None:
        self._unit = unit
        self._place = place

    def kind_of(self, name: str, /) -> str | None:
        return self._unit.kind_before(name, self._place)
