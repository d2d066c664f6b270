# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of the numbers in ELF files, from the enumerations of pyelftools.

They are for people and for library users; pyelftools is loaded when the first name is asked
for, since a run of the command needs none and starts in less time than that takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache


def machine_name(number: int) -> str:
    """``62`` -> ``EM_X86_64``; the number itself where it has no name."""
    return _names("ENUM_E_MACHINE").get(number, str(number))


def file_type_name(number: int) -> str:
    """``1`` -> ``ET_REL``."""
    return _names("ENUM_E_TYPE").get(number, str(number))


def section_type_name(number: int) -> str:
    """``1`` -> ``SHT_PROGBITS``."""
    return _names("ENUM_SH_TYPE_BASE").get(number, str(number))


def symbol_type_name(number: int) -> str:
    """``2`` -> ``STT_FUNC``."""
    return _names("ENUM_ST_INFO_TYPE").get(number, str(number))


def binding_name(number: int) -> str:
    """``1`` -> ``STB_GLOBAL``."""
    return _names("ENUM_ST_INFO_BIND").get(number, str(number))


@cache
def _names(enumeration: str) -> Mapping[int, str]:
    from elftools.elf import enums

    names: dict[int, str] = {}
    for name, number in getattr(enums, enumeration).items():
        if isinstance(number, int):
            names.setdefault(number, name)
    return names
