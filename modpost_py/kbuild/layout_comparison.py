# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a symbol has the same layout and calling convention in two kernels, though its CRC is another.

A CRC changes with any token of the text that genksyms made of a symbol.  This comparison takes the two texts (the
symtypes of both kernels) and accepts only differences that cannot matter to a compiled module:

=============================  ============================================================================
parameter names                a caller never sees them
qualifiers                     ``const``, ``volatile``, ``restrict`` and storage classes change no layout
spelling of a basic type       ``unsigned`` is ``unsigned int``, ``long int`` is ``long``
a typedef                      is what it stands for, unless that has attributes (on a typedef they may mean
                               something else than on a member)
an opaque type                 known to one kernel's file and only announced (UNKNOWN) in the other's, behind a
                               pointer.  A definition in another file of the set counts, and must then agree.
a renamed member               in its place and of the same type; the new name must be new in its struct and the
                               old one gone, so that no two members changed places
enum constants added           all old ones keep their values, and the new ones need no wider type
=============================  ============================================================================

Everything else refuses: members that are added, lost, moved or of another type, array bounds, bit-field widths,
attributes, parameters, results, other tags, values of constants, a struct that is unknown and yet passed by value.
Types that refer to themselves are the same if nothing that can be reached from them differs (coinduction).

What genksyms does not write down, no comparison of its texts (and no CRC) can see: attributes behind the closing brace
of a struct with a tag, up to 6.13 those behind a declarator, and what is behind ``typeof ( expression )``.
"""

from __future__ import annotations

import re
from collections import deque
from typing import NamedTuple

from modpost_py.kbuild.layout_enumerations import enumeration_change
from modpost_py.kbuild.layout_symtypes import SymtypesFile, SymtypesSet
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
    described,
    spelled,
)

# Behind the name of what a reason is about: "struct s.member: ...", "f, parameter 1: ..."
_OWNER = re.compile("[.,:]")

#: So many differences are told at most; the first one is the nearest to the symbol.
_MOST_REASONS = 20


class LayoutVerdict(NamedTuple):
    """The outcome: ``reasons`` are the harmless differences where ``same``, else what differs, nearest first."""

    same: bool
    reasons: tuple[str, ...]


def compare_layouts(old: SymtypesSet, new: SymtypesSet, symbol: str) -> LayoutVerdict:
    """Compare all that ``symbol`` reaches in the symtypes of two kernels; raises KbuildError for unreadable lines."""
    old_files, new_files = old.files_with(symbol), new.files_with(symbol)
    for found, searched in ((old_files, old), (new_files, new)):
        if not found:
            return LayoutVerdict(False, (f"{symbol}: not in {searched.path}",))
    verdicts = [_Comparison(old, first, new, second).verdict(symbol) for first in old_files for second in new_files]
    refused = [verdict for verdict in verdicts if not verdict.same]
    return refused[0] if refused else verdicts[0]


class _Pair(NamedTuple):
    """Two types that have to be the same.

    ``may_be_opaque`` where they stand behind a pointer; ``path`` leads from the symbol to them.
    """

    old: Type
    new: Type
    may_be_opaque: bool
    path: str


#: The names of a struct's members, those of its anonymous members included; ``None`` where they are not all known.
_Scope = frozenset[str] | None


class _Comparison:
    """One symbol's comparison: pairs of types are worked off breadth first, each pair once."""

    def __init__(self, old: SymtypesSet, old_file: SymtypesFile, new: SymtypesSet, new_file: SymtypesFile) -> None:
        self._old, self._old_file = old, old_file
        self._new, self._new_file = new, new_file
        self._pending: deque[_Pair] = deque()
        self._seen: set[tuple[Type, Type, bool]] = set()
        self._compared: set[str] = set()  # tags
        self._differences: dict[str, None] = {}
        self._harmless: dict[str, None] = {}
        self._respelled: list[tuple[str, str, str]] = []  # path, the lines of the old and the new definition

    def verdict(self, symbol: str) -> LayoutVerdict:
        old_line, new_line = self._old_file.lines[symbol], self._new_file.lines[symbol]
        self._compare(self._old.type(old_line, symbol), self._new.type(new_line, symbol), False, symbol)
        self._respelled.append((symbol, old_line, new_line))
        while self._pending and len(self._differences) < _MOST_REASONS:
            self._compare_pair(self._pending.popleft())
        if self._differences:
            return LayoutVerdict(False, tuple(self._differences))
        self._note_spelling()
        return LayoutVerdict(True, tuple(self._harmless))

    def _note_spelling(self) -> None:
        """Of two definitions with another text and the same meaning say so, unless a rule said more about them."""
        told = {(before, _OWNER.split(last, maxsplit=1)[0]) for before, last in map(_last_step, self._harmless)}
        for path, old, new in self._respelled:
            if _last_step(path) not in told and self._old.tokens(old) != self._new.tokens(new):
                self._accept(path, "other qualifiers, parameter names or spelling only")

    def _differ(self, path: str, what: str) -> None:
        self._differences[f"{path}: {what}"] = None

    def _accept(self, path: str, what: str) -> None:
        self._harmless[f"{path}: {what}"] = None

    # --- references

    def _compare_pair(self, pair: _Pair) -> None:
        old, new = pair.old, pair.new
        key = (old, new, pair.may_be_opaque)
        if key in self._seen:
            return
        self._seen.add(key)
        if not (_is_typedef(old) or _is_typedef(new)):
            if isinstance(old, Reference) and old == new:
                self._compare_definitions(old.symref, pair)
            else:
                self._differ(pair.path, f"was {described(old)}, is {described(new)}")
        elif isinstance(old, Reference) and old == new:
            self._compare_definitions(old.symref, pair)
        else:
            self._compare_resolved(pair)

    def _compare_resolved(self, pair: _Pair) -> None:
        """Compare a typedef with something that is written otherwise."""
        old, new = _resolved(pair.old, self._old, self._old_file), _resolved(pair.new, self._new, self._new_file)
        words = f"{described(pair.old)}, is {described(pair.new)}"
        if old is None or new is None:
            self._differ(pair.path, f"was {words}: not known to be the same")
        else:
            self._accept(pair.path, f"was written {words}")
            self._compare(old, new, pair.may_be_opaque, pair.path)

    def _compare_definitions(self, symref: str, pair: _Pair) -> None:
        """Compare what a name stands for in both kernels."""
        path = f"{pair.path} -> {spelled(symref)}"
        definitions = self._definitions(symref, pair)
        if not _is_typedef(pair.old):
            # What a struct is made of does not depend on how it was reached: once is enough
            if symref in self._compared:
                return
            if definitions:
                self._compared.add(symref)
        for old, new in definitions:
            self._compare(self._old.type(old, symref), self._new.type(new, symref), pair.may_be_opaque, path)
            self._respelled.append((path, old, new))

    def _definitions(self, symref: str, pair: _Pair) -> list[tuple[str, str]]:
        """The definitions to compare, each of one side with each of the other; empty if one side has none."""
        old = self._old.definitions(symref, self._old_file)
        new = self._new.definitions(symref, self._new_file)
        name = spelled(symref)
        if not (old and new) and not pair.may_be_opaque:
            side = "both kernels" if not (old or new) else "the new kernel" if old else "the old kernel"
            self._differ(pair.path, f"{name} is needed as a whole, but not known in {side}")
        elif bool(old) != bool(new):
            self._accept(pair.path, f"{name} {'became opaque' if old else 'became visible'}, behind a pointer")
        return _matched(old, new)

    # --- types

    def _compare(self, old: Type, new: Type, may_be_opaque: bool, path: str) -> None:
        """Compare two types; references are put off."""
        if isinstance(old, Reference) or isinstance(new, Reference):
            self._pending.append(_Pair(old, new, may_be_opaque, path))
            return
        match old, new:
            case Basic(), Basic() if old == new:
                pass
            case Pointer(), Pointer() if old.attributes == new.attributes:
                self._compare(old.target, new.target, True, path)
            case Array(), Array():
                if self._is_same_expression(old.bound, new.bound, path):
                    self._compare(old.element, new.element, False, path)
                else:
                    self._differ(path, f"array bound was [{_text(old.bound)}], is [{_text(new.bound)}]")
            case Function(), Function():
                self._compare_functions(old, new, path)
            case Attributed(), Attributed():
                self._compare_attributes(old.attributes, new.attributes, path)
                self._compare(old.type, new.type, may_be_opaque, path)
            case Compound(), Compound() if old.keyword == new.keyword:
                self._compare_compounds(old, new, path, _scope(old), _scope(new))
            case Enumeration(), Enumeration():
                self._compare_enumerations(old, new, path)
            case (Raw(first), Raw(second)) if self._is_same_expression(first, second, path):
                pass
            case (Typeof(first), Typeof(second)) if self._is_same_expression(first, second, path):
                pass
            case _:
                self._differ(path, f"was {described(old)}, is {described(new)}")

    def _compare_attributes(self, old: Tokens, new: Tokens, path: str) -> None:
        if not self._is_same_expression(old, new, path):
            self._differ(path, f"attributes were '{_text(old)}', are '{_text(new)}'")

    def _compare_functions(self, old: Function, new: Function, path: str) -> None:
        self._compare(old.result, new.result, False, f"{path}, result")
        if old.parameters is None or new.parameters is None:
            if old.parameters is not new.parameters:
                self._differ(path, "a prototype was added or lost")
            return
        if len(old.parameters) != len(new.parameters) or old.is_variadic != new.is_variadic:
            self._differ(path, f"parameters were {_count(old)}, are {_count(new)}")
            return
        for number, (first, second) in enumerate(zip(old.parameters, new.parameters, strict=True), 1):
            self._compare(first, second, False, f"{path}, parameter {number}")

    def _compare_enumerations(self, old: Enumeration, new: Enumeration, path: str) -> None:
        self._compare_attributes(old.attributes, new.attributes, path)
        if old.constants is None or new.constants is None:
            if old != new:
                self._differ(path, "the enum is known on one side only")
            return
        change = enumeration_change(old.constants, new.constants)
        if not change.is_harmless:
            self._differ(path, change.what)
        elif change.what:
            self._accept(path, change.what)
        for first, second in change.expressions:
            if not self._is_same_expression(first, second, path):
                self._differ(path, f"value was {_text(first)}, is {_text(second)}")

    def _compare_compounds(self, old: Compound, new: Compound, path: str, old_scope: _Scope, new_scope: _Scope) -> None:
        self._compare_attributes(old.attributes, new.attributes, path)
        if old.members is None or new.members is None:
            if old != new:
                self._differ(path, f"the {old.keyword} is known on one side only")
            return
        for first, second in zip(old.members, new.members, strict=False):
            if not self._compare_members(first, second, path, old_scope, new_scope):
                return  # what follows a lost or added member is compared with another one
        for member in new.members[len(old.members) :][:1]:
            self._differ(path, f"member {_named(member)} was added")
        for member in old.members[len(new.members) :][:1]:
            self._differ(path, f"member {_named(member)} was lost")

    def _compare_members(self, old: Member, new: Member, path: str, old_scope: _Scope, new_scope: _Scope) -> bool:
        """Compare two members at the same place; false if their names tell that they are not the same member."""
        if old.name is None and new.name is None:
            if (
                isinstance(old.type, Compound)
                and isinstance(new.type, Compound)
                and old.type.keyword == new.type.keyword
            ):
                self._compare_compounds(old.type, new.type, path, old_scope, new_scope)
            else:
                self._compare(old.type, new.type, False, path)
        elif old.name is None or new.name is None:
            self._differ(path, f"was {_named(old)}, is {_named(new)}")
            return False
        else:
            if old.name != new.name and not self._is_renamed(old.name, new.name, path, old_scope, new_scope):
                return False
            self._compare(old.type, new.type, False, f"{path}.{new.name}")
        where = path if new.name is None else f"{path}.{new.name}"
        self._compare_attributes(old.attributes, new.attributes, where)
        if (old.width is None) != (new.width is None) or not self._is_same_expression(
            old.width or (), new.width or (), where
        ):
            self._differ(where, f"bit-field width was {_text(old.width or ())}, is {_text(new.width or ())}")
        return True

    def _is_renamed(self, old: str, new: str, path: str, old_scope: _Scope, new_scope: _Scope) -> bool:
        """Whether a member only has another name now: one that was not there before, in place of one that is gone."""
        if old_scope is None or new_scope is None or new in old_scope or old in new_scope:
            self._differ(path, f"was .{old}, is .{new} in this place")
            return False
        self._accept(path, f".{old} was renamed .{new}")
        return True

    def _is_same_expression(self, old: Tokens, new: Tokens, path: str) -> bool:
        """Whether two texts are the same, token for token; what they refer to is put off."""
        if len(old) != len(new):
            return False
        if len(old) == 1 and _number(old[0]) is not None:
            return _number(old[0]) == _number(new[0])
        for first, second in zip(old, new, strict=True):
            if first != second:
                return False
            if first.startswith("E#"):
                if not self._is_same_constant(first, path):
                    return False
            elif first[1:2] == "#" and first[0] in "tsue":
                self._pending.append(_Pair(Reference(first), Reference(first), False, path))
        return True

    def _is_same_constant(self, symref: str, path: str) -> bool:
        """Whether an enum constant has the same value in both: the same text, as genksyms wrote it down."""
        key = (Raw((symref,)), Raw((symref,)), False)
        if key in self._seen:
            return True
        self._seen.add(key)
        old = self._old.definitions(symref, self._old_file)
        new = self._new.definitions(symref, self._new_file)
        same = bool(old) and bool(new)
        for first in old:
            for second in new:
                same = same and self._is_same_expression(self._old.tokens(first), self._new.tokens(second), path)
        if not same:
            self._differ(path, f"the enum constant {symref[2:]} has another value or none")
        return True  # told already


def _matched(old: list[str], new: list[str]) -> list[tuple[str, str]]:
    """Which of several definitions to compare: structs of one name in several drivers.

    Those that did not change belong together.  What is left on one side may have become anything that is left on the
    other, or, where nothing is left there, anything at all.
    """
    common = set(old) & set(new)
    old_rest, new_rest = ([line for line in lines if line not in common] for lines in (old, new))
    pairs = [(line, line) for line in old if line in common]
    if old_rest or new_rest:
        pairs += [(first, second) for first in old_rest or old for second in new_rest or new]
    return pairs


def _last_step(path: str) -> tuple[str, str]:
    """The last step of a path, and all before it."""
    before, _, last = path.rpartition(" -> ")
    return before, last


def _is_typedef(type_: Type) -> bool:
    return isinstance(type_, Reference) and type_.is_typedef


def _resolved(type_: Type, known: SymtypesSet, file: SymtypesFile) -> Type | None:
    """What a typedef stands for, through all its names; other types as they are.

    ``None`` where that is not known: no definition, several ones, one that leads in a circle or has attributes.
    """
    seen = set()
    while isinstance(type_, Reference) and type_.is_typedef:
        definitions = known.definitions(type_.symref, file)
        if type_.symref in seen or len(definitions) != 1:
            return None
        seen.add(type_.symref)
        type_ = known.type(definitions[0], type_.symref)
        if isinstance(type_, Attributed | Raw) or (isinstance(type_, Pointer) and type_.attributes):
            return None
    return type_


def _scope(compound: Compound) -> _Scope:
    """All names that can be written behind the dot for this struct."""
    names: set[str] = set()
    pending = [compound]
    while pending:
        for member in pending.pop().members or ():
            if member.name is not None:
                names.add(member.name)
            elif isinstance(member.type, Compound):
                pending.append(member.type)
            elif member.width is None and not isinstance(member.type, Enumeration):
                return None  # an anonymous member whose names stand elsewhere
    return frozenset(names)


def _number(token: str) -> int | None:
    """The value of an integer literal."""
    try:
        return int(token, 0)
    except ValueError:
        return int(token, 8) if token.isdigit() and not token.strip("01234567") else None


def _text(tokens: Tokens) -> str:
    return " ".join(tokens)


def _named(member: Member) -> str:
    return f"anonymous {described(member.type)}" if member.name is None else f".{member.name}"


def _count(function: Function) -> str:
    return f"{len(function.parameters or ())}{' and more' if function.is_variadic else ''}"
