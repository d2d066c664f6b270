# SPDX-License-Identifier: GPL-2.0-or-later
"""The aliases of input devices: numbers, and the events that a device must be able to send, bit by bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from modpost_py.alias_notation import Entry, TableRule
from modpost_py.alias_text import BoundedAlias
from modpost_py.device_layouts import Target
from modpost_py.messages import Reporter

# separator, flag that makes the member count; in the order of the members
_NUMBERS = (("b", 0x1), ("v", 0x2), ("p", 0x4), ("e", 0x8))


_FORMS = (
    "input:b{bustype:4}v{vendor:4}p{product:4}e{version:4}-e*{evbit}k*{keybit}r*{relbit}a*{absbit}"
    "m*{mscbit}l*{ledbit}s*{sndbit}f*{ffbit}w*{swbit}",
)


class _BitMap(NamedTuple):
    """A part of the alias: ``separator``, then ``HEX,*`` for each set bit from ``first`` to ``last``."""

    separator: str
    member: str
    flag: int
    first: int
    last: int


def _bit_maps(last_switch: int) -> tuple[_BitMap, ...]:
    # keys below the first "interesting" one (0x71) are on every keyboard
    return (
        _BitMap("-e*", "evbit", 0x10, 0, 0x1F),
        _BitMap("k*", "keybit", 0x20, 0x71, 0x2FF),
        _BitMap("r*", "relbit", 0x40, 0, 0xF),
        _BitMap("a*", "absbit", 0x80, 0, 0x3F),
        _BitMap("m*", "mscbit", 0x100, 0, 0x7),
        _BitMap("l*", "ledbit", 0x200, 0, 0xF),
        _BitMap("s*", "sndbit", 0x400, 0, 0x7),
        _BitMap("f*", "ffbit", 0x800, 0, 0x7F),
        _BitMap("w*", "swbit", 0x1000, 0, last_switch),
    )


def _pieces(entry: Entry, maps: tuple[_BitMap, ...]) -> Iterator[str]:
    """The alias after ``input:``, in the pieces that the C tool adds one by one."""
    flags = entry[0]
    for (separator, flag), value in zip(_NUMBERS, entry[1:5], strict=True):
        yield f"{separator}{value:04X}" if flags & flag else f"{separator}*"
    for bit_map, bits in zip(maps, entry[5:], strict=True):
        yield bit_map.separator
        if flags & bit_map.flag:
            for bit in range(bit_map.first, bit_map.last + 1):
                if bits >> bit & 1:
                    yield f"{bit:X},*"


def _rule(last_switch: int, joined: Callable[[Iterable[str], Reporter], str]) -> TableRule:
    maps = _bit_maps(last_switch)

    def aliases(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
        for entry in entries:
            yield "input:" + joined(_pieces(entry, maps), reporter)

    members = ("flags", "bustype", "vendor", "product", "version", *(bit_map.member for bit_map in maps))
    return TableRule(_FORMS, members, aliases)


def _joined(pieces: Iterable[str], reporter: Reporter) -> str:
    return "".join(pieces)


def _joined_within_bounds(pieces: Iterable[str], reporter: Reporter) -> str:
    alias = BoundedAlias(reporter)
    for piece in pieces:
        alias.append(piece)
    return alias.text


# Point releases before the end of 2024 (5.10.223, 6.1.0, 6.6.0) never looked at the last bit of each map.
INPUT = _rule(last_switch=0x10, joined=_joined)
#: The part after ``input:`` has an upper bound.
INPUT_BOUNDED = _rule(last_switch=0x11, joined=_joined_within_bounds)
