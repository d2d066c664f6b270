# SPDX-License-Identifier: GPL-2.0-or-later
"""Made-up headers trees whose programs are for a machine that no test runs on."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from tests.modpost.elf_writer import EM_S390, EM_X86_64, ET_DYN, ElfWriter

FOREIGN = "s390, 64 bits, big-endian" if os.uname().machine != "s390x" else "x86-64, 64 bits"
PROGRAMS = ("scripts/basic/fixdep", "scripts/genksyms/genksyms", "scripts/mod/modpost")
Snapshot = dict[str, tuple[int, int, int, bytes]]


def foreign_program(text: str) -> bytes:
    """A small ELF program for another machine; ``text`` makes it unlike others."""
    if os.uname().machine != "s390x":
        elf = ElfWriter(64, "big", EM_S390, e_type=ET_DYN)
    else:
        elf = ElfWriter(64, "little", EM_X86_64, e_type=ET_DYN)
    elf.section(".comment", data=text.encode())
    return elf.bytes()


def headers_tree(
    directory: Path, release: str = "6.1.0-9-arm64", options: Iterable[str] = ("ARM64=y",), programs: Iterable[str] = ()
) -> Path:
    """A headers tree with foreign fixdep, genksyms and modpost, and further foreign ``programs``; returns its path."""
    files = {
        "Makefile": "run:\n\t@scripts/basic/fixdep deps a.o CC\n",
        "include/config/auto.conf": "".join(f"CONFIG_{option}\n" for option in ("MODVERSIONS=y", *options)),
        "include/generated/utsrelease.h": f'#define UTS_RELEASE "{release}"\n',
        "Module.symvers": "0x12345678\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n",
        "scripts/Makefile.build": "# rules\n",
        "scripts/mod/Makefile": "# rules\n",
    }
    for path, text in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    for index, path in enumerate((*PROGRAMS, *programs)):
        program = directory / path
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_bytes(foreign_program(path))
        program.chmod(0o644 if path.endswith(".so") else 0o755 if index else 0o750)
        os.utime(program, ns=(10**18 + index, 10**18 + index))
    for below in sorted(directory.rglob("*")):
        if below.is_dir():
            os.utime(below, ns=(10**18, 10**18))
    return directory


def snapshot(directory: Path) -> Snapshot:
    """Mode, time of change, inode and contents (or target) of everything in a tree."""
    found: Snapshot = {}
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            contents = os.readlink(os.fsencode(path))
        else:
            contents = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[str(path.relative_to(directory))] = (status.st_mode, status.st_mtime_ns, status.st_ino, contents)
    return found
