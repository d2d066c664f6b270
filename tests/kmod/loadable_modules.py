# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules as they are loaded, of any machine: modinfo, versions, exports, symbols.

    Loadable("led", undefined=["printk"], versions={"module_layout": 1, "printk": 2}).write(directory)

The default is a GPL module of the made-up kernel 6.1.0-test (tests/kmod/made_up_kernels.py) that it loads without
a taint but E.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.modpost.elf_writer import (
    EM_X86_64,
    ET_REL,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    STB_LOCAL,
    STB_WEAK,
    STT_FUNC,
    ElfWriter,
)

VERMAGIC = "6.1.0-test SMP mod_unload modversions "
THIS_MODULE_SIZE = 896


@dataclass(frozen=True)
class Exported:
    """One export of a module; ``crc`` ``None`` leaves out the table of CRCs."""

    name: str
    crc: int | None = 0x11111111
    is_gpl: bool = False
    namespace: str = ""


@dataclass
class Loadable:
    """One module; ``versions`` and ``extended`` are name -> CRC, or ``None`` for no such section."""

    name: str = "led"
    license: str | None = "GPL"
    vermagic: str | None = VERMAGIC
    modinfo: Sequence[str] = ("intree=Y", "retpoline=Y")
    versions: Mapping[str, int] | None = field(default_factory=lambda: {"module_layout": 0x10000001})
    extended: Mapping[str, int] | None = None
    undefined: Sequence[str] = ()
    weak: Sequence[str] = ()
    common: Sequence[str] = ()
    exports: Sequence[Exported] = ()
    this_module: int | None = THIS_MODULE_SIZE
    bits: int = 64
    byteorder: str = "little"
    machine: int = EM_X86_64
    type: int = ET_REL
    with_flags: bool = False
    writable_code: bool = False
    symbols: bool = True
    signature: bytes = b""

    def content(self) -> bytes:
        """The content of the file."""
        elf = ElfWriter(self.bits, self.byteorder, self.machine, self.type)
        elf.with_symbol_table = self.symbols
        flags = SHF_ALLOC | SHF_EXECINSTR | (SHF_WRITE if self.writable_code else 0)
        text = elf.section(".text", flags=flags, data=bytes(64))
        elf.section(".modinfo", data=b"".join(line.encode() + b"\0" for line in self._modinfo()))
        if self.versions is not None:
            elf.section("__versions", data=b"".join(self._version(*entry) for entry in self.versions.items()))
        if self.extended is not None:
            crcs = b"".join(self._word(crc) for crc in self.extended.values())
            elf.section("__version_ext_crcs", data=crcs)
            elf.section("__version_ext_names", data=b"".join(name.encode() + b"\0" for name in self.extended))
        if self.this_module is not None:
            elf.section(".gnu.linkonce.this_module", flags=SHF_ALLOC | SHF_WRITE, data=bytes(self.this_module))
        self._add_exports(elf, text)
        for name in self.undefined:
            elf.symbol(name)
        for name in self.weak:
            elf.symbol(name, bind=STB_WEAK)
        for name in self.common:
            elf.symbol(name, 0xFFF2, 8, 8)
        return elf.bytes() + self.signature

    def write(self, directory: Path, path: str | None = None) -> str:
        """Write the module below a directory; returns its path."""
        target = directory / (path or f"{self.name}.ko")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.content())
        return str(target)

    def _modinfo(self) -> list[str]:
        lines = [] if self.license is None else [f"license={self.license}"]
        lines += [f"name={self.name}", *self.modinfo]
        return lines if self.vermagic is None else [*lines, f"vermagic={self.vermagic}"]

    def _word(self, value: int, size: int = 4) -> bytes:
        return value.to_bytes(size, "little" if self.byteorder == "little" else "big")

    def _version(self, name: str, crc: int) -> bytes:
        word = self._word(crc, self.bits // 8)
        return word + name.encode().ljust(64 - len(word), b"\0")

    def _add_exports(self, elf: ElfWriter, text: int) -> None:
        """One table for GPL and one for others, or one with flags; entries are three distances (PREL32)."""
        tables = {"": [e for e in self.exports if not e.is_gpl], "_gpl": [e for e in self.exports if e.is_gpl]}
        if self.with_flags:
            tables = {"": list(self.exports)}
        strings = b"".join(e.name.encode() + b"\0" + e.namespace.encode() + b"\0" for e in self.exports)
        if self.exports:
            texts = elf.section("__ksymtab_strings", data=strings)
            start = elf.symbol(".strings", texts, 0, bind=STB_LOCAL)
        for suffix, exports in tables.items():
            if not exports:
                continue
            table = elf.section(f"__ksymtab{suffix}", data=bytes(12 * len(exports)))
            if exports[0].crc is not None:
                elf.section(f"__kcrctab{suffix}", data=b"".join(self._word(e.crc or 0) for e in exports))
            if self.with_flags:
                elf.section("__kflagstab", data=bytes(int(e.is_gpl) for e in exports))
            relocations = []
            for number, export in enumerate(exports):
                place = strings.index(export.name.encode() + b"\0" + export.namespace.encode() + b"\0")
                symbol = elf.symbol(export.name, text, 0, 8, type=STT_FUNC)
                relocations.append((12 * number, symbol, 2, 0))
                relocations.append((12 * number + 4, start, 2, place))
                relocations.append((12 * number + 8, start, 2, place + len(export.name) + 1))
            elf.relocations(table, relocations)
