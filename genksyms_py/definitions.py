# SPDX-License-Identifier: GPL-2.0-or-later
"""Definitions of what one regular declaration declares: its tokens, less what genksyms drops.

A declaration is read from the inside out.  A compound's members are written down one by
one, by the roles that the front end gives their names; the compound, once complete,
stands in its surroundings as one reference (in a header), as its own text (without a
tag) or as a reference to nothing (in the source file itself).

::

    typedef struct list { struct list *next; u8 pad[4]; } list_t;

        s#list    struct list { s#list * next ; t#u8 pad [ 4 ] ; }
        t#list_t  typedef s#list list_t
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

from genksyms_py.c_front_end import DECLARED, PARAMETER, FrontEnd
from genksyms_py.dialects import Dialect
from genksyms_py.enumerators import EnumeratorState
from genksyms_py.expansion import Definition, Loaded
from genksyms_py.raw_tokens import OTHER, STRING, TOKEN, WORD

#: The enumerator counter where nothing of an earlier enum is left.
INITIAL_COUNTER: tuple[int, tuple[str, ...] | None] = (0, None)


@dataclass(frozen=True, slots=True)
class DeclarationTokens:
    """A regular declaration: its coarse tokens and their classes.

    ``in_source`` tells whether the text stands in the file that is being compiled.
    """

    tokens: list[str]
    shape: str
    in_source: bool


@dataclass(slots=True)
class Declared:
    """Everything that a declaration declares, in order of registration.

    ``identifiers`` are the tokens that would be read as references if they named enum
    constants; ``own_references`` are the enum constants of this very declaration that its
    later tokens already refer to.  ``enumerator_state`` is the counter's state afterwards.
    """

    defined: list[Loaded]
    identifiers: frozenset[str]
    own_references: frozenset[str]
    enumerator_state: tuple[int, tuple[str, ...] | None]


_TOKEN_GROUPS = frozenset((STRING, WORD, OTHER))
_KEPT_LETTERS = frozenset("*(),;bqyXo")
_DROPPED_LETTERS = frozenset("xncr")
_PHRASES = frozenset("ABMO")
_REFERENCE_KINDS = {"struct": "s#", "union": "u#", "enum": "e#"}
_SPECIFIER_LETTERS = frozenset("xncqrAbTRCOyX")
_IDENTIFIER_START = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)


@lru_cache(maxsize=1 << 15)
def phrase_tokens(phrase: str) -> Definition:
    """The raw tokens of an attribute, bracket or asm phrase, or of an expression."""
    tokens = [match[match.lastindex] for match in TOKEN.finditer(phrase) if match.lastindex in _TOKEN_GROUPS]
    if tokens and "typeof" in tokens[0]:
        # typeof keeps its first parenthesis only before a word, and such are no phrases here.
        del tokens[1]
    return tuple(tokens)


@lru_cache(maxsize=1 << 14)
def _reference(token: str) -> str:
    """``struct   page`` -> ``s#page``."""
    keyword, name = token.split()
    return _REFERENCE_KINDS[keyword] + name


class Item(NamedTuple):
    """A token of a level: its class, its text, and for a folded compound its tokens.

    ``known`` is how many enum constants the declaration had when the token was read.
    """

    letter: str
    text: str
    tokens: Sequence[str] = ()
    known: int = 0


class DeclarationReader:
    """Reads regular declarations of one dialect into definitions."""

    def __init__(self, dialect: Dialect, front_end: FrontEnd) -> None:
        self._front_end = front_end
        self._keeps_attributes = dialect.grammar == "B" or dialect.keeps_declarator_attributes

    def read(
        self, declaration: DeclarationTokens, enumerator_state: tuple[int, tuple[str, ...] | None] = INITIAL_COUNTER
    ) -> Declared:
        """All that ``declaration`` declares.

        ``enumerator_state`` matters only after a named enum of the source file.  Raises
        :class:`pycparser.c_parser.ParseError` if the front end refuses the shape.
        """
        reading = _Reading(self._front_end, declaration, enumerator_state)
        items = reading.level("")
        self._declare(reading, items)
        identifiers = {
            token for entry in reading.defined for token in entry.definition if _IDENTIFIER_START.fullmatch(token)
        }
        return Declared(
            reading.defined,
            frozenset(identifiers).difference(reading.enumerators),
            frozenset(reading.own_references),
            reading.enumerator_state.snapshot(),
        )

    def _declare(self, reading: _Reading, items: list[Item]) -> None:
        """Register the declarators of a declaration whose compounds are folded."""
        shape = "".join(item.letter for item in items)
        roles = self._front_end.declaration_roles(shape)
        split = _specifiers_end(shape)
        specifiers = _kept(items[:split], roles[:split], reading)
        kind = "t" if shape.startswith(("y", "Xy")) else ""
        is_extern = reading.is_extern(items[:split])
        start = split
        end = len(items) - 1
        while start < end:
            stop = _declarator_end(shape, start, end)
            name, tokens = self._declarator(items[start:stop], roles[start:stop], reading)
            reading.register(kind, name, (*specifiers, *tokens), is_extern)
            start = stop + 1

    def _declarator(self, items: list[Item], roles: str, reading: _Reading) -> tuple[str, list[str]]:
        """Name and kept tokens of one declarator; asm stays, attributes as the dialect has it."""
        name = next(item.text for item, role in zip(items, roles, strict=True) if role == DECLARED)
        cut = len(items)
        has_initialiser = items[-1].letter == "E"
        if has_initialiser:
            cut -= 1
        if not has_initialiser and not self._keeps_attributes:
            while items[cut - 1].letter == "A":
                cut -= 1
        return name, _kept(items[:cut], roles[:cut], reading)


class _Reading:
    """One declaration under way: its tokens, and what has been registered so far."""

    def __init__(
        self,
        front_end: FrontEnd,
        declaration: DeclarationTokens,
        enumerator_state: tuple[int, tuple[str, ...] | None],
    ) -> None:
        self._front_end = front_end
        self._tokens = declaration.tokens
        self._shape = declaration.shape
        self._in_source = declaration.in_source
        self._position = 0
        self._is_extern = False
        self.defined: list[Loaded] = []
        #: This declaration's enum constants, each with how many there were before.
        self.enumerators: dict[str, int] = {}
        self.own_references: set[str] = set()
        self.enumerator_state = EnumeratorState(*enumerator_state)

    def level(self, closing: str) -> list[Item]:
        """The items up to the ``closing`` brace (or the end), compounds among them folded."""
        items: list[Item] = []
        tokens, shape = self._tokens, self._shape
        while self._position < len(shape):
            letter, text = shape[self._position], tokens[self._position]
            self._position += 1
            if letter == closing:
                break
            if letter in "ZzWw":
                items.append(self._compound(letter, text, items if not closing else []))
            else:
                items.append(Item(letter, text, (), len(self.enumerators)))
        return items

    def _compound(self, letter: str, opening: str, before: list[Item]) -> Item:
        """The compound that ``opening`` starts; registers it where it has a tag and stands in a header."""
        keyword, *tag = opening[:-1].split()
        head = [keyword, *(self.tagged(word) for word in tag), "{"]
        if before:
            self.is_extern(before)
        is_enum = letter in "Ww"
        body = self._enumerators() if is_enum else self._members()
        if is_enum and not (tag and self._in_source):
            self.enumerator_state.restart()
        if not tag:
            return Item("C", "", [*head, *body, "}"])
        reference = _REFERENCE_KINDS[keyword] + tag[0]
        if not self._in_source:
            self.register(reference[0], tag[0], (*head, *body, "}"), self._is_extern)
        return Item("C", "", [reference])

    def _members(self) -> list[str]:
        """The kept tokens of a struct's or union's body, up to and with its brace."""
        items = self.level("}")
        members: list[list[Item]] = []
        start = 0
        for index, item in enumerate(items):
            if item.letter == ";":
                members.append(items[start : index + 1])
                start = index + 1
        all_roles = self._front_end.member_roles(["".join(item.letter for item in member) for member in members])
        tokens: list[str] = []
        for member, roles in zip(members, all_roles, strict=True):
            tokens += _kept(member, roles, self)
        return tokens

    def _enumerators(self) -> list[str]:
        """The tokens of an enum's body; registers its constants one by one."""
        items = self.level("}")
        tokens: list[str] = []
        for index, item in enumerate(items):
            if item.letter == "E":
                continue
            tokens.append(self.tagged(item.text))
            if item.letter != "I":
                continue
            value: list[str] = []
            if items[index + 1 : index + 2] and items[index + 1].letter == "E":
                # The constant itself is not yet known in its own expression.
                value = [self.tagged(token) for token in phrase_tokens(items[index + 1].text[1:])]
                tokens += ["=", *value]
            definition = self.enumerator_state.value(tuple(value))
            self.defined.append(Loaded("E", item.text, definition, False))
            self.enumerators.setdefault(item.text, len(self.enumerators))
        return tokens

    def tagged(self, token: str, known: int | None = None) -> str:
        """``token``, as a reference if it is one of this declaration's enum constants: of the first ``known``."""
        before = self.enumerators.get(token)
        if before is not None and (known is None or before < known):
            self.own_references.add(token)
            return "E#" + token
        return token

    def is_extern(self, items: list[Item]) -> bool:
        """The extern flag after ``items``: ``extern`` sets it, ``inline`` clears it, the last one wins."""
        for item in items:
            if item.letter == "x":
                self._is_extern = True
            elif item.letter == "n":
                self._is_extern = False
        return self._is_extern

    def register(self, kind: str, name: str, definition: Definition, is_extern: bool) -> None:
        """Note what is declared."""
        self.defined.append(Loaded(kind, name, definition, is_extern))


def _kept(items: Sequence[Item], roles: str, reading: _Reading) -> list[str]:
    """The tokens of ``items`` that stay, references in symtypes' spelling."""
    tokens: list[str] = []
    for item, role in zip(items, roles, strict=True):
        letter = item.letter
        tagged = partial(reading.tagged, known=item.known) if item.known else None
        if letter == "I":
            if role != PARAMETER:
                tokens.append(item.text if tagged is None else tagged(item.text))
        elif letter in _KEPT_LETTERS:
            tokens.append(item.text)
        elif letter in _DROPPED_LETTERS:
            continue
        elif letter == "T":
            tokens.append("t#" + item.text)
        elif letter == "R":
            tokens.append(_reference(item.text))
        elif letter == "C":
            tokens += item.tokens
        elif letter in _PHRASES:
            phrase = phrase_tokens(item.text)
            tokens += phrase if tagged is None else map(tagged, phrase)
        elif letter == "F":
            expression = phrase_tokens(item.text[1:])
            tokens.append(":")
            tokens += expression if tagged is None else map(tagged, expression)
        elif letter == ".":
            tokens.append("...")
    return tokens


def _specifiers_end(shape: str) -> int:
    """Index behind the specifiers that ``shape`` begins with."""
    index = 0
    while shape[index] in _SPECIFIER_LETTERS or shape[index] == "o":
        if shape[index] == "o":
            index = _closing_parenthesis(shape, index + 1)
        index += 1
    return index


def _declarator_end(shape: str, start: int, end: int) -> int:
    """Index of the comma behind the declarator at ``start``, or ``end``."""
    index = start
    while index < end and shape[index] != ",":
        if shape[index] == "(":
            index = _closing_parenthesis(shape, index)
        index += 1
    return index


def _closing_parenthesis(shape: str, opening: int) -> int:
    depth = 0
    for index in range(opening, len(shape)):
        if shape[index] == "(":
            depth += 1
        elif shape[index] == ")":
            depth -= 1
            if depth == 0:
                return index
    return len(shape)
