# SPDX-License-Identifier: GPL-2.0-or-later
"""Pieces of translation units: the text between two line markers, analysed once.

A preprocessed unit is megabytes of headers, and the next unit has nearly the same ones.
Between two line markers the text of a header is the same in every unit, so a piece is
remembered by its text; a unit is then a row of known pieces, and reading it is little
more than looking them up.

What a piece declares depends on what was a typedef before it.  A piece therefore notes
which of its identifiers it took for typedefs and which not, and serves a unit only if
that unit agrees.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import compress, islice
from sys import intern
from typing import NamedTuple

from genksyms_py.declaration_shapes import (
    INNERMOST_BODY,
    ONE_DECLARATION,
    SHADOWING_NAMES,
    SHADOWING_PAIRS,
    Shapes,
    Verdict,
)
from genksyms_py.definitions import INITIAL_COUNTER, Declared
from genksyms_py.dialects import Dialect
from genksyms_py.exact_parser import FragmentResult, SyntaxErrorRecord, parse_fragment
from genksyms_py.expansion import Loaded
from genksyms_py.messages import Location
from genksyms_py.token_classes import COMPOUND_OPEN, ENUM_OPEN, OPEN, TYPEDEF, TokenClasses, coarse_tokens

# line marker, less the "\n# " that the text was split at:
#   number " " "\"" file "\"" [flags] ("\n" | end of the piece)
MARKER = re.compile(rb'(\d+) "([^"\n]+)"[^\n]*(?:\n|\Z)')
# Lines of the preprocessor that are no line markers: "#pragma ...", "#ident ...".
_DIRECTIVE = re.compile(r"^#(?![ \t])[^\n]*$", re.MULTILINE)
_COMPOUND_LETTERS = re.compile("[ZzWw]")
_TYPEOF_PARENTHESES = re.compile(r"o\([^()]*+(?:\([^()]*+\)[^()]*+)*+\)")

# So many declarations may be lost to one error before the fast path gives up.
_EXACT_REACH = 4


class IrregularError(Exception):
    """A text that only the exact parser, from the unit's beginning, can be trusted with."""


class LostDeclaration(NamedTuple):
    """A syntax error, for ``--strict``: its place, the offending token, and the words of the declaration around it.

    ``names`` are those that the declaration registered nevertheless, ``swallowed`` those whose
    export markers it contains.
    """

    file: str
    line: int
    column: int
    token: str
    names: frozenset[str]
    words: frozenset[str]
    swallowed: frozenset[str]

    def __str__(self) -> str:
        near = f" at '{self.token}'" if self.token else ""
        return f"{self.file}:{self.line}:{self.column}: syntax error{near}"


_WORD = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)
_EXPORT_MARKER = re.compile(r"__GENKSYMS_EXPORT_SYMBOL\s*\(\s*([A-Za-z_$][\w$]*)", re.ASCII)


def lost_declaration(record: SyntaxErrorRecord, text: str) -> LostDeclaration:
    """The record of the exact parser on ``text``, with what is needed to say who misses the declaration."""
    lost_text = text[record.declaration_start : record.declaration_end]
    return LostDeclaration(
        record.location.file,
        record.line,
        record.column,
        record.token,
        frozenset(record.names),
        frozenset(_WORD.findall(lost_text)),
        frozenset(_EXPORT_MARKER.findall(lost_text)),
    )


class Declaration:
    """One declaration of a piece.

    ``shape`` holds the classes of its coarse tokens, ``start`` is the index of the first one in
    the piece.  ``is_raw`` marks a parameter list that grammar A keeps as raw text.
    ``declared`` is what it declares, once somebody asked; for what the exact parser had to
    read, ``shape`` is empty and ``declared`` is there from the beginning.
    """

    __slots__ = ("declared", "is_raw", "piece", "shape", "start")

    def __init__(self, piece: Piece, start: int, shape: str, is_raw: bool = False) -> None:
        self.piece = piece
        self.start = start
        self.is_raw = is_raw
        self.shape = shape
        self.declared: Declared | None = None

    @property
    def tokens(self) -> list[str]:
        """The coarse tokens."""
        return self.piece.tokens[self.start : self.start + len(self.shape)]


class Piece:
    """The declarations of a piece of text, under one view of what is a typedef.

    ``declared`` maps names, and ``#tag`` for compounds, to declarations (the first wins).
    ``types`` were typedefs before the piece, ``names`` were not; ``surroundings`` is what the
    exact parser asked and learnt about the text before.  ``rest`` is text behind the last
    complete declaration, which goes on in the next piece.
    """

    __slots__ = (
        "_anchors",
        "_raw",
        "_tokens",
        "declared",
        "enumerators",
        "enums",
        "exports",
        "file",
        "in_source",
        "is_deep",
        "lost",
        "names",
        "rest",
        "rest_anchors",
        "surroundings",
        "typedefs",
        "types",
    )

    def __init__(self, raw: bytes | str, anchors: tuple[tuple[int, str, int], ...], in_source: bool) -> None:
        self._raw = raw
        self._anchors = anchors
        self.file = anchors[0][1]
        self.in_source = in_source
        self.is_deep = False
        self._tokens: list[str] | None = None
        self.declared: dict[str, Declaration] = {}
        self.typedefs: dict[str, str] = {}
        self.enumerators: tuple[str, ...] = ()
        self.enums: tuple[Declaration, ...] = ()
        self.exports: tuple[tuple[str, int], ...] = ()
        self.types: frozenset[str] = frozenset()
        self.names: tuple[str, ...] = ()
        self.surroundings: dict[str, str | None] | None = None
        self.lost: tuple[LostDeclaration, ...] = ()
        self.rest = ""
        self.rest_anchors: tuple[tuple[int, str, int], ...] = ()

    @property
    def source(self) -> str:
        """The text of the piece, without its marker; lines of the preprocessor are blank."""
        return self._raw if isinstance(self._raw, str) else piece_text(self._raw)

    @property
    def tokens(self) -> list[str]:
        """The coarse tokens; large, so kept only until :meth:`forget_tokens`."""
        if self._tokens is None:
            self._tokens = coarse_tokens(deep=self.is_deep).findall(self.source)
        return self._tokens

    def forget_tokens(self) -> None:
        """Free the tokens until somebody asks again."""
        self._tokens = None

    def location_at(self, offset: int) -> Location:
        """File and line of an offset of the source."""
        begin, file, line = self._anchors[bisect_right(self._anchors, offset, key=lambda anchor: anchor[0]) - 1]
        return Location(file, line + self.source.count("\n", begin, offset))

    def offset_of(self, index: int) -> int:
        """Where the coarse token of that index begins in the source."""
        tokens = coarse_tokens(deep=self.is_deep).finditer(self.source)
        return next(islice(tokens, index, None)).start()

    def anchors_from(self, offset: int) -> tuple[tuple[int, str, int], ...]:
        """The anchors of the text from ``offset`` on: where which line of which file begins."""
        place = self.location_at(offset)
        later = [(begin - offset, file, line) for begin, file, line in self._anchors if begin > offset]
        return ((0, place.file, place.line), *later)


def piece_text(raw: bytes) -> str:
    """The text of a piece behind its marker's line, lines of the preprocessor blanked."""
    _, _, text = raw.partition(b"\n")
    return _without_directives(text.decode("latin-1"))


def _without_directives(text: str) -> str:
    if text.startswith("#") or "\n#" in text:
        text = _DIRECTIVE.sub("", text)
        if text.startswith("#") or "\n#" in text:
            raise IrregularError
    return text


class PieceAnalyser:
    """Cuts pieces into declarations; one object serves one unit.

    ``typedefs`` and ``enumerators`` are the names declared so far; the typedefs that a piece
    declares are entered in ``classes``.  ``notes_errors``: even errors of known effect go to
    the exact parser, which tells where they are.  ``remembers``: pieces will serve other units.
    """

    def __init__(
        self,
        dialect: Dialect,
        shapes: Shapes,
        classes: TokenClasses,
        typedefs: Set[str],
        enumerators: Set[str],
        *,
        notes_errors: bool,
        remembers: bool,
    ) -> None:
        self._remembers = remembers
        self._notes_errors = notes_errors
        self._dialect = dialect
        self._shapes = shapes
        self._classes = classes
        self._typedefs = typedefs
        self._unit_enumerators = enumerators
        self._tokens: list[str] = []
        self._letters = ""
        self._enumerators: list[str] = []
        self._enums: list[Declaration] = []
        self._exports: list[tuple[str, int]] = []

    def analyse(self, piece: Piece) -> None:
        """Fill ``piece`` from its text.  Raises :class:`IrregularError`."""
        self._tokens = piece.tokens
        self._letters = self._classes.letters(self._tokens)
        if OPEN in self._letters:
            piece.is_deep = True
            piece.forget_tokens()
            self._tokens = piece.tokens
            self._letters = self._classes.letters(self._tokens)
        self._enumerators = []
        self._enums = []
        self._exports = []
        position = self._plain_ones(piece)
        while match := ONE_DECLARATION.match(self._letters, position):
            position = self._any(piece, match[0], position, match.end())
        if self._remembers:
            self._note_classes(piece)
        piece.exports = tuple(self._exports)
        piece.enumerators = tuple(self._enumerators)
        piece.enums = tuple(self._enums)
        if position < len(self._tokens):
            offset = piece.offset_of(position)
            piece.rest = piece.source[offset:]
            piece.rest_anchors = piece.anchors_from(offset)

    @property
    def has_met_tags(self) -> bool:
        """Whether the piece analysed last defines a compound with a tag."""
        return COMPOUND_OPEN in self._letters or ENUM_OPEN in self._letters

    def _plain_ones(self, piece: Piece) -> int:
        """The quick way through a piece: most declarations have one name and a shape met before.

        Returns the index where the slow way is to go on: a typedef changes how the following
        text reads, an error may run into it.
        """
        letters, tokens, declared = self._letters, self._tokens, piece.declared
        if TYPEDEF in letters:
            return 0
        single_name = self._shapes.single_name
        position = 0
        for shape in ONE_DECLARATION.findall(letters):
            index = single_name.get(shape)
            # What lies between two declarations is none, and then findall has leapt over it.
            if not letters.startswith(shape, position):
                break
            end = position + len(shape)
            if index is None:
                after = self._any(piece, shape, position, end)
                if after != end or self._letters is not letters:
                    return after
            else:
                name = intern(tokens[position + index])
                if name not in declared:
                    declared[name] = Declaration(piece, position, shape)
            position = end
        return position

    def _any(self, piece: Piece, shape: str, start: int, end: int) -> int:
        """One declaration of any kind; returns the index behind it."""
        raw_shape = shape
        verdict, shape = self._verdict(piece, shape, start, end)
        if verdict is Verdict.SIMPLE or verdict is Verdict.FUNCTION:
            if "}" not in shape:
                self._declare(piece, shape, start, end, is_known=shape == raw_shape)
        elif verdict is Verdict.EXPORT:
            self._exports.append((intern(self._tokens[start + 2]), start))
        elif verdict is Verdict.RAW_PROTOTYPE and not self._notes_errors:
            name = intern(self._tokens[start + shape.index("I")])
            piece.declared.setdefault(name, Declaration(piece, start, shape, is_raw=True))
        elif verdict is not Verdict.NOTHING and (verdict is not Verdict.LOST or self._notes_errors):
            return self._exactly(piece, start, end)
        return end

    def _verdict(self, piece: Piece, shape: str, start: int, end: int) -> tuple[Verdict, str]:
        """The verdict on a declaration, and its shape with names that shadow typedefs as names."""
        if "T" in shape and "y" not in shape:
            grammar = self._shapes.grammar
            if any(pair in shape for pair in SHADOWING_PAIRS[grammar]):
                shape = SHADOWING_NAMES[grammar].sub("I", shape)
        if "}" in shape:
            return self._compound(piece, shape, start, end), shape
        return self._shapes.verdict(shape), shape

    def _declare(self, piece: Piece, shape: str, start: int, end: int, *, is_known: bool) -> None:
        """A declaration without a compound's body; ``is_known``: the next of this shape may take the quick way."""
        positions = _declared_positions(shape)
        if not positions:
            return
        shape = intern(shape)
        if is_known and len(positions) == 1 and TYPEDEF not in shape:
            self._shapes.single_name[shape] = positions[0]
        self._enter(piece, Declaration(piece, start, shape), [self._tokens[start + at] for at in positions], end)

    def _enter(self, piece: Piece, declaration: Declaration, names: list[str], end: int) -> None:
        declared = piece.declared
        for name in names:
            declared.setdefault(intern(name), declaration)
        if declaration.shape[0] == "y" or declaration.shape[:2] == "Xy":
            if len(set(names)) < len(names) or any(declared[name] is not declaration for name in names):
                raise IrregularError  # the first declaration is valid, and it is another
            self._enter_typedefs(piece, names, end)

    def _enter_typedefs(self, piece: Piece, names: Iterable[str], end: int) -> None:
        rest = None
        for name in names:
            piece.typedefs[intern(name)] = "T"
            if not self._classes.is_typedef(name):
                self._classes.enter_typedefs([name])
                if rest is None:
                    rest = self._tokens[end:]
                if name in rest:
                    self._letters = self._letters[:end] + self._classes.letters(rest)

    def _compound(self, piece: Piece, shape: str, start: int, end: int) -> Verdict:
        """A declaration with compounds' bodies: judge it, and enter its tags and constants."""
        folded = shape
        regular = self._shapes.body_is_regular
        while "}" in folded:
            for match in INNERMOST_BODY.finditer(folded):
                if not regular(match[1], match[2]):
                    return Verdict.IRREGULAR
            folded = INNERMOST_BODY.sub("C", folded)
        verdict = self._shapes.verdict(folded)
        compound_at = folded.find("C")
        is_plain = verdict in (Verdict.SIMPLE, Verdict.FUNCTION)
        if not is_plain or "C" in folded[compound_at + 1 :] or "(" in folded[:compound_at]:
            return Verdict.IRREGULAR
        declaration = Declaration(piece, start, intern(shape))
        tokens = self._tokens
        declared = piece.declared
        for match in _COMPOUND_LETTERS.finditer(shape):
            letter, index = match[0], match.start()
            if letter in "ZW" and not piece.in_source:
                declared.setdefault(intern("#" + tokens[start + index][:-1].split()[1]), declaration)
            if letter in "Ww":
                body_end = shape.index("}", index)
                names = [
                    intern(tokens[start + at]) for at in range(index + 1, body_end) if shape[at] == "I"
                ]
                self._enumerators += names
                for name in names:
                    if name in declared:
                        raise IrregularError  # was something else before it became a constant
                    declared[name] = declaration
        if "W" in shape or "w" in shape:
            self._enums.append(declaration)
        tail = shape.rindex("}") + 1
        names = [tokens[start + tail - 1 + index] for index in _declared_positions("b" + shape[tail:])]
        self._enter(piece, declaration, names, end)
        return verdict

    def _exactly(self, piece: Piece, start: int, end: int) -> int:
        """Let the exact parser read what is not regular; returns the index behind what it read.

        An error may run into the following declarations.  If it does not come to rest soon,
        the unit is for the exact parser as a whole.
        """
        source = piece.source
        first = piece.offset_of(start)
        place = piece.location_at(first)
        asked: dict[str, str | None] = {} if piece.surroundings is None else piece.surroundings
        scope = _Surroundings(self._typedefs, self._unit_enumerators, piece.typedefs, self._enumerators, asked)
        for _ in range(_EXACT_REACH):
            if "e" in self._letters[start:end]:
                break  # export markers act at once; a fragment cannot
            last = piece.offset_of(end - 1) + len(self._tokens[end - 1])
            text = source[first:last]
            result = parse_fragment(
                self._dialect, text, scope, in_source=piece.in_source, line=place.line, file=place.file
            )
            if result.is_neutral:
                if result.enumerator_state != INITIAL_COUNTER:
                    break
                piece.surroundings = asked
                self._enter_fragment(piece, result, text, start, end)
                return end
            match = ONE_DECLARATION.match(self._letters, end)
            if match is None:
                break
            end = match.end()
        raise IrregularError

    def _enter_fragment(self, piece: Piece, result: FragmentResult, text: str, start: int, end: int) -> None:
        declaration = Declaration(piece, start, "")
        defined = [Loaded(entry.kind, entry.name, entry.definition, entry.is_extern) for entry in result.declarations]
        declaration.declared = Declared(defined, frozenset(), frozenset(), INITIAL_COUNTER)
        if self._notes_errors:
            piece.lost += tuple(lost_declaration(record, text) for record in result.syntax_errors)
        typedefs = []
        for entry in defined:
            key = intern(entry.key)
            if entry.kind == "t" and key not in piece.declared:
                typedefs.append(key)
            elif entry.kind == "E":
                if key in piece.declared:
                    raise IrregularError
                self._enumerators.append(key)
            piece.declared.setdefault(key, declaration)
        self._enter_typedefs(piece, typedefs, end)

    def _note_classes(self, piece: Piece) -> None:
        """Which identifiers were taken for typedefs, and which were not."""
        letters = self._letters
        piece.names = tuple(map(intern, set(compress(self._tokens, map("I".__eq__, letters)))))
        types = set(compress(self._tokens, map("T".__eq__, letters)))
        piece.types = frozenset(map(intern, types.difference(piece.typedefs)))


class _Surroundings:
    """What a fragment sees of the unit before it, with a note of every answer that it got."""

    def __init__(
        self,
        typedefs: Set[str],
        enumerators: Set[str],
        own_typedefs: Mapping[str, str],
        own_enumerators: Sequence[str],
        asked: dict[str, str | None],
    ) -> None:
        self._typedefs = typedefs
        self._enumerators = enumerators
        self._own_typedefs = own_typedefs
        self._own_enumerators = own_enumerators
        self._asked = asked

    def kind_of(self, name: str, /) -> str | None:
        """``"t"``, ``"E"`` or None; other symbols make no difference to reading."""
        if name in self._own_typedefs:
            return "t"
        if name in self._own_enumerators:
            return "E"
        kind = self._asked[name] = kind_before(name, self._typedefs, self._enumerators)
        return kind


def kind_before(name: str, typedefs: Set[str], enumerators: Set[str]) -> str | None:
    """What ``name`` is to the lexer: a typedef, an enum constant or nothing in particular."""
    if name in typedefs:
        return "t"
    return "E" if name in enumerators else None


_positions: dict[str, tuple[int, ...]] = {}


def _declared_positions(shape: str) -> tuple[int, ...]:
    """Where the declared names stand in a regular shape without compounds' bodies.

    The names of parameters are the other identifiers, and specifiers hold none: so the
    first identifier is declared, and without parentheses all are.
    """
    found = _positions.get(shape)
    if found is None:
        plain = _TYPEOF_PARENTHESES.sub(lambda match: "t" * len(match[0]), shape)
        found = tuple(index for index, letter in enumerate(plain) if letter == "I")
        if "(" in plain:
            found = found[:1]
        _positions[shape] = found
    return found
