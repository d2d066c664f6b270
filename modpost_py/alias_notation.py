# SPDX-License-Identifier: GPL-2.0-or-later
"""The notation of the alias rules, and its compilation for a target.

Most aliases are a bus prefix followed by one part per member of the device structure.  A part is

* :class:`Hex`: ``separator`` and the member in hexadecimal, of two digits per byte; or, where the
  entry leaves the member open, ``separator*``;
* :class:`Text`: ``separator`` and the text of the member;
* a plain ``str``: itself.

A ``Rule`` lists them.  What does not fit is a ``TableRule``: a function from the entries to the aliases.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, NamedTuple

from modpost_py.device_layouts import DeviceLayout, Member, Target
from modpost_py.messages import Reporter

#: The values of the members that a rule reads, in the rule's order: ``int``, ``str`` for ``char[N]`` and ``texts[N]``,
#: ``bytes`` for ``bytes[N]``; a ``bits[N]`` is an ``int`` whose bit i is the map's bit i.
Entry = tuple[Any, ...]


# ---------------------------------------------------------------------------------------------- parts


class Unless(NamedTuple):
    """The member is meant unless it has this value; a negative value counts from the member's all ones (-1)."""

    value: int


class Flag(NamedTuple):
    """The member is meant if one of these bits is set in ``match_flags``."""

    bits: int


#: ``None``: the member is always meant.
Condition = Unless | Flag | None
#: All bits of the member: 0xFF, 0xFFFF or 0xFFFFFFFF.
UNLESS_ONES = Unless(-1)
UNLESS_ZERO = Unless(0)
FLAGS_MEMBER = "match_flags"


class Hex(NamedTuple):
    """A member in hexadecimal; ``conversion`` replaces the upper case, zero padded default (a ``%`` format)."""

    separator: str
    member: str
    condition: Condition = None
    conversion: str = ""


class Text(NamedTuple):
    """The text of a member; where it is not meant, or empty and ``star_if_empty``, it reads ``*``."""

    separator: str
    member: str
    star_if_empty: bool = False
    condition: Condition = None


Part = Hex | Text | str


class Rule(NamedTuple):
    """One alias an entry: ``parts`` joined; with ``star``, a ``*`` is added unless there is one at the end already.

    ``underlined``: white space, which no alias may contain, becomes ``_``.
    """

    parts: tuple[Part, ...]
    star: bool = False
    underlined: bool = False


class TableRule(NamedTuple):
    """Aliases by a function, called with the table's entries (``members`` of each), the target and the reporter.

    ``forms`` tells a reader what the aliases of an entry look like, in the notation of :func:`forms_of`.
    """

    forms: tuple[str, ...]
    members: tuple[str, ...]
    aliases: Callable[[Iterable[Entry], Target, Reporter], Iterable[str]]


AnyRule = Rule | TableRule


def forms_of(rule: AnyRule, layout: DeviceLayout) -> tuple[str, ...]:
    """What the aliases of a rule look like, for readers.

    ``{member:DIGITS}`` is a member in hexadecimal, of so many digits at least, in lower case if an ``x``
    follows; ``{member}`` is text, and ``[*]`` a ``*`` unless the alias ends in one already.  A member that
    an entry leaves open reads ``*``.
    """
    if isinstance(rule, TableRule):
        return rule.forms
    form = "".join(part if isinstance(part, str) else _form_of(part, layout) for part in rule.parts)
    return (form + "[*]" if rule.star else form,)


def _form_of(part: Hex | Text, layout: DeviceLayout) -> str:
    if isinstance(part, Text):
        return f"{part.separator}{{{part.member}}}"
    digits = part.conversion.lstrip("%0").rstrip("X") or str(
        1 if part.conversion else 2 * layout.members[part.member].size
    )
    return f"{part.separator}{{{part.member}:{digits}}}"


_WHITE_SPACE = str.maketrans(dict.fromkeys(" \t\n\v\f\r", "_"))


def underline(alias: str) -> str:
    """The alias with every white space character replaced by ``_``."""
    return alias.translate(_WHITE_SPACE)


# ------------------------------------------------------------------------------------------- compiling

_CODES = {("u8", 1): "B", ("u16", 2): "H", ("u32", 4): "I", ("word", 4): "I", ("word", 8): "Q"}


def _bit_map(raw: bytes, target: Target) -> int:
    """The bit map as one integer: its words stand in ascending order, each in the target's byte order."""
    if target.byteorder == "little":
        return int.from_bytes(raw, "little")
    word = target.bits // 8
    return int.from_bytes(b"".join(raw[at : at + word] for at in range(len(raw) - word, -1, -word)), "big")


class EntryReader:
    """Reads the named members of a table's entries, all in one go."""

    def __init__(self, layout: DeviceLayout, names: Iterable[str]) -> None:
        self.size = layout.size
        self._target = layout.target
        self._names = tuple(names)
        read = sorted({layout.members[name] for name in self._names}, key=lambda member: member.offset)
        self._struct = struct.Struct(_struct_format(layout, read))
        self._maps = [at for at, member in enumerate(read) if member.kind == "bits"]
        self._texts = [
            # Of several texts the last one may begin anywhere, so that no NUL before the member's last byte ends it
            (at, member.offset, member.offset + (member.size - 1 if member.kind == "texts" else 0))
            for at, member in enumerate(read)
            if member.kind in ("char", "texts")
        ]
        positions = [[member.name for member in read].index(name) for name in self._names]
        in_order = positions == list(range(len(read)))
        self._reordered = None if in_order or len(positions) < 2 else itemgetter(*positions)

    def entries(self, table: bytes) -> Iterator[Entry]:
        """The entries of a table, but for the last, which terminates it and is all zeros.

        A text without NUL goes on into the members and entries that follow, as in C; the terminator
        ends it at the latest.
        """
        entries: Iterator[Entry] = self._struct.iter_unpack(memoryview(table)[: len(table) - self.size])
        if self._texts or self._maps:
            entries = self._with_texts(entries, table)
        return map(self._reordered, entries) if self._reordered else entries

    def _with_texts(self, entries: Iterator[Entry], table: bytes) -> Iterator[Entry]:
        characters = table.decode("latin-1")
        for begin, entry in zip(range(0, len(table), self.size), entries, strict=False):
            values = list(entry)
            for at, first, last in self._texts:
                values[at] = characters[begin + first : characters.index("\0", begin + last)]
            for at in self._maps:
                values[at] = _bit_map(values[at], self._target)
            yield tuple(values)


def _struct_format(layout: DeviceLayout, members: Iterable[Member]) -> str:
    """The ``struct`` format of an entry with only these members; the rest is padding."""
    codes = ["<" if layout.target.byteorder == "little" else ">"]
    at = 0
    for member in members:
        code = _CODES.get((member.kind, member.size), f"{member.size}s")
        codes += [f"{member.offset - at}x", code]
        at = member.offset + member.size
    return "".join([*codes, f"{layout.size - at}x"])


def _condition(condition: Condition, member: Member, at: dict[str, int]) -> Callable[[Entry], Any] | None:
    """A test of an entry, or ``None`` if it would always be true."""
    if isinstance(condition, Unless):
        absent = condition.value if condition.value >= 0 else condition.value + (1 << (8 * member.size))
        place = at[member.name]
        return lambda entry: entry[place] != absent
    if isinstance(condition, Flag):
        bits, flags = condition.bits, at[FLAGS_MEMBER]
        return lambda entry: entry[flags] & bits
    return None


def _compiled_part(part: Part, layout: DeviceLayout, at: dict[str, int]) -> Callable[[Entry], str]:
    if isinstance(part, str):
        return lambda entry: part
    member, place = layout.members[part.member], at[part.member]
    wild = part.separator + "*"
    if isinstance(part, Hex):
        escaped = part.separator.replace("%", "%%")
        conversion = escaped + (part.conversion or f"%0{2 * member.size}X")
    else:
        conversion = part.separator.replace("%", "%%") + "%s"
    meant = _condition(part.condition, member, at)
    if meant is None and isinstance(part, Text) and part.star_if_empty:
        return lambda entry: conversion % (entry[place] or "*")
    if meant is None:
        return lambda entry: conversion % entry[place]
    return lambda entry: conversion % entry[place] if meant(entry) else wild


Converter = Callable[[bytes, Reporter], list[str]]


def compile_rule(rule: AnyRule, layout: DeviceLayout) -> Converter:
    """A function from the bytes of a terminated table to its aliases, for tables of this layout."""
    if isinstance(rule, TableRule):
        reader = EntryReader(layout, rule.members)
        return lambda table, reporter: list(rule.aliases(reader.entries(table), layout.target, reporter))
    return _compiled_parts(rule, layout)


def _compiled_parts(rule: Rule, layout: DeviceLayout) -> Converter:
    members = [part.member for part in rule.parts if not isinstance(part, str)]
    if any(not isinstance(part, str) and isinstance(part.condition, Flag) for part in rule.parts):
        members.append(FLAGS_MEMBER)
    reader = EntryReader(layout, dict.fromkeys(members))
    at = {name: place for place, name in enumerate(dict.fromkeys(members))}
    parts = [_compiled_part(part, layout, at) for part in rule.parts]

    def aliases(table: bytes, reporter: Reporter) -> list[str]:
        found = ["".join([part(entry) for part in parts]) for entry in reader.entries(table)]
        if rule.underlined:
            found = [underline(alias) for alias in found]
        if rule.star:
            found = [alias if alias.endswith("*") else alias + "*" for alias in found]
        return found

    return aliases
