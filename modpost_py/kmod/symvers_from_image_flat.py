# SPDX-License-Identifier: GPL-2.0-or-later
"""The exports in a flat memory image (arm64's Image): no sections, no symbols, only the tables themselves.

The linker lays them one behind the other (``include/asm-generic/vmlinux.lds.h``)::

    __ksymtab __ksymtab_gpl __kcrctab __kcrctab_gpl __ksymtab_strings        up to 6.x
    __ksymtab               __kcrctab __kflagstab   __ksymtab_strings        7.x

An entry holds three distances (value, name, name space), each from the place where it stands, and names are
sorted in each table.  So: find the texts, which are names and nothing else; go back to where entries lead
into them; the tables end where names stop.
"""

from __future__ import annotations

import re
from array import array
from typing import NamedTuple

from modpost_py.kmod.kernel_facts import VMLINUX, Offer

_ENTRY = 12
# A kernel exports thousands; nothing else in it is that long a row of names
_FEWEST = 256
# text = an identifier (Rust's have dots and dollars) or a name space ("module:kvm,kvm-intel"); perhaps a NUL more
_STRINGS = re.compile(rb"(?:[A-Za-z_][A-Za-z0-9_.$:,*-]*\0{1,2}){%d,}" % _FEWEST)
_GPL_FLAG = 1
# The pattern may miss the beginning of the first text
_CUT_OFF = 64


class _Entry(NamedTuple):
    place: int
    name: bytes
    namespace: bytes


def flat_image_exports(data: bytes, path: str) -> list[Offer]:
    """vmlinux's exports in a little-endian memory image; none where no tables are found.

    CRCs are ``None`` where there is no table of them.
    """
    rows = [_entries_before(data, strings.start(), strings.end()) for strings in _STRINGS.finditer(data)]
    entries, end = max(rows, key=lambda row: len(row[0]), default=([], 0))
    return _offers(data, entries, end) if len(entries) >= _FEWEST else []


def _entries_before(data: bytes, strings: int, strings_end: int) -> tuple[list[_Entry], int]:
    """The longest row of entries before the texts at ``strings``, and where it ends."""
    beginning = max(0, strings - 48 * (strings_end - strings))
    beginning -= beginning % 4
    words = array("i")
    words.frombytes(data[beginning : beginning + (strings - beginning) // 4 * 4])
    leads = {
        number
        for number, distance in enumerate(words)
        if strings - _CUT_OFF <= beginning + 4 * number + distance < strings_end
    }
    # The second field of an entry leads to a name; the third is empty or leads to a text as well, which makes
    # another row, of the same length at most, that begins later.  A name may be the end of a longer one.
    best: list[int] = []
    for number in sorted(leads):
        if number - 3 in leads:
            continue
        row = [number]
        while row[-1] + 3 in leads:
            row.append(row[-1] + 3)
        if len(row) > len(best):
            best = row
    entries = [_entry(data, beginning + 4 * number) for number in best]
    return entries, beginning + 4 * (best[-1] + 2) if best else 0


def _entry(data: bytes, name_field: int) -> _Entry:
    place = name_field + _distance(data, name_field)
    namespace = _distance(data, name_field + 4)
    return _Entry(place, _text(data, place), _text(data, name_field + 4 + namespace) if namespace else b"")


def _distance(data: bytes, field: int) -> int:
    return int.from_bytes(data[field : field + 4], "little", signed=True)


def _text(data: bytes, start: int) -> bytes:
    return data[start : data.find(b"\0", start)]


def _offers(data: bytes, entries: list[_Entry], end: int) -> list[Offer]:
    count = len(entries)
    # What lies between the entries and the texts: CRCs, flags, both, or nothing.  The first text is some export's
    # name; the pattern may have taken bytes before it for text.
    between = min(entry.place for entry in entries) - end
    crcs = end if between >= 4 * count else None
    flags = None
    if between % (4 * count) >= count or (crcs is None and between >= count):
        flags = end + (4 * count if crcs is not None else 0)
    first_gpl = _where_order_starts_anew(entries)
    offers = []
    for number, entry in enumerate(entries):
        crc = None if crcs is None else int.from_bytes(data[crcs + 4 * number : crcs + 4 * number + 4], "little")
        is_gpl = number >= first_gpl if flags is None else bool(data[flags + number] & _GPL_FLAG)
        name = entry.name.decode("utf-8", "surrogateescape")
        offers.append(Offer(name, VMLINUX, crc, is_gpl, entry.namespace.decode("utf-8", "surrogateescape")))
    return offers


def _where_order_starts_anew(entries: list[_Entry]) -> int:
    """The number of the first entry of the second table: its name sorts before that of the one before it."""
    for number in range(1, len(entries)):
        if entries[number].name < entries[number - 1].name:
            return number
    return len(entries)
