# SPDX-License-Identifier: GPL-2.0-or-later
"""The symtypes of a kernel: one file, or all ``*.symtypes`` below a directory (format: genksyms_py/symtypes.py).

Each file says what its own exports reach, and knows a type as UNKNOWN that was only announced there; another file of
the same kernel may have its definition.  Lines are read when they are asked for: a kernel's files have millions, most
of them the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property

from genksyms_py.errors import SymtypesError
from genksyms_py.symtypes import parse_lines
from modpost_py.kbuild.errors import KbuildError
from modpost_py.kbuild.layout_declarations import parse_definition
from modpost_py.kbuild.layout_types import Tokens, Type

SUFFIX = ".symtypes"
_UNKNOWN = " { UNKNOWN }"


class SymtypesFile:
    """One file: its path and, by symref (``s#page``, or the bare name of an export), the texts of its lines."""

    __slots__ = ("lines", "path")

    def __init__(self, path: str, lines: dict[str, str]) -> None:
        self.path = path
        self.lines = lines


class SymtypesSet:
    """The files of one kernel; ``path`` is what messages call it."""

    def __init__(self, path: str, files: list[SymtypesFile]) -> None:
        self.path = path
        self.files = files
        self._tokens: dict[str, Tokens] = {}
        self._types: dict[str, Type] = {}

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> SymtypesSet:
        """Read a file or a directory tree; raises KbuildError, for a directory without such files too."""
        text = os.fspath(path)
        if not os.path.isdir(text):
            return cls(text, [_read_file(text)])
        files = [_read_file(found) for found in _files_below(text)]
        if not files:
            raise KbuildError(f"{text}: no {SUFFIX} files (a kernel built with KBUILD_SYMTYPES=1 leaves them)")
        return cls(text, files)

    @classmethod
    def of_text(cls, text: str, path: str = "symtypes") -> SymtypesSet:
        """A set of one file that has this text."""
        return cls(path, [SymtypesFile(path, _lines(text))])

    def files_with(self, symbol: str) -> list[SymtypesFile]:
        """The files in which ``symbol`` is exported."""
        return [file for file in self.files if symbol in file.lines]

    def definitions(self, symref: str, file: SymtypesFile) -> list[str]:
        """The texts of a type's definition: ``file``'s own, or all different ones of the set where it has none.

        None where every file knows the type as UNKNOWN at best.
        """
        own = file.lines.get(symref)
        if own is not None and not _is_unknown(own):
            return [own]
        return self._elsewhere.get(symref, [])

    def tokens(self, line: str) -> Tokens:
        """The tokens of a line's definition; raises KbuildError for a line that cannot be read."""
        found = self._tokens.get(line)
        if found is None:
            try:
                parsed = next(parse_lines(line, self.path), None)
            except SymtypesError as error:
                raise KbuildError(f"{error} (in: {line[:60]})") from None
            found = self._tokens[line] = parsed.definition if parsed is not None else ()
        return found

    def type(self, line: str, symref: str) -> Type:
        """The type that a line defines."""
        found = self._types.get(line)
        if found is None:
            found = self._types[line] = parse_definition(self.tokens(line), symref[:2] in ("s#", "u#", "e#"))
        return found

    @cached_property
    def _elsewhere(self) -> dict[str, list[str]]:
        found: dict[str, dict[str, None]] = {}
        for file in self.files:
            for symref, line in file.lines.items():
                if symref[1:2] == "#" and not _is_unknown(line):
                    found.setdefault(symref, {})[line] = None
        return {symref: list(lines) for symref, lines in found.items()}


def _is_unknown(line: str) -> bool:
    return line.rstrip().endswith(_UNKNOWN)


def _files_below(directory: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise KbuildError(f"{error.filename}: {error.strerror}")

    for where, directories, names in os.walk(directory, onerror=refuse):
        directories.sort()
        for name in sorted(names):
            if name.endswith(SUFFIX):
                yield os.path.join(where, name)


def _read_file(path: str) -> SymtypesFile:
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no path"
        raise KbuildError(f"{path}: {reason}") from None
    if b"\0" in data[:4096]:
        raise KbuildError(f"{path}: not a symtypes file (it is binary)")
    return SymtypesFile(path, _lines(data.decode("latin-1")))


# line = [ "override " ] symref " " definition; a later line of the same name replaces an earlier one
def _lines(text: str) -> dict[str, str]:
    lines: dict[str, str] = {}
    for line in text.split("\n"):
        plain = line.removeprefix("override ").strip(" ")
        if plain:
            lines[plain.partition(" ")[0]] = plain
    return lines
