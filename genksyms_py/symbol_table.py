# SPDX-License-Identifier: GPL-2.0-or-later
"""The symbols that a translation unit declares, and those that a symtypes reference recorded.

A *kind* is ``""`` (plain symbol), ``"t"`` (typedef), ``"E"`` (enum constant), ``"s"``, ``"u"`` or ``"e"`` (struct,
union, enum tag).  There are two name spaces, the ordinary one {``""``, t, E} and the tags {s, u, e}; each holds at
most one entry per name, of whatever kind, and the first definition stays.

An entry that comes from a reference file only is invisible to every look-up until the unit declares it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from genksyms_py.enumerators import EnumeratorState
from genksyms_py.messages import NO_FILE, Location, Message

Definition = tuple[str, ...]
Status = Literal["unchanged", "modified", "defined"]

TAG_KINDS = frozenset("sue")
LEXED_KINDS = frozenset("tE")

#: What messages and debug output call a kind.
KIND_WORDS = {"": "", "t": "typedef", "E": "enum constant", "s": "struct", "u": "union", "e": "enum"}

_UNKNOWN_BODY = ("{", "UNKNOWN", "}")
_NOWHERE = Location(NO_FILE, 1)


class Symbol:
    """One entry.

    ``definition`` holds token texts as in a symtypes line, references spelled ``s#NAME``.  ``status`` compares it with
    the reference file: ``defined`` means that the reference knew the compound as UNKNOWN only.  ``location`` is where
    reading stood when the entry was made.
    """

    __slots__ = ("definition", "is_declared", "is_extern", "is_override", "kind", "location", "name", "status")

    def __init__(
        self,
        kind: str,
        name: str,
        definition: Definition,
        is_extern: bool = False,
        location: Location = _NOWHERE,
        *,
        is_declared: bool = True,
        is_override: bool = False,
        status: Status = "unchanged",
    ) -> None:
        self.kind = kind
        self.name = name
        self.definition = definition
        self.is_extern = is_extern
        self.location = location
        self.is_declared = is_declared
        self.is_override = is_override
        self.status = status

    @property
    def symref(self) -> str:
        """``s#NAME`` and so on; the bare name of a plain symbol."""
        return f"{self.kind}#{self.name}" if self.kind else self.name

    def __repr__(self) -> str:
        return f"Symbol({self.symref!r}, {' '.join(self.definition)!r})"


def unknown_definition(kind: str, name: str) -> Definition:
    """The definition of a compound that was never defined: ``struct NAME { UNKNOWN }``."""
    return (KIND_WORDS[kind], name, *_UNKNOWN_BODY)


class SymbolTable:
    """Both name spaces of one run.

    ``preserve`` is option ``-p``: entries marked *override* in the reference keep the reference's definition.
    ``on_message`` gets the messages, ``on_definition`` each new or replaced entry (option ``-d``).
    """

    def __init__(
        self,
        *,
        preserve: bool = False,
        on_message: Callable[[Message], None] | None = None,
        on_definition: Callable[[Symbol], None] | None = None,
    ) -> None:
        self.ordinary: dict[str, Symbol] = {}
        self.tags: dict[str, Symbol] = {}
        #: The declared typedefs ("t") and enum constants ("E"): what reading a word depends on.
        self.lexed_kinds: dict[str, str] = {}
        self.enumerators = EnumeratorState()
        self._preserve = preserve
        self._on_message = on_message
        self._on_definition = on_definition

    def __len__(self) -> int:
        """The number of entries, those of the reference included."""
        return len(self.ordinary) + len(self.tags)

    def find(self, kind: str, name: str) -> Symbol | None:
        """The declared entry called ``name`` in the name space of ``kind``, whatever its own kind is."""
        symbol = (self.tags if kind in TAG_KINDS else self.ordinary).get(name)
        return symbol if symbol is not None and symbol.is_declared else None

    def declare(
        self, kind: str, name: str, definition: Definition, is_extern: bool = False, location: Location = _NOWHERE
    ) -> Symbol:
        """Add what the unit declares, and return the entry that is valid from now on.

        Definitions are compared by text and tag of each token, never by ``is_extern``.  An enum restarts the
        enumerators, even if it is a redefinition.
        """
        if kind == "e":
            self.enumerators.restart()
        space = self.tags if kind in TAG_KINDS else self.ordinary
        old = space.get(name)
        if old is None:
            return self._enter(space, Symbol(kind, name, definition, is_extern, location))
        if old.kind == kind and old.definition == definition:
            if not old.is_declared:
                if old.is_override:
                    self._tell(location, f"{_named(kind, name)} modversion is unchanged", is_error=False)
                self._make_declared(old, location)
            return old
        if old.is_declared:
            self._tell(location, f"redefinition of {name}")
            return old
        if old.is_override and self._preserve:
            self._tell(location, f"ignoring {_named(kind, name)} modversion change", is_error=False)
            self._make_declared(old, location)
            return old
        return self._enter(space, Symbol(kind, name, definition, is_extern, location, status=_status_after(old)))

    def declare_unknown(self, kind: str, name: str, location: Location = _NOWHERE) -> Symbol:
        """Declare a compound that an expansion met and nothing had defined."""
        return self.declare(kind, name, unknown_definition(kind, name), False, location)

    def add_reference(
        self, kind: str, name: str, definition: Definition, is_extern: bool = False, is_override: bool = False
    ) -> Symbol:
        """Add an entry of a symtypes reference; a later one of the same name replaces it."""
        space = self.tags if kind in TAG_KINDS else self.ordinary
        symbol = Symbol(kind, name, definition, is_extern, is_declared=False, is_override=is_override)
        return self._enter(space, symbol)

    def _enter(self, space: dict[str, Symbol], symbol: Symbol) -> Symbol:
        space[symbol.name] = symbol
        if symbol.is_declared and symbol.kind in LEXED_KINDS:
            self.lexed_kinds[symbol.name] = symbol.kind
        if self._on_definition is not None:
            self._on_definition(symbol)
        return symbol

    def _make_declared(self, symbol: Symbol, location: Location) -> None:
        symbol.is_declared = True
        symbol.location = location
        if symbol.kind in LEXED_KINDS:
            self.lexed_kinds[symbol.name] = symbol.kind

    def _tell(self, location: Location, text: str, is_error: bool = True) -> None:
        if self._on_message is not None:
            self._on_message(Message(location, text, is_error))


def _status_after(reference: Symbol) -> Status:
    """How a definition that differs from the reference's is called."""
    is_unknown = reference.kind in TAG_KINDS and reference.definition[-3:] == _UNKNOWN_BODY
    return "defined" if is_unknown else "modified"


def _named(kind: str, name: str) -> str:
    return f"{KIND_WORDS[kind]} {name}" if kind else name
