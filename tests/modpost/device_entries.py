# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the bytes of device tables for the tests, from the values of members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modpost_py.device_layouts import DEVICE_STRUCTURES, DeviceLayout, Target, in_force, layout_of

Value = int | str | bytes
Entry = Mapping[str, Value]

#: Every class and byte order.
TARGETS = tuple(Target(bits, byteorder) for bits in (64, 32) for byteorder in ("little", "big"))


def layout(device_type: str, dialect_name: str, target: Target) -> DeviceLayout:
    """The layout of a device type's structure."""
    return layout_of(in_force(DEVICE_STRUCTURES, dialect_name)[device_type], target)


def bit_map(bits: Sequence[int], size: int, target: Target) -> bytes:
    """A map of ``size`` bytes with these bits set: words in ascending order, in the target's byte order."""
    words = [0] * (8 * size // target.bits)
    for bit in bits:
        words[bit // target.bits] |= 1 << bit % target.bits
    return b"".join(_integer(word, target.bits // 8, target) for word in words)


def _integer(value: int, size: int, target: Target) -> bytes:
    return value.to_bytes(size, "little" if target.byteorder == "little" else "big")


def table(device_type: str, dialect_name: str, target: Target, entries: Sequence[Entry]) -> bytes:
    """A table of ``entries`` with its terminator; members that are not named are zero."""
    found = layout(device_type, dialect_name, target)
    data = b""
    for entry in entries:
        raw = bytearray(found.size)
        for name, value in entry.items():
            member = found.members[name]
            if isinstance(value, int):
                value = _integer(value, member.size, target)
            elif isinstance(value, str):
                value = value.encode("latin-1")
            assert len(value) <= member.size
            raw[member.offset : member.offset + len(value)] = value
        data += raw
    return data + bytes(found.size)
