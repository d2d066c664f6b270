# SPDX-License-Identifier: GPL-2.0-or-later
"""Symbol dumps: ``Module.symvers``.

Format, a line for each exported symbol::

    "0x" CRC (8 hex digits) TAB symbol TAB module TAB kind of export TAB [ name space ]
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from modpost_py.modules import Export, Module
from modpost_py.text_files import lines_of

# crc = as for strtoul(3) with base 16, the whole field, or nothing
_CRC = re.compile(r"(?:[ \t\n\v\f\r]*([+-]?)(?:0[xX])?([0-9a-fA-F]+))?")
_LARGEST_NUMBER = 2**64 - 1

# The hash table of 5.10: its order is that of the dump
_BUCKETS = 1024


class DumpLine(NamedTuple):
    """One line of a dump."""

    symbol: str
    module: str
    crc: int
    kind: str
    namespace: str


def parsed_lines(text: str) -> Iterable[DumpLine | None]:
    """The lines of a dump, in order; ``None`` for one that is none and ends the reading."""
    for line in lines_of(text):
        fields = line.split("\t", 4)
        if len(fields) < 5:
            yield None
            return
        crc, symbol, module, kind, namespace = fields
        number = _crc(crc)
        if number is None or not symbol or not module:
            yield None
            return
        yield DumpLine(symbol, module, number, kind, namespace)


def _crc(text: str) -> int | None:
    if len(text) == 10 and text.isalnum() and text.startswith("0x"):  # as dumps are written
        try:
            return int(text, 16)
        except ValueError:
            return None
    match = _CRC.fullmatch(text)
    if match is None:
        return None
    if match[2] is None:
        return 0
    value = min(int(match[2], 16), _LARGEST_NUMBER)
    return (-value if match[1] == "-" and value < _LARGEST_NUMBER else value) & 0xFFFFFFFF


def dump_line(export: Export) -> str:
    """The line of a dump for one export."""
    return f"0x{export.crc or 0:08x}\t{export.name}\t{export.module.name}\t{export.kind}\t{export.namespace}\n"


def in_module_order(modules: Iterable[Module]) -> list[Export]:
    """The exports of all modules that were read as objects, module by module."""
    return [export for module in modules if not module.is_from_dump for export in module.exports]


def in_hash_order(exports: Iterable[Export]) -> list[Export]:
    """All exports in the order of 5.10's hash table: bucket by bucket, the newest first.

    ``exports`` must be in the order in which their names were first seen.
    """
    buckets: dict[int, list[Export]] = {}
    for export in exports:
        buckets.setdefault(_bucket(export.name.encode("latin-1")), []).append(export)
    return [export for number in sorted(buckets) for export in reversed(buckets[number])]


def _bucket(name: bytes) -> int:
    value = 0x238F13AF * len(name)
    for index, byte in enumerate(name):
        value += byte << (5 * index % 24)
    return (1103515243 * value + 12345) % 2**32 % _BUCKETS
