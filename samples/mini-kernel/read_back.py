# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads symbol versions back from built files, the way that the module loader sees them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

VERSION_ENTRY_SIZE = 64
"""Bytes of a ``struct modversion_info``: the CRC as an ``unsigned long``, then the name."""


@dataclass(frozen=True)
class Export:
    """One line of Module.symvers."""

    symbol: str
    crc: int
    module: str
    gpl_only: bool


@dataclass(frozen=True)
class BuiltModule:
    """What a ``.ko`` says about itself.

    ``versions`` has the CRC of each symbol that the module uses, ``exports`` the CRC of each that
    it provides, ``info`` the values of each modinfo tag.
    """

    name: str
    versions: dict[str, int]
    exports: dict[str, int]
    info: dict[str, list[str]]


def read_symvers(path: Path) -> dict[str, Export]:
    """The exports of a Module.symvers file, in its order."""
    exports = {}
    # crc TAB symbol TAB module TAB (EXPORT_SYMBOL | EXPORT_SYMBOL_GPL) TAB namespace
    for line in path.read_text().splitlines():
        crc, symbol, module, kind, _namespace = line.split("\t")
        exports[symbol] = Export(symbol, int(crc, 16), Path(module).name, kind == "EXPORT_SYMBOL_GPL")
    return exports


def read_computed(build: Path) -> dict[str, int]:
    """The CRCs that genksyms printed, from the ``.cmd`` files below ``build``."""
    crcs = {}
    for path in build.glob("*/.*.o.cmd"):
        for line in path.read_text().splitlines():
            # "#SYMVER" name crc
            if line.startswith("#SYMVER "):
                _mark, symbol, crc = line.split()
                crcs[symbol] = int(crc, 16)
    return crcs


def read_built(path: Path) -> BuiltModule:
    """The versions, exports and modinfo of a ``.ko`` file, or of vmlinux."""
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        return BuiltModule(path.stem, dict(_versions(elf)), dict(_exported_crcs(elf)), _modinfo(elf))


def _section_data(elf: ELFFile, name: str) -> bytes:
    section = elf.get_section_by_name(name)
    return bytes(section.data()) if section else b""


def _versions(elf: ELFFile) -> Iterator[tuple[str, int]]:
    word = ("<" if elf.little_endian else ">") + ("Q" if elf.elfclass == 64 else "I")
    data = _section_data(elf, "__versions")
    for start in range(0, len(data), VERSION_ENTRY_SIZE):
        entry = data[start : start + VERSION_ENTRY_SIZE]
        (crc,) = struct.unpack_from(word, entry)
        name = entry[struct.calcsize(word) :].partition(b"\0")[0]
        yield name.decode(), crc


def _exported_crcs(elf: ELFFile) -> Iterator[tuple[str, int]]:
    table = elf.get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    for symbol in table.iter_symbols():
        if symbol.name.startswith("__crc_"):
            data = elf.get_section(symbol["st_shndx"]).data()
            (crc,) = struct.unpack_from("<I" if elf.little_endian else ">I", data, symbol["st_value"])
            yield symbol.name.removeprefix("__crc_"), crc


def _modinfo(elf: ELFFile) -> dict[str, list[str]]:
    info: dict[str, list[str]] = {}
    # modinfo = { tag "=" value NUL { NUL } }
    for entry in _section_data(elf, ".modinfo").split(b"\0"):
        tag, separator, value = entry.decode().partition("=")
        if separator:
            info.setdefault(tag, []).append(value)
    return info
