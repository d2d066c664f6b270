# SPDX-License-Identifier: GPL-2.0-or-later
"""Finished modules for the tests of restamp: what the linker makes of an object and its ``.mod.c``.

BuiltModule({"printk": 0x1234}).write(path)
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.modpost.elf_writer import (
    EM_386,
    EM_X86_64,
    R_386_PC32,
    R_X86_64_PC32,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    STB_LOCAL,
    STB_WEAK,
    STT_FUNC,
    STT_OBJECT,
    ElfWriter,
)

SIGNATURE = b"\x30\x03\x02\x01\x00"
MARKER = b"~Module signature appended~\n"


@dataclass
class BuiltModule:
    """One module: ``versions`` are the CRCs of the symbols that it uses, in order; ``module_layout`` among them.

    ``tables`` says where they stand: ``basic`` (``__versions``), ``extended`` or both.  ``unversioned`` and ``weak``
    symbols are undefined and have no version of their own.
    """

    versions: Mapping[str, int]
    modinfo: Sequence[str] = (
        "license=GPL",
        "description=a test",
        "depends=",
        "name=foo",
        "vermagic=6.1.0 SMP mod_unload modversions ",
    )
    bits: int = 64
    byteorder: str = "little"
    tables: Sequence[str] = ("basic",)
    unversioned: Sequence[str] = ()
    weak: Sequence[str] = ()
    is_signed: bool = False
    e_type: int = 1
    without: Sequence[str] = ()
    extra_sections: Sequence[str] = ()

    def bytes(self) -> bytes:
        """The file's contents."""
        prefix = "<" if self.byteorder == "little" else ">"
        elf = ElfWriter(self.bits, self.byteorder, EM_X86_64 if self.bits == 64 else EM_386, self.e_type)
        text = elf.section(".text", flags=SHF_ALLOC | SHF_EXECINSTR, data=bytes(range(64)), sh_addralign=16)
        used = [elf.symbol(name) for name in self.versions if name != "module_layout"]
        used += [elf.symbol(name) for name in self.unversioned]
        used += [elf.symbol(name, bind=STB_WEAK) for name in self.weak]
        kind = R_X86_64_PC32 if self.bits == 64 else R_386_PC32
        elf.relocations(text, [(4 * number, symbol, kind, -4) for number, symbol in enumerate(used)], self.bits == 64)
        if "modinfo" not in self.without:
            self._add_modinfo(elf)
        if "this_module" not in self.without:
            elf.section(".gnu.linkonce.this_module", flags=SHF_ALLOC | SHF_WRITE, data=bytes(128), sh_addralign=64)
        if "basic" in self.tables:
            word = self.bits // 8
            entries = [
                struct.pack(f"{prefix}{'Q' if word == 8 else 'I'}{64 - word}s", crc, name.encode())
                for name, crc in self.versions.items()
            ]
            elf.section("__versions", data=b"".join(entries), sh_addralign=32)
        if "extended" in self.tables:
            crcs = struct.pack(f"{prefix}{len(self.versions)}I", *self.versions.values())
            elf.section("__version_ext_crcs", data=crcs, sh_addralign=4)
            elf.section("__version_ext_names", data=b"".join(name.encode() + b"\0" for name in self.versions))
        for name in self.extra_sections:
            elf.section(name, data=b"something")
        elf.symbol("init_module", text, 0, 16, type=STT_FUNC)
        data = elf.bytes()
        return data + signature() if self.is_signed else data

    def _add_modinfo(self, elf: ElfWriter) -> None:
        section = elf.section(
            ".modinfo", data=b"".join(entry.encode() + b"\0" for entry in self.modinfo), sh_addralign=8
        )
        offset = 0
        for number, entry in enumerate(self.modinfo):
            elf.symbol(f"__UNIQUE_ID_{number}", section, offset, len(entry) + 1, STB_LOCAL, STT_OBJECT)
            offset += len(entry) + 1

    def write(self, path: Path) -> Path:
        """Store the module."""
        path.write_bytes(self.bytes())
        return path


def signature() -> bytes:
    """What sign-file appends."""
    return SIGNATURE + struct.pack(">BBBBBxxxI", 0, 0, 2, 0, 0, len(SIGNATURE)) + MARKER


def symvers(*lines: str) -> str:
    """A dump from lines ``CRC symbol [module [kind [name space]]]``."""
    written = []
    for line in lines:
        crc, symbol, module, kind, namespace = (
            *line.split(),
            *("vmlinux", "EXPORT_SYMBOL", "")[len(line.split()) - 2 :],
        )
        written.append(f"{crc}\t{symbol}\t{module}\t{kind}\t{namespace}\n")
    return "".join(written)
