# SPDX-License-Identifier: GPL-2.0-or-later
"""A translation unit on the fast path: which names it declares where, definitions on demand.

Reading a unit looks up its pieces (:mod:`genksyms_py.pieces`) and merges what they declare
into one index, first declaration first.  Definitions are made for the few names that
exports reach.  Whatever cannot be shown to come out like the C tool's raises
:class:`Irregular`; the unit then goes to the exact parser as a whole.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import NamedTuple

from pycparser.c_parser import ParseError

from genksyms_py.c_front_end import FrontEnd
from genksyms_py.declaration_shapes import shapes_of
from genksyms_py.definitions import DeclarationReader, DeclarationText, Declared, Defined
from genksyms_py.dialects import Dialect
from genksyms_py.exact_parser import FragmentResult, parse_fragment
from genksyms_py.messages import NO_FILE
from genksyms_py.pieces import MARKER, Declaration, Irregular, Piece, PieceAnalyser, piece_text
from genksyms_py.token_classes import TokenClasses

_log = logging.getLogger(__name__)
# Characters; a declaration that goes on for longer has most likely lost its end.
_LONGEST_REST = 400_000
_INITIAL_COUNTER = (0, None)


class Export(NamedTuple):
    """An export marker: the symbol's name and the marker's place in the unit."""

    name: str
    place: tuple[int, int]
    piece: Piece


class UnitReader:
    """Reads units of one dialect and remembers their pieces, so that each further unit is cheaper."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.declaration_reader = DeclarationReader(dialect, FrontEnd())
        self._shapes = shapes_of(dialect)
        # By the text between two markers: None for blank text, else the piece's variants,
        # which differ in what was a typedef before, or in being in the source file.
        self._pieces: dict[bytes, list[Piece] | None] = {}
        self._joined: dict[str, list[Piece]] = {}

    def read(self, data: bytes) -> TranslationUnit:
        """Read one preprocessed unit.  Raises :class:`Irregular`."""
        if b"\0" in data:
            data = data[: data.index(b"\0")]
        return _Reading(self, data).unit()


class _Reading:
    """One unit under way: the row of its pieces and the typedefs so far."""

    def __init__(self, reader: UnitReader, data: bytes) -> None:
        self._reader = reader
        self._raw = data.split(b"\n# ")
        self._source_file = ""
        self._classes = TokenClasses(reader.dialect)
        self._analyser = PieceAnalyser(reader._shapes, self._classes)
        self._typedefs: set[str] = set()
        self._enumerators: set[str] = set()
        self._row: list[Piece] = []

    def unit(self) -> TranslationUnit:
        raw = self._raw
        if raw[0].startswith(b"# "):
            raw[0] = raw[0][2:]
        match = MARKER.match(raw[0])
        if match is None or b"\n" not in raw[-1]:
            raise Irregular
        self._source_file = match[2].decode("latin-1")
        known = self._reader._pieces
        index, count = 0, len(raw)
        while index < count:
            bytes_between = raw[index]
            variants = known.get(bytes_between, ())
            index += 1
            if variants is None:
                continue
            piece = self._fitting(variants)
            if piece is None:
                piece = self._analysed(bytes_between)
                if piece is None:
                    continue
            self._append(piece)
            while piece.rest:
                piece, index = self._joined_with_next(piece, index)
                self._append(piece)
        return TranslationUnit(self._reader, self._row, self._typedefs, self._enumerators)

    def _fitting(self, variants: list[Piece] | tuple[()]) -> Piece | None:
        typedefs = self._typedefs
        for piece in variants:
            if (
                piece.in_source == (piece.file == self._source_file)
                and piece.types <= typedefs
                and typedefs.isdisjoint(piece.names)
                and (not piece.irregular or self._same_surroundings(piece))
            ):
                return piece
        return None

    def _analysed(self, raw: bytes) -> Piece | None:
        """Analyse a piece that is new, or new under these typedefs; None for a blank one."""
        pieces = self._reader._pieces
        match = MARKER.match(raw)
        if match is None:
            raise Irregular
        text = piece_text(raw)
        if not text or text.isspace():
            pieces[raw] = None
            return None
        file = match[2].decode("latin-1")
        piece = Piece(text, file, int(match[1]), file == self._source_file)
        self._analyse(piece)
        variants = pieces.get(raw)
        if variants is None:
            variants = pieces[raw] = []
        variants.append(piece)
        return piece

    def _analyse(self, piece: Piece) -> None:
        self._analyser.analyse(piece)
        if piece.irregular:
            self._read_irregular(piece)

    def _joined_with_next(self, piece: Piece, index: int) -> tuple[Piece, int]:
        """The piece that an incomplete declaration and the following text make."""
        raw = self._raw
        parts = [piece.rest]
        depth = _depth(piece.rest)
        if index >= len(raw) or len(piece.rest) > _LONGEST_REST:
            _log.debug("no end in sight: %d %r", len(piece.rest), piece.rest[:300])
            raise Irregular  # no end of the declaration in sight
        is_mixed = False
        while index < len(raw):
            match = MARKER.match(raw[index])
            if match is None:
                raise Irregular
            is_mixed |= (match[2].decode("latin-1") == self._source_file) != piece.in_source
            text = piece_text(raw[index])
            index += 1
            parts.append(text)
            depth += _depth(text)
            if depth <= 0 and (";" in text or "}" in text):
                break
        joined_text = "\n".join(parts)
        joined = None if is_mixed else self._fitting(self._reader._joined.get(joined_text, ()))
        if joined is None:
            joined = Piece(joined_text, piece.file, piece.line, piece.in_source)
            self._analyse(joined)
            if not is_mixed:
                self._reader._joined.setdefault(joined_text, []).append(joined)
            elif any(key[0] == "#" for key in joined.declared) or joined.irregular:
                raise Irregular  # a compound may have its tag in a header and its end in the source
        if joined.rest and index >= len(raw):
            _log.debug("no end: %r", joined.rest[:300])
            raise Irregular
        return joined, index

    def _append(self, piece: Piece) -> None:
        self._row.append(piece)
        if piece.typedefs:
            self._typedefs.update(piece.typedefs)
            self._classes.update(piece.typedefs)
        if piece.enumerators:
            self._enumerators.update(piece.enumerators)

    def _same_surroundings(self, piece: Piece) -> bool:
        return False

    def _read_irregular(self, piece: Piece) -> None:
        _log.debug("irregular: %s", [d.text[:200] for d in piece.irregular])
        raise Irregular


def _depth(text: str) -> int:
    return text.count("{") + text.count("(") - text.count("}") - text.count(")")


class TranslationUnit:
    """The declarations of one unit.

    ``find`` gives what a name means at a place; places order like the text.
    """

    def __init__(self, reader: UnitReader, row: list[Piece], typedefs: set[str], enumerators: set[str]) -> None:
        self._reader = reader
        self._enumerators = enumerators
        self._places: dict[Piece, int] = {}
        index: dict[str, Declaration] = {}
        for place in range(len(row) - 1, -1, -1):
            piece = row[place]
            self._places[piece] = place
            index.update(piece.declared)
        self._index = index
        self._row = row
        for name in typedefs:
            declaration = index[name]
            if name not in declaration.piece.typedefs:
                raise Irregular  # declared as something else before it became a typedef

    @property
    def exports(self) -> Iterator[Export]:
        """The export markers in the order of the text."""
        for place, piece in enumerate(self._row):
            for name, ordinal in piece.exports:
                yield Export(name, (place, ordinal), piece)

    def find(self, key: str, before: tuple[int, int]) -> Defined | None:
        """What ``name`` or ``#tag`` was declared as before a place, or None."""
        declaration = self._index.get(key)
        if declaration is None or self._place(declaration) >= before:
            return None
        return self._defined(declaration, key)

    def _place(self, declaration: Declaration) -> tuple[int, int]:
        return self._places[declaration.piece], declaration.ordinal

    def _defined(self, declaration: Declaration, key: str) -> Defined | None:
        declared = self._declared(declaration)
        is_tag = key[0] == "#"
        name = key[1:] if is_tag else key
        for entry in declared.defined:
            if entry.name == name and (entry.kind in ("s", "u", "e")) == is_tag:
                return self._tagged(declaration, declared, entry)
        return None

    def _declared(self, declaration: Declaration) -> Declared:
        found = declaration.declared
        if found is None:
            if declaration.is_irregular:
                raise Irregular
            text = DeclarationText(declaration.text, declaration.shape, declaration.piece.in_source)
            try:
                found = self._reader.declaration_reader.read(text, _INITIAL_COUNTER)
            except ParseError as error:
                raise Irregular from error
            declaration.declared = found
        assert isinstance(found, Declared)
        return found

    def _tagged(self, declaration: Declaration, declared: Declared, entry: Defined) -> Defined:
        """``entry`` with those tokens as references that name an enum constant declared before."""
        hits = declared.identifiers & self._enumerators
        if not hits:
            return entry
        place = self._place(declaration)
        earlier = set()
        for name in hits:
            constant = self._index[name]
            if name in constant.piece.enumerators and self._place(constant) < place:
                earlier.add(name)
        if not earlier:
            return entry
        definition = tuple("E#" + token if token in earlier else token for token in entry.definition)
        return entry._replace(definition=definition)
