# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects with one reference between two sections, and what the section checks say about an object."""

from __future__ import annotations

from collections.abc import Callable

from modpost_py.dialects import dialect_of
from modpost_py.errors import FatalError
from modpost_py.messages import Diagnostic, Reporter
from modpost_py.object_file import ObjectFile
from modpost_py.section_mismatch import RunState, SectionOptions, check
from tests.modpost.elf_writer import SHF_ALLOC, SHF_EXECINSTR, STT_FUNC, STT_OBJECT, ElfWriter

ALL = ("5.10", "6.1", "6.12", "7.2", "7.3")
SINCE_6_1 = ALL[1:]
SINCE_6_12 = ALL[2:]

Texts = list[tuple[str, str]]


def checked(
    elf: ElfWriter,
    dialect_name: str,
    *,
    extra_warnings: bool = False,
    state: RunState | None = None,
    on_export_relocations: Callable[[int, frozenset[int]], None] | None = None,
) -> tuple[Texts, int | None]:
    """The (severity, text) of each message about ``drivers/foo.o``, and the number of mismatches, ``None`` if fatal."""
    found: list[Diagnostic] = []
    dialect = dialect_of(dialect_name)
    reporter = Reporter(dialect, found.append, module="drivers/foo", path="drivers/foo.o")
    object_file = ObjectFile("drivers/foo.o", elf.bytes())
    mismatches: int | None
    try:
        mismatches = check(
            object_file,
            dialect,
            SectionOptions(extra_warnings),
            reporter,
            state if state is not None else RunState(),
            on_export_relocations,
        )
    except FatalError:
        mismatches = None
    return [(diagnostic.severity, diagnostic.text) for diagnostic in found], mismatches


def with_reference(
    from_section: str,
    to_section: str,
    from_symbol: str = "caller",
    to_symbol: str = "target",
    *,
    from_type: int = STT_FUNC,
    to_type: int = STT_OBJECT,
    to_flags: int = SHF_ALLOC | SHF_EXECINSTR,
    bits: int = 64,
    byteorder: str = "little",
) -> ElfWriter:
    """An object in which ``from_symbol`` at 0x10 refers, 4 bytes further, to ``to_symbol``."""
    elf = ElfWriter(bits, byteorder)
    source = elf.section(from_section, data=bytes(64))
    target = elf.section(to_section, flags=to_flags, data=bytes(64))
    elf.symbol(from_symbol, source, 0x10, 16, type=from_type)
    symbol = elf.symbol(to_symbol, target, 0x20, 16, type=to_type)
    elf.relocations(source, [(0x14, symbol, 2, 0)])
    return elf


def is_reported(elf: ElfWriter, dialect_name: str, extra_warnings: bool = False) -> bool:
    """Whether a mismatch counts; sections that should be allocated do not."""
    return checked(elf, dialect_name, extra_warnings=extra_warnings)[1] != 0
