# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules directories made from a description, as depmod finds them, and what depmod makes of them as text.

A description has a line for each file, its kind and its path, and below it, indented by two blanks, what is in it:

    module lib/modules/1.2.3/kernel/foo.ko.xz    an ELF object, compressed as its name says; a line each
      export foo_open 0x1234                     an exported symbol; without CRC: only in __ksymtab_strings
      need printk                                an undefined symbol
      weak maybe                                 a weak undefined symbol
      version printk 0x12345678                  in __versions
      relative-crcs                              CRCs lie in a section, not in the symbols' values
      cut 100                                    only the first 100 bytes of the file
      alias=foo-*                                anything else: an entry of .modinfo

The other kinds (``text``, ``strings``, ``directory``, ``link``) are those of ``described_files.py``.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from pathlib import Path

from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.index_file import IndexFile
from tests.kmod.described_files import compressed, write_described
from tests.modpost.elf_writer import SHN_ABS, STB_LOCAL, STB_WEAK, ElfWriter

RELEASE = "1.2.3"
CACHE = "modules.depmod-py.cache"

_MODULE = re.compile(r"^module (\S+)\n((?:  .*\n?)*)", re.MULTILINE)


def write_tree(description: str, root: Path) -> Path:
    """Make the files of a description below ``root``; returns the modules directory."""
    directory = root / "lib/modules" / RELEASE
    directory.mkdir(parents=True, exist_ok=True)
    for match in _MODULE.finditer(description):
        target = root / match[1]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_module(match[1], [line[2:] for line in match[2].splitlines()]))
    write_described(_MODULE.sub("", description), root)
    return directory


def _module(path: str, lines: Sequence[str]) -> bytes:
    words = [line.split(" ") for line in lines]
    content = _object([word for word in words if word[0] in _WORDS], [line for line in lines if not _is_order(line)])
    content = compressed(path, content)
    for word in words:
        if word[0] == "cut":
            content = content[: int(word[1])]
    return content


_WORDS = ("export", "need", "weak", "version", "relative-crcs")


def _is_order(line: str) -> bool:
    return line.split(" ")[0] in (*_WORDS, "cut")


def _object(orders: Sequence[Sequence[str]], modinfo: Sequence[str]) -> bytes:
    elf = ElfWriter()
    if modinfo:
        elf.section(".modinfo", data="".join(f"{entry}\0" for entry in modinfo).encode())
    versions = [struct.pack("<Q56s", int(order[2], 16), order[1].encode()) for order in orders if order[0] == "version"]
    if versions:
        elf.section("__versions", data=b"".join(versions))
    exported = [order[1:] for order in orders if order[0] == "export"]
    if exported:
        elf.section("__ksymtab_strings", data="".join(f"{order[0]}\0" for order in exported).encode())
    crcs = [(order[0], int(order[1], 16)) for order in exported if len(order) > 1]
    table = 0
    if ["relative-crcs"] in orders:
        table = elf.section("__kcrctab", data=b"".join(crc.to_bytes(4, "little") for _, crc in crcs))
    for number, (name, crc) in enumerate(crcs):
        if table:
            elf.symbol(f"__crc_{name}", table, 4 * number, bind=STB_LOCAL)
        else:
            elf.symbol(f"__crc_{name}", SHN_ABS, crc)
    for order in orders:
        if order[0] == "need":
            elf.symbol(order[1])
        elif order[0] == "weak":
            elf.symbol(order[1], bind=STB_WEAK)
    return elf.bytes()


def made_files(directory: Path) -> dict[str, bytes]:
    """The files that depmod made, by name: all ``modules.*`` but those of the kernel's build and our cache."""
    inputs = ("modules.order", "modules.builtin", "modules.builtin.modinfo", CACHE)
    return {
        path.name: path.read_bytes()
        for path in sorted(directory.glob("modules.*"))
        if path.name not in inputs and path.is_file()
    }


def as_text(files: dict[str, bytes]) -> str:
    """Files one after the other, indices as lines ``KEY [PRIORITY] VALUE``; empty ones not at all."""
    parts = []
    for name, data in files.items():
        text = data.decode("utf-8", "backslashreplace")
        if name.endswith(".bin") and data:
            try:
                index = IndexFile(name, data)
                text = "".join(f"{key} [{priority}] {value}\n" for key, priority, value in index.entries())
            except KmodError as error:
                text = f"{error}\n"
        if text:
            parts.append(f"==> {name} <==\n{text}")
    return "".join(parts)
