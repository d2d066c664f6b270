# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether an ELF program can run on this machine, found out without starting it."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

# An ELF file begins:  0x7f "ELF"  class (1: 32 bits, 2: 64)  byte order (1: little, 2: big) ... to offset 16, then
# type, machine (16 bits each); the table of program headers tells the interpreter (PT_INTERP): the C library's loader.
# Where these lie, by class: in the header (offset, size and number of program headers), and in a program header
# (type, offset and length of what it describes)
_TABLE_FIELDS = {1: "28xI10xHH", 2: "32xQ14xHH"}
_ENTRY_FIELDS = {1: "II8xI", 2: "I4xQ16xQ"}
_INTERPRETER = 3

_MACHINES = {
    2: "SPARC", 3: "i386", 8: "MIPS", 15: "PA-RISC", 20: "PowerPC", 21: "PowerPC 64", 22: "s390", 40: "ARM",
    43: "SPARC 64", 62: "x86-64", 183: "AArch64", 243: "RISC-V", 258: "LoongArch",
}  # fmt: skip


class _Elf(NamedTuple):
    bits: int
    byteorder: str
    machine: int
    interpreter: str | None

    @property
    def name(self) -> str:
        order = "" if self.byteorder == "little" else ", big-endian"
        return f"{_MACHINES.get(self.machine, f'ELF machine {self.machine}')}, {self.bits} bits{order}"


def foreign_reason(program: Path) -> str | None:
    """Why an ELF program does not run here: ``for AArch64, 64 bits``; ``None`` for one that may.

    A file that is no ELF program, such as a script, gives ``None`` too.
    """
    elf = _read_elf(program)
    here = _read_elf(Path(sys.executable))
    if elf is None or here is None:
        return None
    if elf[:3] != here[:3]:
        return f"for {elf.name}"
    if elf.interpreter is None:
        return None
    if not os.path.exists(elf.interpreter):
        return f"it wants {elf.interpreter}, a C library that is not here"
    return _missing_library(elf.interpreter, program)


def machine_name(program: Path) -> str | None:
    """Such as ``AArch64, 64 bits``, or ``None`` for what is no ELF file."""
    elf = _read_elf(program)
    return None if elf is None else elf.name


# What glibc's loader says of a symbol version, of a library, and with --list of a library
_MISSING = re.compile(
    r"version `(\S+)' not found|error while loading shared libraries: (\S+):|^\s*(\S+) => not found", re.MULTILINE
)


def _missing_library(loader: str, program: Path) -> str | None:
    """What the loader misses, asked without starting the program."""
    try:
        result = subprocess.run(
            [loader, "--list", program], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=30,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    missing = _MISSING.search(result.stderr + result.stdout)
    if missing is None:
        return None
    return f"it wants {missing[1] or missing[2] or missing[3]}, which is not here"


def _read_elf(path: Path) -> _Elf | None:
    """The facts of an ELF file; ``None`` for anything else, damaged ones included."""
    try:
        with open(path, "rb") as file:
            start = file.read(64)
            if len(start) < 52 or not start.startswith(b"\x7fELF"):
                return None
            bits, order = start[4:6]
            if bits not in _TABLE_FIELDS or order not in (1, 2):
                return None
            mark = "<" if order == 1 else ">"
            machine = struct.unpack_from(f"{mark}2xH", start, 16)[0]
            interpreter = None
            table, size, count = struct.unpack_from(mark + _TABLE_FIELDS[bits], start)
            entry = struct.Struct(mark + _ENTRY_FIELDS[bits])
            for index in range(count):
                file.seek(table + index * size)
                kind, offset, length = entry.unpack(file.read(entry.size))
                if kind == _INTERPRETER:
                    file.seek(offset)
                    interpreter = os.fsdecode(file.read(min(length, 4096)).rstrip(b"\0"))
    except (OSError, struct.error, OverflowError, ValueError):
        return None
    return _Elf(32 * bits, "little" if order == 1 else "big", machine, interpreter)
