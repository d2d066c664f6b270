# SPDX-License-Identifier: GPL-2.0-or-later
"""Addends that REL relocations keep in the place to which they apply, by machine and relocation type.

i386, ARM and MIPS are the machines with REL relocations.  Each table maps relocation types to the way their addend is
stored; a type that is missing has the table's ``other`` addend: zero, all ones, or ``None`` for a relocation that
modpost passes over.  Numbers are wrapped to the word size by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from modpost_py.elf_constants import EM_386, EM_ARM, EM_MIPS

R_386_32, R_386_PC32 = 1, 2
R_ARM_PC24, R_ARM_ABS32, R_ARM_REL32, R_ARM_THM_CALL, R_ARM_CALL, R_ARM_JUMP24 = 1, 2, 3, 10, 28, 29
R_ARM_THM_JUMP24, R_ARM_MOVW_ABS_NC, R_ARM_MOVT_ABS = 30, 43, 44
R_ARM_THM_MOVW_ABS_NC, R_ARM_THM_MOVT_ABS, R_ARM_THM_JUMP19 = 47, 48, 51
R_MIPS_32, R_MIPS_26, R_MIPS_HI16, R_MIPS_LO16 = 2, 4, 5, 6


class Place(NamedTuple):
    """What the addend of a relocation is made from.

    ``word`` are the 32 bits at the place, ``upper`` and ``lower`` its first and second half in the order of the file,
    ``symbol_value`` is ``st_value`` of the relocation's symbol, ``offset`` is ``r_offset`` where the object is an
    executable and 0 otherwise.
    """

    word: int
    upper: int
    lower: int
    symbol_value: int
    offset: int


AddendReader = Callable[[Place], int | None]


class MachineAddends(NamedTuple):
    """The addends of one machine; ``other`` is that of the types that ``by_type`` lacks."""

    by_type: Mapping[int, AddendReader]
    other: int | None

    def read(self, type_: int, place: Place) -> int | None:
        """The addend of a relocation, or ``None`` if relocations of that type are passed over."""
        reader = self.by_type.get(type_)
        return self.other if reader is None else reader(place)


def signed(value: int, bits: int) -> int:
    """``value``'s low ``bits`` bits as a signed number."""
    sign = 1 << (bits - 1)
    return ((value & ((1 << bits) - 1)) ^ sign) - sign


def _word(place: Place) -> int:
    return place.word


def _word_after_place(place: Place) -> int:
    # The processor counts from the end of the 4 bytes.
    return (place.word + 4) & 0xFFFFFFFF


def _word_after_linked_place(place: Place) -> int:
    return place.word + 4 + place.offset


def _word_and_symbol(place: Place) -> int:
    return place.word + place.symbol_value


def _arm_branch(place: Place) -> int:
    # imm24 counts instructions of 4 bytes, from two instructions further on
    return signed((place.word & 0xFFFFFF) << 2, 26) + place.symbol_value + 8


def _arm_move(place: Place) -> int:
    # imm4:imm12 of MOVW and MOVT
    return signed(((place.word & 0xF0000) >> 4) | (place.word & 0xFFF), 16) + place.symbol_value


def _thumb_move(place: Place) -> int:
    # imm4:i:imm3:imm8 of MOVW and MOVT
    upper, lower = place.upper, place.lower
    value = ((upper & 0xF) << 12) | ((upper & 0x400) << 1) | ((lower & 0x7000) >> 4) | (lower & 0xFF)
    return signed(value, 16) + place.symbol_value


def _thumb_conditional_branch(place: Place) -> int:
    # S:J2:J1:imm6:imm11:0
    upper, lower = place.upper, place.lower
    sign, j1, j2 = (upper >> 10) & 1, (lower >> 13) & 1, (lower >> 11) & 1
    value = (sign << 20) | (j2 << 19) | (j1 << 18) | ((upper & 0x3F) << 12) | ((lower & 0x7FF) << 1)
    return signed(value, 21) + place.symbol_value + 4


def _thumb_branch(place: Place) -> int:
    # S:I1:I2:imm10:imm11:0, where I1 and I2 are the inverted differences of J1 and J2 from S
    upper, lower = place.upper, place.lower
    sign, j1, j2 = (upper >> 10) & 1, (lower >> 13) & 1, (lower >> 11) & 1
    i1, i2 = 1 ^ j1 ^ sign, 1 ^ j2 ^ sign
    value = (sign << 24) | (i1 << 23) | (i2 << 22) | ((upper & 0x3FF) << 12) | ((lower & 0x7FF) << 1)
    return signed(value, 25) + place.symbol_value + 4


def _unknown(_place: Place) -> int:
    """Up to 6.6 a Thumb branch was given an address of the running modpost: no symbol lies there."""
    return -1


def _mips_low_half(place: Place) -> int:
    return place.word & 0xFFFF


def _mips_jump(place: Place) -> int:
    return (place.word & 0x03FFFFFF) << 2


def _passed_over(_place: Place) -> None:
    return None


_ARM_BRANCHES: Mapping[int, AddendReader] = {
    R_ARM_PC24: _arm_branch,
    R_ARM_CALL: _arm_branch,
    R_ARM_JUMP24: _arm_branch,
}
_MIPS: Mapping[int, AddendReader] = {R_MIPS_LO16: _mips_low_half, R_MIPS_26: _mips_jump, R_MIPS_32: _word}

_ARM_6_1 = MachineAddends(
    {
        R_ARM_ABS32: _word_and_symbol,
        **_ARM_BRANCHES,
        R_ARM_THM_CALL: _unknown,
        R_ARM_THM_JUMP24: _unknown,
        R_ARM_THM_JUMP19: _unknown,
    },
    other=None,
)
_MIPS_6_1 = MachineAddends({**_MIPS, R_MIPS_HI16: _passed_over}, other=0)

_5_10: Mapping[int, MachineAddends] = {
    EM_386: MachineAddends({R_386_32: _word, R_386_PC32: _word_after_linked_place}, other=0),
    EM_ARM: _ARM_6_1,
    EM_MIPS: _MIPS_6_1,
}
_6_1: Mapping[int, MachineAddends] = {
    EM_386: MachineAddends({R_386_32: _word, R_386_PC32: _word_after_place}, other=0),
    EM_ARM: _ARM_6_1,
    EM_MIPS: _MIPS_6_1,
}
_6_12: Mapping[int, MachineAddends] = {
    EM_386: MachineAddends({R_386_32: _word, R_386_PC32: _word_after_place}, other=-1),
    EM_ARM: MachineAddends(
        {
            R_ARM_ABS32: _word_and_symbol,
            R_ARM_REL32: _word_and_symbol,
            **_ARM_BRANCHES,
            R_ARM_MOVW_ABS_NC: _arm_move,
            R_ARM_MOVT_ABS: _arm_move,
            R_ARM_THM_MOVW_ABS_NC: _thumb_move,
            R_ARM_THM_MOVT_ABS: _thumb_move,
            R_ARM_THM_JUMP19: _thumb_conditional_branch,
            R_ARM_THM_CALL: _thumb_branch,
            R_ARM_THM_JUMP24: _thumb_branch,
        },
        other=-1,
    ),
    EM_MIPS: MachineAddends(_MIPS, other=-1),
}

#: By the name of modpost's dialect and by machine.
ADDENDS: Mapping[str, Mapping[int, MachineAddends]] = MappingProxyType(
    {"5.10": _5_10, "6.1": _6_1, "6.12": _6_12, "7.2": _6_12, "7.3": _6_12}
)
