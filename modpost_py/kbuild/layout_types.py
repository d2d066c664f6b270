# SPDX-License-Identifier: GPL-2.0-or-later
"""The types of C as far as they have a layout: what definitions of a symtypes file are read into."""

from __future__ import annotations

from dataclasses import dataclass

Tokens = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Basic:
    """A type of the language, in one spelling: ``unsigned int``, never ``unsigned``."""

    name: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A typedef, struct, union or enum that has a line of its own: ``t#u32``, ``s#page``."""

    symref: str

    @property
    def is_typedef(self) -> bool:
        """Whether this names a typedef rather than a tag."""
        return self.symref.startswith("t#")


@dataclass(frozen=True, slots=True)
class Typeof:
    """``typeof ( expression )``: a type of which only the text is known."""

    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Attributed:
    """A type with attributes, as they are written."""

    type: Type
    attributes: Tokens


@dataclass(frozen=True, slots=True)
class Pointer:
    """A pointer, and the attributes behind its asterisk."""

    target: Type
    attributes: Tokens = ()


@dataclass(frozen=True, slots=True)
class Array:
    """An array; ``bound`` is empty for one without."""

    element: Type
    bound: Tokens


@dataclass(frozen=True, slots=True)
class Function:
    """A function; ``parameters`` is ``None`` for one without a prototype, ``f()``."""

    result: Type
    parameters: tuple[Type, ...] | None
    is_variadic: bool


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a struct or union; ``name`` is ``None`` for an anonymous one, ``width`` that of a bit-field."""

    name: str | None
    type: Type
    width: Tokens | None = None
    attributes: Tokens = ()


@dataclass(frozen=True, slots=True)
class Compound:
    """The body of a struct or union; ``members`` is ``None`` where genksyms saw only an announcement (UNKNOWN)."""

    keyword: str
    members: tuple[Member, ...] | None
    attributes: Tokens = ()


@dataclass(frozen=True, slots=True)
class Enumeration:
    """The body of an enum: names and the tokens of their values (empty: counts on); ``None`` where UNKNOWN."""

    constants: tuple[tuple[str, Tokens], ...] | None
    attributes: Tokens = ()


@dataclass(frozen=True, slots=True)
class Raw:
    """A text that does not fit the grammar."""

    tokens: Tokens


Type = Basic | Reference | Typeof | Attributed | Pointer | Array | Function | Compound | Enumeration | Raw


# --- types as text ------------------------------------------------------------------------------

_KIND_WORDS = {"s": "struct ", "u": "union ", "e": "enum ", "t": "", "E": ""}


def spelled(symref: str) -> str:
    """``s#page`` -> ``struct page``; the name alone for typedefs, enum constants and exported symbols."""
    return _KIND_WORDS[symref[0]] + symref[2:] if symref[1:2] == "#" else symref


def described(type_: Type) -> str:
    """A type in few words, as C would have it where that is short."""
    match type_:
        case Basic(name):
            return name
        case Reference(symref):
            return spelled(symref)
        case Pointer(target):
            return f"pointer to {described(target)}"
        case Array(element, bound):
            return f"array [{' '.join(bound)}] of {described(element)}"
        case Function():
            return "function"
        case Attributed(inner, attributes):
            return f"{described(inner)} {' '.join(attributes)}"
        case Compound(keyword):
            return f"{keyword} {{...}}"
        case Enumeration():
            return "enum {...}"
        case Typeof(tokens) | Raw(tokens):
            text = " ".join(tokens)
            return text if len(text) <= 60 else text[:57] + "..."
