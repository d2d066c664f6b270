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
from collections.abc import Iterable
from itertools import compress, islice
from sys import intern

from genksyms_py.declaration_shapes import INNERMOST_BODY, ONE_DECLARATION, SHADOWING_NAMES, SHADOWING_PAIRS, Shapes, Verdict
from genksyms_py.token_classes import TokenClasses, coarse_tokens

# line marker, less the "\n# " that the text was split at:
#   number " " "\"" file "\"" [flags] ("\n" | end of the piece)
MARKER = re.compile(rb'(\d+) "([^"\n]+)"[^\n]*(?:\n|\Z)')
# Lines of the preprocessor that are no line markers: "#pragma ...", "#ident ...".
_DIRECTIVE = re.compile(r"^#(?![ \t])[^\n]*$", re.MULTILINE)
_COMPOUND_LETTERS = re.compile("[ZzWw]")
_TYPEOF_PARENTHESES = re.compile(r"o\([^()]*+(?:\([^()]*+\)[^()]*+)*+\)")


class Irregular(Exception):
    """A text that only the exact parser, from the unit's beginning, can be trusted with."""


class Declaration:
    """One declaration of a piece: coarse tokens with single spaces between, and their classes.

    ``irregular`` ones are judged by the exact parser; ``ordinal`` counts within the piece.
    """

    __slots__ = ("declared", "is_irregular", "ordinal", "piece", "shape", "text")

    def __init__(self, piece: Piece, ordinal: int, text: str, shape: str, is_irregular: bool = False) -> None:
        self.piece = piece
        self.ordinal = ordinal
        self.text = text
        self.shape = shape
        self.is_irregular = is_irregular
        self.declared: object = None


class Piece:
    """The declarations of a piece of text, under one view of what is a typedef.

    ``declared`` maps names, and ``#tag`` for compounds, to declarations (the first wins).
    ``types`` were typedefs before the piece, ``names`` were not.  ``rest`` is text behind the
    last complete declaration, which goes on in the next piece.
    """

    __slots__ = (
        "declared",
        "enumerators",
        "enums",
        "exports",
        "file",
        "in_source",
        "irregular",
        "line",
        "names",
        "rest",
        "rest_line",
        "source",
        "typedefs",
        "types",
    )

    def __init__(self, source: str, file: str, line: int, in_source: bool) -> None:
        self.source = source
        self.file = file
        self.line = line
        self.in_source = in_source
        self.declared: dict[str, Declaration] = {}
        self.typedefs: dict[str, str] = {}
        self.enumerators: tuple[str, ...] = ()
        self.enums: list[Declaration] = []
        self.exports: list[tuple[str, int]] = []
        self.irregular: list[Declaration] = []
        self.types: frozenset[str] = frozenset()
        self.names: tuple[str, ...] = ()
        self.rest = ""

    def location(self, ordinal: int) -> tuple[str, int]:
        """File and line of the ``ordinal``-th declaration; computed from the text on demand."""
        offset = self.offset(ordinal)
        return self.file, self.line + self.source.count("\n", 0, offset)

    def offset(self, ordinal: int) -> int:
        raise NotImplementedError


def piece_text(raw: bytes) -> str:
    """The text of a piece behind its marker's line, lines of the preprocessor blanked."""
    _, _, text = raw.partition(b"\n")
    return _without_directives(text.decode("latin-1"))


def _without_directives(text: str) -> str:
    if text.startswith("#") or "\n#" in text:
        text = _DIRECTIVE.sub("", text)
        if text.startswith("#") or "\n#" in text:
            raise Irregular
    return text


class PieceAnalyser:
    """Cuts pieces into declarations; one object serves one unit, with its typedefs so far."""

    def __init__(self, shapes: Shapes, classes: TokenClasses) -> None:
        self._shapes = shapes
        self._classes = classes
        self._tokens: list[str] = []
        self._letters = ""

    def analyse(self, piece: Piece) -> None:
        """Fill ``piece`` from its text; the typedefs that it declares are entered in the classes."""
        tokens = self._tokens = coarse_tokens().findall(piece.source)
        self._letters = "".join(map(self._classes.__getitem__, tokens))
        enumerators: list[str] = []
        position = ordinal = 0
        one_declaration = ONE_DECLARATION.match
        verdict_of = self._shapes.verdict
        shadowing_names = SHADOWING_NAMES[self._shapes.grammar]
        shadowing_pairs = SHADOWING_PAIRS[self._shapes.grammar]
        while True:
            match = one_declaration(self._letters, position)
            if match is None:
                break
            shape = match[0]
            end = match.end()
            if "T" in shape and "y" not in shape and any(pair in shape for pair in shadowing_pairs):
                shape = shadowing_names.sub("I", shape)
            if "}" in shape:
                verdict = self._compound(piece, shape, position, end, ordinal, enumerators)
            else:
                verdict = verdict_of(shape)
            if verdict is Verdict.SIMPLE or verdict is Verdict.FUNCTION:
                if "}" not in shape:
                    self._declare(piece, shape, position, end, ordinal)
            elif verdict is Verdict.IRREGULAR:
                self._irregular(piece, shape, position, end, ordinal)
            elif verdict is Verdict.EXPORT:
                piece.exports.append((intern(tokens[position + 2]), ordinal))
            elif verdict is Verdict.RAW_PROTOTYPE:
                declaration = self._declaration(piece, shape, position, end, ordinal)
                declaration.is_irregular = True
                piece.declared.setdefault(intern(tokens[position + shape.index("I")]), declaration)
            position = end
            ordinal += 1
        self._note_classes(piece, enumerators)
        if position < len(tokens):
            piece.rest = self._text_from(piece, position)

    def _declaration(self, piece: Piece, shape: str, start: int, end: int, ordinal: int) -> Declaration:
        if shape[-1] == "G":
            text = " ".join(self._tokens[start : end - 1]) + " {}"
        else:
            text = " ".join(self._tokens[start:end])
        return Declaration(piece, ordinal, text, intern(shape))

    def _declare(self, piece: Piece, shape: str, start: int, end: int, ordinal: int) -> None:
        """A declaration without a compound's body."""
        positions = _declared_positions(shape)
        if not positions:
            return
        declaration = self._declaration(piece, shape, start, end, ordinal)
        self._enter(piece, declaration, [self._tokens[start + index] for index in positions], end)

    def _enter(self, piece: Piece, declaration: Declaration, names: list[str], end: int) -> None:
        declared = piece.declared
        for name in names:
            declared.setdefault(intern(name), declaration)
        if declaration.shape[0] == "y" or declaration.shape[:2] == "Xy":
            if len(names) > 1 and len(set(names)) < len(names):
                raise Irregular
            self._enter_typedefs(piece, names, end)

    def _enter_typedefs(self, piece: Piece, names: Iterable[str], end: int) -> None:
        rest = None
        for name in names:
            piece.typedefs[intern(name)] = "T"
            if self._classes.get(name) != "T":
                self._classes[name] = "T"
                if rest is None:
                    rest = self._tokens[end:]
                if name in rest:
                    self._letters = self._letters[:end] + "".join(map(self._classes.__getitem__, rest))

    def _compound(
        self, piece: Piece, shape: str, start: int, end: int, ordinal: int, enumerators: list[str]
    ) -> Verdict:
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
        if verdict not in (Verdict.SIMPLE, Verdict.FUNCTION) or "C" in folded[compound_at + 1 :] or "(" in folded[:compound_at]:
            return Verdict.IRREGULAR
        declaration = self._declaration(piece, shape, start, end, ordinal)
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
                enumerators += names
                for name in names:
                    declared.setdefault(name, declaration)
        if "W" in shape or "w" in shape:
            piece.enums.append(declaration)
        tail = shape.rindex("}") + 1
        names = [tokens[start + tail - 1 + index] for index in _declared_positions("b" + shape[tail:])]
        self._enter(piece, declaration, names, end)
        return verdict

    def _irregular(self, piece: Piece, shape: str, start: int, end: int, ordinal: int) -> None:
        first = self._offset_of(piece, start)
        last = self._offset_of(piece, end - 1) + len(self._tokens[end - 1])
        piece.irregular.append(Declaration(piece, ordinal, piece.source[first:last], shape, is_irregular=True))

    def _offset_of(self, piece: Piece, index: int) -> int:
        return next(islice(coarse_tokens().finditer(piece.source), index, None)).start()

    def _text_from(self, piece: Piece, index: int) -> str:
        return piece.source[self._offset_of(piece, index) :]

    def _note_classes(self, piece: Piece, enumerators: list[str]) -> None:
        """Which identifiers were taken for typedefs, and which were not."""
        letters = self._letters
        piece.names = tuple(map(intern, set(compress(self._tokens, map("I".__eq__, letters)))))
        types = set(compress(self._tokens, map("T".__eq__, letters)))
        piece.types = frozenset(map(intern, types.difference(piece.typedefs)))
        piece.enumerators = tuple(enumerators)


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
