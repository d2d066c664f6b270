# SPDX-License-Identifier: GPL-2.0-or-later
"""The symbols of the kernel itself, from a Module.symvers (``-E``) or a System.map (``-F``).

Formats, a line for each symbol::

    CRC-in-hex  symbol  "vmlinux"  ...              of Module.symvers; other modules' lines do not count
    address " " letter " " [ prefix ] "__ksymtab_" symbol      of System.map; other symbols do not count
"""

from __future__ import annotations

import errno
import os
import re

from modpost_py.kmod.depmod_messages import ERROR, DepmodError, Report

#: What the loader of modules supplies without an export.
_SUPPLIED_BY_LOADER = (b"__this_module", b"_GLOBAL_OFFSET_TABLE_")
_TABLE_OF_CONTENTS = b"TOC."  # of 64-bit PowerPC

_KSYMTAB = b"__ksymtab_"
_WORD = re.compile(rb"[^ \t]+")
_HEX = re.compile(rb"[ \t\n\v\f\r]*([+-]?)(?:0[xX](?=[0-9a-fA-F]))?([0-9a-fA-F]+)")
_LARGEST = 2**64 - 1

# kmod reads lines of so many bytes less a NUL; what is longer is several
_LONGEST_SYMVERS_LINE = 10240
_LONGEST_MAP_LINE = 10240


def symvers_symbols(path: str, prefix: bytes, report: Report) -> dict[bytes, int]:
    """The CRCs of the kernel's symbols in a Module.symvers; raises :class:`DepmodError` where it cannot be read."""
    symbols: dict[bytes, int] = {}
    for number, line in enumerate(_lines(path, _LONGEST_SYMVERS_LINE), 1):
        words = _WORD.findall(line.partition(b"\0")[0])
        if len(words) < 3 or words[2] != b"vmlinux":
            continue
        crc = _number(words[0])
        if crc is None:
            reason = os.strerror(errno.ENOENT)  # whatever the C library's errno was before, which is this
            report(ERROR, f"{path}:{number} Invalid symbol version {_text(words[0])}: {reason}")
            continue
        symbols[without_prefix(words[1], prefix)] = crc
    return _with_supplied(symbols)


def map_symbols(path: str, prefix: bytes, report: Report) -> dict[bytes, int]:
    """The kernel's exported symbols in a System.map, without CRCs (0); raises :class:`DepmodError`."""
    symbols: dict[bytes, int] = {}
    for number, line in enumerate(_lines(path, _LONGEST_MAP_LINE), 1):
        line = line.partition(b"\0")[0]
        fields = line.split(b" ", 2)
        name = without_prefix(fields[2], prefix) if len(fields) > 2 else b""
        if len(fields) < 3 or (name.startswith(_KSYMTAB) and not name.endswith(b"\n")):
            report(ERROR, f"{path}:{number}: invalid line: {_text(line)}")
        elif name.startswith(_KSYMTAB):
            symbols[name[len(_KSYMTAB) : name.index(b"\n")]] = 0
    return _with_supplied(symbols)


def without_prefix(name: bytes, prefix: bytes) -> bytes:
    """A symbol without the character that the architecture puts before each (``-P``)."""
    return name[1:] if prefix and name.startswith(prefix) else name


def _with_supplied(symbols: dict[bytes, int]) -> dict[bytes, int]:
    for name in _SUPPLIED_BY_LOADER:
        symbols[name] = 0
    symbols.setdefault(_TABLE_OF_CONTENTS, 0)
    return symbols


def _lines(path: str, size: int) -> list[bytes]:
    """The lines of a file as fgets(3) gives them for a buffer of ``size`` bytes, with their newlines."""
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except IsADirectoryError:  # can be opened, has no lines
        return []
    except OSError as error:
        raise DepmodError(f"could not load {path}: {error.strerror}") from None
    return pieces_of_lines(data, size)


def pieces_of_lines(data: bytes, size: int) -> list[bytes]:
    """What fgets(3) with a buffer of ``size`` bytes makes of ``data``."""
    pieces = []
    for line in data.split(b"\n"):
        line += b"\n"
        while len(line) >= size:
            pieces.append(line[: size - 1])
            line = line[size - 1 :]
        pieces.append(line)
    last = pieces.pop()[:-1]
    return [*pieces, last] if last else pieces


def _number(text: bytes) -> int | None:
    """A number as strtoull(3) reads it with base 16, if that is all of the text."""
    match = _HEX.fullmatch(text)
    if match is None:
        return None
    value = min(int(match[2], 16), _LARGEST)
    return -value & _LARGEST if match[1] == b"-" else value


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")
