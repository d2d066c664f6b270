# SPDX-License-Identifier: GPL-2.0-or-later
"""A file system made from a description: modules, databases and texts, without a binary file in the repository.

A description has a line for each file, its kind and its path, and below it, indented by two blanks, what is in it:

    module lib/modules/1.0/kernel/foo.ko.xz     an ELF object, compressed as its name says; a line an entry of .modinfo,
      license=GPL                               or one of these:
      !version 0x12345678 printk                in __versions
      !extended 0x12345678 printk               in __version_ext_crcs and __version_ext_names
      !signed sha256 66F54E15 Build time key    a PKCS#7 signature of 23 bytes with that serial number and common name
      !without .modinfo                         no section .modinfo
      !header e_shentsize 65                    a field of the ELF header
      !cut 100                                  only the first 100 bytes of the file
    index lib/modules/1.0/modules.dep.bin       kmod's index: key, blank, value
      foo kernel/foo.ko.xz:
    strings lib/modules/1.0/modules.builtin.modinfo     texts, each ended by a NUL
      unix.license=GPL
    cut-strings lib/modules/1.0/modules.builtin.modinfo the same without the last NUL
      unix.license=GPL
    text notes.ko                               lines
      some text
    directory some/where
    link lib/loop.ko ../elsewhere               a symbolic link
"""

from __future__ import annotations

import gzip
import lzma
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zstandard

from modpost_py.kmod.index_file import index_bytes
from tests.kmod.signed_modules import pkcs7, signed
from tests.modpost.elf_writer import ElfWriter

SIGNATURE = bytes(range(0xA0, 0xB7))


def write_described(description: str, root: Path) -> None:
    """Make the files of a description below ``root``."""
    files: list[tuple[list[str], list[str]]] = []
    for line in description.splitlines():
        if line.startswith("  "):
            files[-1][1].append(line[2:])
        elif line and not line.startswith("#"):
            files.append((line.split(), []))
    for (kind, path, *rest), lines in files:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if kind == "directory":
            target.mkdir(exist_ok=True)
        elif kind == "link":
            target.symlink_to(rest[0])
        else:
            target.write_bytes(_content(kind, path, lines))


def _content(kind: str, path: str, lines: Sequence[str]) -> bytes:
    if kind == "text":
        return "".join(line + "\n" for line in lines).encode()
    if kind == "strings":
        return "".join(line + "\0" for line in lines).encode()
    if kind == "cut-strings":
        return "\0".join(lines).encode()
    if kind == "index":
        pairs = [line.partition(" ") for line in lines]
        return index_bytes((key, value, number) for number, (key, _, value) in enumerate(pairs))
    assert kind == "module", kind
    return _module(path, lines)


def _module(path: str, lines: Sequence[str]) -> bytes:
    orders = [line[1:].split(maxsplit=3) for line in lines if line.startswith("!")]
    entries = [line for line in lines if not line.startswith("!")]
    header: dict[str, Any] = {order[1]: int(order[2]) for order in orders if order[0] == "header"}
    elf = ElfWriter(**header)
    elf.section(".text", data=bytes(16))
    if ["without", ".modinfo"] not in orders:
        elf.section(".modinfo", data="".join(entry + "\0" for entry in entries).encode())
    _add_versions(elf, [(int(order[1], 16), order[2]) for order in orders if order[0] == "version"])
    _add_extended(elf, [(int(order[1], 16), order[2]) for order in orders if order[0] == "extended"])
    content = elf.bytes()
    for order in orders:
        if order[0] == "signed":
            content = signed(content, pkcs7(order[3], int(order[2], 16), order[1], SIGNATURE))
    content = compressed(path, content)
    cuts = [int(order[1]) for order in orders if order[0] == "cut"]
    return content[: cuts[0]] if cuts else content


def _add_versions(elf: ElfWriter, versions: Sequence[tuple[int, str]]) -> None:
    if versions:
        entries = [struct.pack("<Q56s", crc, name.encode()) for crc, name in versions]
        elf.section("__versions", data=b"".join(entries))


def _add_extended(elf: ElfWriter, versions: Sequence[tuple[int, str]]) -> None:
    if versions:
        elf.section("__version_ext_crcs", data=struct.pack(f"<{len(versions)}I", *[crc for crc, _ in versions]))
        elf.section("__version_ext_names", data="".join(name + "\0" for _, name in versions).encode())


def compressed(path: str, content: bytes) -> bytes:
    """``content`` compressed as the end of a file's name says."""
    if path.endswith(".gz"):
        return gzip.compress(content, mtime=0)
    if path.endswith(".xz"):
        return lzma.compress(content)
    if path.endswith(".zst"):
        return zstandard.ZstdCompressor(write_checksum=True).compress(content)
    return content
