# SPDX-License-Identifier: GPL-2.0-or-later
"""The order in which kmod's hash tables give back what they hold, which is seen in the files of depmod.

A table has a fixed number of buckets, a power of two.  It is walked bucket by bucket; within a bucket the keys are
in the order of their bytes.  A key's bucket is the lower bits of Paul Hsieh's "SuperFastHash".
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable

#: The buckets of depmod's tables, by what is in them.
MODULE_BUCKETS = 512
SYMBOL_BUCKETS = 2048

_MASK = 0xFFFFFFFF


def super_fast_hash(key: bytes) -> int:
    """Paul Hsieh's hash of 32 bits, as on a machine of this byte order whose ``char`` is signed."""
    length = len(key)
    value = length
    halves = struct.unpack_from(f"={length // 4 * 2}H", key)
    for even, odd in zip(halves[::2], halves[1::2], strict=True):
        value = (value + even) & _MASK
        value = ((value << 16) ^ (odd << 11) ^ value) & _MASK
        value = (value + (value >> 11)) & _MASK
    rest = key[length & ~3 :]
    if len(rest) == 3:
        value = (value + int.from_bytes(rest[:2], sys.byteorder)) & _MASK
        value ^= (value << 16) & _MASK
        value ^= (_signed(rest[2]) << 18) & _MASK
        value = (value + (value >> 11)) & _MASK
    elif len(rest) == 2:
        value = (value + int.from_bytes(rest, sys.byteorder)) & _MASK
        value ^= (value << 11) & _MASK
        value = (value + (value >> 17)) & _MASK
    elif rest:
        value = (value + _signed(rest[0])) & _MASK
        value ^= (value << 10) & _MASK
        value = (value + (value >> 1)) & _MASK
    value ^= (value << 3) & _MASK
    value = (value + (value >> 5)) & _MASK
    value ^= (value << 4) & _MASK
    value = (value + (value >> 17)) & _MASK
    value ^= (value << 25) & _MASK
    return (value + (value >> 6)) & _MASK


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def in_hash_order(keys: Iterable[bytes], buckets: int) -> list[bytes]:
    """``keys`` in the order of a table with this number of buckets."""
    return sorted(keys, key=lambda key: (super_fast_hash(key) & (buckets - 1), key))
