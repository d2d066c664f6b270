# SPDX-License-Identifier: GPL-2.0-or-later
"""The symtypes text format: what ``-T`` writes and ``-r`` reads.

One symbol a line::

    [override ] KIND#NAME [extern ]TOKEN TOKEN ... TOKEN

where KIND is t, E, s, u or e, plain symbols have the bare name, and tokens of the form ``KIND#NAME`` refer to other
lines.  Tokens end at a space; in a string literal, which a double quote opens and closes even inside a word, spaces
belong to the token.  Bytes map one to one to characters (latin-1).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from genksyms_py.errors import SymtypesError
from genksyms_py.symbol_table import Definition, Symbol, SymbolTable

_LONGEST_TOKEN = 255
_REFERENCE_KINDS = frozenset("tsueE")

# token = ( character except space and quote | quote, anything, quote or end of line )+
_TOKEN = re.compile(r'(?:[^ "]|"[^"]*(?:"|\Z))+')


class Line(NamedTuple):
    """One line of a symtypes file."""

    kind: str
    name: str
    definition: Definition
    is_extern: bool = False
    is_override: bool = False


def format_line(symbol: Symbol) -> str:
    """The line of ``symbol``, newline included, as ``-T`` writes it: a space follows every token."""
    override = "override " if symbol.is_override else ""
    extern = "extern " if symbol.is_extern else ""
    tokens = " ".join(symbol.definition) + " " if symbol.definition else ""
    return f"{override}{symbol.symref} {extern}{tokens}\n"


def parse_lines(text: str, path: str) -> Iterator[Line]:
    """The lines of a symtypes text in order; empty ones and those with only ``override`` are passed over.

    Raises :class:`SymtypesError` for a token that is too long or refers to an unknown kind; ``path`` is for its text.
    """
    for number, text_line in enumerate(text.split("\n"), 1):
        line = _parse_line(text_line, f"{path}:{number}")
        if line is not None:
            yield line


def read_reference(path: str | os.PathLike[str], table: SymbolTable, *, leaks_enumerators: bool) -> None:
    """Enter a symtypes file into ``table`` as reference (option ``-r``).

    ``leaks_enumerators``: as in grammar A's releases, the enum constants and enums that are read drive the state that
    gives the first enum of the unit its values.  Raises :class:`SymtypesError`.
    """
    try:
        text = Path(path).read_bytes().decode("latin-1")
    except OSError as error:
        raise SymtypesError(f"{os.fspath(path)}: {error.strerror}") from None
    add_reference_lines(parse_lines(text, os.fspath(path)), table, leaks_enumerators=leaks_enumerators)


def add_reference_lines(lines: Iterator[Line], table: SymbolTable, *, leaks_enumerators: bool) -> None:
    """Enter the lines of a reference into ``table``."""
    for line in lines:
        definition = line.definition
        if leaks_enumerators:
            if line.kind == "E":
                definition = table.enumerators.value(definition)
            elif line.kind == "e":
                table.enumerators.restart()
        table.add_reference(line.kind, line.name, definition, line.is_extern, line.is_override)


# line = [ "override" ] name [ "extern" ] token*
def _parse_line(text: str, place: str) -> Line | None:
    tokens = [_checked(token, place) for token in _TOKEN.findall(text)]
    is_override = tokens[:1] == ["override"]
    del tokens[:is_override]
    if not tokens:
        return None
    is_extern = tokens[1:2] == ["extern"]
    symref = tokens[0]
    kind, name = (symref[0], symref[2:]) if symref[1:2] == "#" else ("", symref)
    return Line(kind, name, tuple(tokens[1 + is_extern :]), is_extern, is_override)


def _checked(token: str, place: str) -> str:
    if len(token) > _LONGEST_TOKEN:
        raise SymtypesError(f"{place}: Token too long")
    token = token.partition("\0")[0]
    if token[1:2] == "#" and token[0] not in _REFERENCE_KINDS:
        raise SymtypesError(f"{place}: Unknown type {token[0]}")
    return token
