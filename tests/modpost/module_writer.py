# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules as kbuild leaves them to modpost: an object, its ``.mod`` list, its ``.cmd`` files, for any dialect.

ModuleSpec("foo", exports=[ExportSpec("foo_open", crc=0x1234)], undefined=["printk"]).write(directory, "6.12")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.modpost.elf_writer import (
    EM_386,
    EM_X86_64,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHN_ABS,
    SHN_UNDEF,
    STB_GLOBAL,
    STB_LOCAL,
    STB_WEAK,
    STT_FUNC,
    STT_NOTYPE,
    STT_OBJECT,
    ElfWriter,
)

#: How objects of a dialect mark exports and name device tables.
_WITH_KSYMTAB = ("5.10", "6.1")
_WITH_CRC_SYMBOLS = ("5.10",)
_OBJECTS_IN_FIRST_LINE = ("5.10",)


@dataclass
class ExportSpec:
    """One exported symbol; ``license`` is ``""`` or ``"GPL"`` (or anything wrong), ``crc`` ``None`` for no CRC."""

    name: str
    license: str = ""
    namespace: str = ""
    crc: int | None = 0x12345678
    is_function: bool = True
    is_defined: bool = True
    bind: int = STB_GLOBAL
    section: str = ".text"
    crc_form: str = "absolute"
    ksymtab_section: str | None = None


@dataclass
class ModuleSpec:
    """One module: ``name`` is its path without ``.o``."""

    name: str
    exports: Sequence[ExportSpec] = ()
    undefined: Sequence[str] = ()
    weak: Sequence[str] = ()
    modinfo: Sequence[str] = ("license=GPL", "description=a test")
    defined: Sequence[str] = ()
    no_trim: Sequence[str] = ()
    tables: Sequence[tuple[str, bytes]] = ()
    bits: int = 64
    byteorder: str = "little"
    machine: int = EM_X86_64
    export_order: Sequence[int] | None = None
    extra: dict[str, str] = field(default_factory=dict)

    def object_bytes(self, dialect_name: str) -> bytes:
        """The object file for one dialect."""
        elf = ElfWriter(self.bits, self.byteorder, self.machine)
        text = elf.section(".text", flags=SHF_ALLOC | SHF_EXECINSTR, data=bytes(64))
        data = elf.section(".data", flags=SHF_ALLOC | SHF_WRITE, data=bytes(64))
        sections = {".text": text, ".data": data}
        if self.modinfo:
            elf.section(".modinfo", data=b"".join(entry.encode("latin-1") + b"\0" for entry in self.modinfo))
        if self.no_trim:
            elf.section(".no_trim_symbol", data=b"".join(name.encode("latin-1") + b"\0" for name in self.no_trim))
        for name, content in self.tables:
            table = elf.section(".rodata." + name, data=content)
            elf.symbol(name, table, 0, len(content), STB_LOCAL, STT_OBJECT)
        numbers = {}
        for name in self.defined:
            elf.symbol(name, text, 8, 8, STB_GLOBAL, STT_FUNC)
        for export in self.exports:
            if export.section not in sections:
                sections[export.section] = elf.section(export.section, data=bytes(64))
            numbers[export.name] = self._exported_symbol(elf, export, sections[export.section])
        if dialect_name in _WITH_KSYMTAB:
            self._add_ksymtab(elf, dialect_name)
        elif self.exports:
            self._add_export_section(elf, numbers)
        for name in self.undefined:
            elf.symbol(name)
        for name in self.weak:
            elf.symbol(name, bind=STB_WEAK)
        return elf.bytes()

    def _exported_symbol(self, elf: ElfWriter, export: ExportSpec, section: int) -> int:
        type_ = STT_FUNC if export.is_function else STT_OBJECT
        if not export.is_defined:
            return elf.symbol(export.name, SHN_UNDEF, bind=export.bind, type=STT_NOTYPE)
        return elf.symbol(export.name, section, 0, 8, export.bind, type_)

    def _add_ksymtab(self, elf: ElfWriter, dialect_name: str) -> None:
        for export in self.exports:
            suffix = "_gpl" if export.license == "GPL" else ""
            section_name = f"___ksymtab{suffix}+{export.name}"
            if export.ksymtab_section is not None:
                section_name = export.ksymtab_section
            ksymtab = elf.section(section_name, data=bytes(16))
            elf.symbol(f"__ksymtab_{export.name}", ksymtab, 0, 0, STB_LOCAL)
            strings = elf.section("__ksymtab_strings", data=export.namespace.encode("latin-1") + b"\0")
            elf.symbol(f"__kstrtabns_{export.name}", strings, 0, 0, STB_LOCAL)
        if dialect_name in _WITH_CRC_SYMBOLS:
            for export in self.exports:
                self._add_crc_symbol(elf, export)

    def _add_crc_symbol(self, elf: ElfWriter, export: ExportSpec) -> None:
        name = f"__crc_{export.name}"
        if export.crc is None:
            elf.symbol(name, SHN_UNDEF, bind=STB_WEAK)
        elif export.crc_form == "absolute":
            elf.symbol(name, SHN_ABS, export.crc)
        else:
            is_little = self.byteorder == "little"
            word = export.crc.to_bytes(4, "little" if is_little else "big")
            section = elf.section(".rodata", data=bytes(4) + word)
            elf.symbol(name, section, 4)

    def _add_export_section(self, elf: ElfWriter, numbers: dict[str, int]) -> None:
        word = self.bits // 8
        content = bytearray()
        places = []
        for export in self.exports:
            label = len(content)
            content += export.license.encode("latin-1") + b"\0" + export.namespace.encode("latin-1") + b"\0"
            content += bytes(-len(content) % word)
            places.append((export, label, len(content)))
            content += bytes(word)
        section = elf.section(".export_symbol", data=content)
        for export, label, _ in places:
            elf.symbol(f"__export_symbol_{export.name}", section, label, 0, STB_LOCAL)
        order = range(len(places)) if self.export_order is None else self.export_order
        entries = [(places[index][2], numbers[places[index][0].name], 1, 0) for index in order]
        elf.relocations(section, entries, rela=self.machine != EM_386)

    def files(self, dialect_name: str) -> dict[str, bytes]:
        """All files of the module by path: the object, ``.mod`` and the ``.cmd`` file of its one part."""
        directory, _, base = self.name.rpartition("/")
        directory = directory + "/" if directory else ""
        part = f"{self.name}.o"
        listing = f"{part}\n\n" if dialect_name in _OBJECTS_IN_FIRST_LINE else f"{part}\n"
        crcs = "".join(
            f"#SYMVER {export.name} 0x{export.crc:08x}\n" for export in self.exports if export.crc is not None
        )
        files = {
            part: self.object_bytes(dialect_name),
            f"{self.name}.mod": listing.encode("latin-1"),
            f"{directory}.{base}.o.cmd": f"cmd_{part} := gcc\n\n{crcs}".encode("latin-1"),
        }
        if self.name == "vmlinux":
            files[".vmlinux.objs"] = files.pop("vmlinux.mod")
        return {**files, **{path: text.encode("latin-1") for path, text in self.extra.items()}}

    def write(self, directory: Path, dialect_name: str) -> str:
        """Write the files below ``directory``; returns the path of the object, relative to it."""
        write_files(directory, self.files(dialect_name))
        return f"{self.name}.o"


def write_files(directory: Path, files: dict[str, bytes]) -> None:
    """Write files by relative path, with the directories that they need."""
    for path, content in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
