# SPDX-License-Identifier: GPL-2.0-or-later
"""modpost's MD4: that of RFC 1320, except that the words of a block are loaded big-endian.

The length at the end is put in as two plain words, low half first, and the state is printed in
little-endian byte order, so that ``hashlib`` is of no help.
"""

from __future__ import annotations

import struct

_BLOCK = struct.Struct(">16I")
_MASK = 0xFFFFFFFF
_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)

# Per round: additive constant, order of the words, rotations
_ORDERS = (
    (0x00000000, tuple(range(16)), (3, 7, 11, 19)),
    (0x5A827999, (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), (3, 5, 9, 13)),
    (0x6ED9EBA1, (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15), (3, 9, 11, 15)),
)


def md4_hex(data: bytes) -> str:
    """The digest of ``data`` as 32 upper-case hex digits."""
    state = _START
    for words in _blocks(data):
        state = _compressed(state, words)
    return struct.pack("<4I", *state).hex().upper()


def _blocks(data: bytes) -> list[tuple[int, ...]]:
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64)
    bits = len(data) * 8
    return list(_BLOCK.iter_unpack(padded + struct.pack(">II", bits & _MASK, bits >> 32)))


def _compressed(state: tuple[int, int, int, int], words: tuple[int, ...]) -> tuple[int, int, int, int]:
    a, b, c, d = state
    for round_number, (constant, order, rotations) in enumerate(_ORDERS):
        for step, word in enumerate(order):
            if round_number == 0:
                mixed = (b & c) | (~b & d)
            elif round_number == 1:
                mixed = (b & c) | (b & d) | (c & d)
            else:
                mixed = b ^ c ^ d
            total = (a + mixed + words[word] + constant) & _MASK
            rotation = rotations[step & 3]
            a, b, c, d = d, ((total << rotation) | (total >> (32 - rotation))) & _MASK, b, c
    return (
        (state[0] + a) & _MASK,
        (state[1] + b) & _MASK,
        (state[2] + c) & _MASK,
        (state[3] + d) & _MASK,
    )
