# SPDX-License-Identifier: GPL-2.0-or-later
"""A definition of a symtypes file, read as a type: the tokens of C, less what has no part in a layout.

    definition = "typedef" specifiers declarator | specifiers [ declarator ] attribute*
               | ( "struct" | "union" ) attribute* [ TAG ] body | "enum" attribute* [ TAG ] constants
    specifiers = ( qualifier | storage | attribute )* type ( qualifier | storage | attribute )*
    type       = basic word+ | symref | "struct" body | "enum" constants | "typeof" "(" type or expression ")"
    body       = "{" ( "UNKNOWN" | member* ) "}"
    member     = specifiers [ field ( "," field )* ] ";" | ";"
    field      = declarator [ ":" width ] attribute*
    constants  = "{" ( "UNKNOWN" | NAME [ "=" value ] ( "," NAME [ "=" value ] )* [ "," ] ) "}"
    declarator = ( "*" ( qualifier | attribute )* )* [ NAME | "(" declarator ")" ] suffix*
    suffix     = "[" bound "]" | "(" [ "void" | parameter ( "," parameter )* [ "," "..." ] ] ")"
    parameter  = specifiers declarator attribute*

Dropped here are qualifiers, storage classes, parameter names, and the many spellings of one basic type.  What does
not fit (genksyms keeps some texts raw, and reads some wrongly) becomes a ``Raw``, which equals only itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from modpost_py.kbuild.layout_types import (
    Array,
    Attributed,
    Basic,
    Compound,
    Enumeration,
    Function,
    Member,
    Pointer,
    Raw,
    Reference,
    Tokens,
    Type,
    Typeof,
)

_UNKNOWN_BODY = ("{", "UNKNOWN", "}")
_VARIANTS_OF_QUALIFIERS = [(word, f"__{word}", f"__{word}__") for word in ("const", "volatile", "restrict")]
_QUALIFIERS = frozenset(word for words in _VARIANTS_OF_QUALIFIERS for word in words) | {"__extension__"}
_STORAGE = frozenset(("extern", "static", "register", "auto", "inline", "__inline", "__inline__", "typedef"))
_ATTRIBUTES = frozenset(("__attribute__", "__attribute", "_Alignas"))
_TYPEOFS = frozenset(("typeof", "__typeof", "__typeof__", "typeof_unqual", "__typeof_unqual", "__typeof_unqual__"))
_COMPOUNDS = frozenset(("struct", "union"))
_SIGNED = frozenset(("signed", "__signed", "__signed__"))
_NAME = re.compile(r"[A-Za-z_$][A-Za-z_$0-9]*")
# What is deeper stays raw; recursion over types then needs no other bound
_DEEPEST_NESTING = 20
_MOST_SUFFIXES = 6

#: The words of a basic type without ``signed`` and ``int``, sorted -> its name.
_BASIC_NAMES = {
    ("void",): "void",
    ("char",): "char",
    ("char", "unsigned"): "unsigned char",
    ("short",): "short",
    ("short", "unsigned"): "unsigned short",
    (): "int",
    ("unsigned",): "unsigned int",
    ("long",): "long",
    ("long", "unsigned"): "unsigned long",
    ("long", "long"): "long long",
    ("long", "long", "unsigned"): "unsigned long long",
    ("__int128",): "__int128",
    ("__int128", "unsigned"): "unsigned __int128",
    ("__int128_t",): "__int128",
    ("__uint128_t",): "unsigned __int128",
    ("_Bool",): "_Bool",
    ("float",): "float",
    ("double",): "double",
    ("double", "long"): "long double",
    ("__builtin_va_list",): "__builtin_va_list",
}
_BASIC_WORDS = _SIGNED | {"int"} | {word for words in _BASIC_NAMES for word in words}
_TYPE_WORDS = _QUALIFIERS | _STORAGE | _ATTRIBUTES | _TYPEOFS | _COMPOUNDS | _BASIC_WORDS | {"enum"}
#: With these "signed" says nothing, with those "int" says nothing.
_WITH_SIGNED = frozenset(("short", "int", "long", "long long", "__int128"))
_WITH_INT = frozenset(("int", "short", "long", "long long"))
_WITH_INT |= {f"unsigned {name}" for name in _WITH_INT}


class _IrregularError(Exception):
    """A text outside the grammar."""


def parse_definition(tokens: Tokens, is_tag: bool) -> Type:
    """The type that a line of a symtypes file defines; ``is_tag`` for the lines of ``s#``, ``u#`` and ``e#``."""
    reader = _Reader(tokens)
    try:
        return reader.tag_definition() if is_tag else reader.declaration()
    except _IrregularError:
        return Raw(tokens)


def basic_name(words: list[str]) -> str | None:
    """The one name of a basic type, from its words in any order; ``None`` for words that make no type."""
    rest = sorted(word for word in words if word not in _SIGNED and word != "int")
    signs, ints = sum(word in _SIGNED for word in words), words.count("int")
    name = _BASIC_NAMES.get(tuple(rest))
    if name is None or signs > 1 or ints > 1:
        return None
    if ints and name not in _WITH_INT:
        return None
    if signs:
        # plain char is a type of its own, signed or not
        return "signed char" if name == "char" else name if name in _WITH_SIGNED else None
    return name


class _Reader:
    """Reads one definition; a method for each rule of the grammar above."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._at = 0
        self._nesting = 0

    # --- tokens

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise _IrregularError
        self._at += 1
        return token

    def _accept(self, token: str) -> bool:
        if self._peek() != token:
            return False
        self._at += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            raise _IrregularError

    def _expect_end(self) -> None:
        if self._at != len(self._tokens):
            raise _IrregularError

    def _descend(self) -> None:
        self._nesting += 1
        if self._nesting > _DEEPEST_NESTING:
            raise _IrregularError

    def _parenthesized(self) -> Tokens:
        """A balanced text from "(" to its ")"."""
        start, depth = self._at, 0
        while True:
            token = self._next()
            depth += (token == "(") - (token == ")")
            if depth == 0:
                if self._at - start < 2:
                    raise _IrregularError
                return self._tokens[start : self._at]

    def _until(self, ends: tuple[str, ...]) -> Tokens:
        """The tokens up to one of ``ends`` outside parentheses and brackets."""
        start, depth = self._at, 0
        while depth or self._peek() not in ends:
            token = self._next()
            depth += (token in ("(", "[")) - (token in (")", "]"))
            if depth < 0:
                raise _IrregularError
        return self._tokens[start : self._at]

    def _attributes(self) -> Tokens:
        found: Tokens = ()
        while self._peek() in _ATTRIBUTES:
            found += (self._next(), *self._parenthesized())
        return found

    # --- definitions

    def tag_definition(self) -> Type:
        found = self._enumeration() if self._accept("enum") else self._compound()
        self._expect_end()
        return found

    def declaration(self) -> Type:
        base = self._specifiers()
        _, made = self._declarator()
        found = _attributed(made(base), self._attributes())
        self._expect_end()
        return found

    def type_name(self) -> Type:
        base = self._specifiers()
        name, made = self._declarator()
        self._expect_end()
        if name is not None:
            raise _IrregularError
        return made(base)

    # --- types

    def _specifiers(self) -> Type:
        words: list[str] = []
        found: Type | None = None
        attributes: Tokens = ()
        while token := self._peek():
            if token in _QUALIFIERS or token in _STORAGE:
                self._at += 1
            elif token in _ATTRIBUTES:
                attributes += self._attributes()
            elif token in _BASIC_WORDS and found is None:
                words.append(self._next())
            elif found is None and not words:
                found = self._single_type(token)
                if found is None:
                    break
            else:
                break
        if words:
            name = basic_name(words)
            found = None if name is None else Basic(name)
        if found is None:
            raise _IrregularError
        return _attributed(found, attributes)

    def _single_type(self, token: str) -> Type | None:
        if token[1:2] == "#" and token[0] in "tsue":
            self._at += 1
            return Reference(token)
        if token in _COMPOUNDS:
            return self._compound()
        if token in _TYPEOFS:
            self._at += 1
            return _type_of(token, self._parenthesized())
        return self._enumeration() if self._accept("enum") else None

    def _tag_and_attributes(self) -> Tokens:
        attributes = self._attributes()
        if self._peek() != "{":
            self._at += 1
        attributes += self._attributes()
        self._expect("{")
        return attributes

    def _is_unknown_body(self) -> bool:
        start = self._at - 1
        if self._tokens[start : start + 3] != _UNKNOWN_BODY:
            return False
        self._at += 2
        return True

    def _compound(self) -> Compound:
        keyword = self._next()
        if keyword not in _COMPOUNDS:
            raise _IrregularError
        attributes = self._tag_and_attributes()
        if self._is_unknown_body():
            return Compound(keyword, None, attributes)
        self._descend()
        members: list[Member] = []
        while not self._accept("}"):
            if not self._accept(";"):
                members += self._members()
        self._nesting -= 1
        return Compound(keyword, tuple(members), attributes)

    def _members(self) -> list[Member]:
        base = self._specifiers()
        if self._accept(";"):
            return [Member(None, base)]
        members = [self._field(base)]
        while self._accept(","):
            members.append(self._field(base))
        self._expect(";")
        return members

    def _field(self, base: Type) -> Member:
        name, made = self._declarator()
        width = self._until((",", ";", *_ATTRIBUTES)) if self._accept(":") else None
        if name is None and width is None:
            raise _IrregularError
        return Member(name, made(base), width, self._attributes())

    def _enumeration(self) -> Enumeration:
        attributes = self._tag_and_attributes()
        if self._is_unknown_body():
            return Enumeration(None, attributes)
        constants: list[tuple[str, Tokens]] = []
        while not self._accept("}"):
            name = self._next().removeprefix("E#")
            if not _NAME.fullmatch(name):
                raise _IrregularError
            value = self._until((",", "}")) if self._accept("=") else ()
            constants.append((name, value))
            if self._peek() != "}":
                self._expect(",")
        return Enumeration(tuple(constants), attributes)

    # --- declarators: the name, and what makes the declared type of the type before it

    def _declarator(self) -> tuple[str | None, Callable[[Type], Type]]:
        self._descend()
        pointers: list[Tokens] = []
        while self._accept("*"):
            pointers.append(self._pointer_attributes())
            if len(pointers) > _MOST_SUFFIXES:
                raise _IrregularError
        name: str | None = None
        inner: Callable[[Type], Type] = _same
        if self._peek() == "(" and self._opens_declarator():
            self._expect("(")
            self._attributes_only_before_asterisk()
            name, inner = self._declarator()
            self._expect(")")
        elif self._is_name(self._peek()):
            name = self._next()
        suffixes: list[Callable[[Type], Type]] = []
        while self._peek() in ("[", "("):
            suffixes.append(self._bound() if self._peek() == "[" else self._parameters())
            if len(suffixes) > _MOST_SUFFIXES:
                raise _IrregularError
        self._nesting -= 1

        def make(base: Type) -> Type:
            for attributes in pointers:
                base = Pointer(base, attributes)
            for suffix in reversed(suffixes):
                base = suffix(base)
            return inner(base)

        return name, make

    def _attributes_only_before_asterisk(self) -> None:
        # Where an attribute behind "(" belongs is more than is known here
        if self._peek() in _ATTRIBUTES:
            raise _IrregularError

    def _pointer_attributes(self) -> Tokens:
        attributes: Tokens = ()
        while True:
            if self._peek() in _QUALIFIERS:
                self._at += 1
            elif self._peek() in _ATTRIBUTES:
                attributes += self._attributes()
            else:
                return attributes

    def _is_name(self, token: str) -> bool:
        # A member may have the name of a typedef or an enum constant; genksyms then writes it as one
        return token.startswith(("t#", "E#")) or (_NAME.fullmatch(token) is not None and token not in _TYPE_WORDS)

    def _opens_declarator(self) -> bool:
        """Whether the "(" here is a declarator's, not that of a parameter list."""
        token = self._peek(1)
        if token in ("*", "(") or token in _ATTRIBUTES:
            return True
        return _NAME.fullmatch(token) is not None and token not in _TYPE_WORDS

    def _bound(self) -> Callable[[Type], Type]:
        self._expect("[")
        bound = self._until(("]",))
        self._expect("]")
        return lambda element: Array(element, bound)

    def _parameters(self) -> Callable[[Type], Type]:
        self._expect("(")
        if self._accept(")"):
            return lambda result: Function(result, None, False)
        if self._peek() == "void" and self._peek(1) == ")":
            self._at += 2
            return lambda result: Function(result, (), False)
        parameters: list[Type] = []
        is_variadic = False
        while not is_variadic:
            if self._accept("..."):
                is_variadic = True
            else:
                parameters.append(self._parameter())
                if not self._accept(","):
                    break
        self._expect(")")
        found = tuple(parameters)
        return lambda result: Function(result, found, is_variadic)

    def _parameter(self) -> Type:
        base = self._specifiers()
        _, made = self._declarator()
        return _attributed(made(base), self._attributes())


def _type_of(word: str, parenthesized: Tokens) -> Type:
    """``typeof ( type )`` is that type."""
    reader = _Reader(parenthesized[1:-1])
    try:
        return reader.type_name()
    except _IrregularError:
        return Typeof((word, *parenthesized))


def _same(type_: Type) -> Type:
    return type_


def _attributed(type_: Type, attributes: Tokens) -> Type:
    return Attributed(type_, attributes) if attributes else type_
