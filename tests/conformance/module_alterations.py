# SPDX-License-Identifier: GPL-2.0-or-later
"""Small changes to the bytes of a built module, each of which a kernel must notice.

Nothing here uses the product's own readers and writers, which must not judge themselves.  Every change keeps the
file's layout: a text is replaced by one of the same length, a field by another value.  A change that finds
nothing to change raises ValueError.
"""

from __future__ import annotations

import io
import struct
from typing import NamedTuple

from elftools.elf.elffile import ELFFile

# A symbol version of a 64-bit module: 8 bytes with the CRC, 56 bytes with the name.
_VERSION_BYTES = 64

# Offsets inside the ELF header (e_ident first).
_CLASS, _BYTE_ORDER, _MACHINE = 4, 5, 18
_SH_SIZE = 32

# A signed module ends: PKCS#7 message, struct module_signature (12 bytes, the last 4 the message's length), magic.
_SIGNATURE_MAGIC = b"~Module signature appended~\n"
_SIGNATURE_STRUCT = 12


class SectionPlace(NamedTuple):
    """Where a section's contents and its header lie in the file, in bytes."""

    offset: int
    size: int
    header: int
    name: int


def _place(data: bytes, name: str) -> SectionPlace:
    elf = ELFFile(io.BytesIO(data))
    names = elf.get_section(elf["e_shstrndx"])
    for number, section in enumerate(elf.iter_sections()):
        if section.name == name:
            header = elf["e_shoff"] + number * elf["e_shentsize"]
            return SectionPlace(
                section["sh_offset"], section["sh_size"], header, names["sh_offset"] + section["sh_name"]
            )
    raise ValueError(f"no section {name}")


def _patched(data: bytes, offset: int, new: bytes) -> bytes:
    return data[:offset] + new + data[offset + len(new) :]


def replace_in_section(data: bytes, section: str, old: bytes, new: bytes) -> bytes:
    """Replace the only occurrence of ``old`` in a section by ``new``, which must be as long."""
    place = _place(data, section)
    contents = data[place.offset : place.offset + place.size]
    if len(old) != len(new) or contents.count(old) != 1:
        raise ValueError(f"{section} has {contents.count(old)} times {old!r}")
    return _patched(data, place.offset + contents.index(old), new)


def replace_modinfo(data: bytes, old: str, new: str) -> bytes:
    """Replace a whole ``tag=value`` by another; a shorter one is filled up with NULs, which the kernel skips."""
    text = old.encode() + b"\0"
    return replace_in_section(data, ".modinfo", text, new.encode().ljust(len(text), b"\0"))


def modinfo_value(data: bytes, tag: str) -> str:
    """The first value of a tag."""
    place = _place(data, ".modinfo")
    for entry in data[place.offset : place.offset + place.size].split(b"\0"):
        name, _, value = entry.partition(b"=")
        if name == tag.encode():
            return value.decode()
    raise ValueError(f"no {tag} in .modinfo")


def _version_offset(data: bytes, symbol: str) -> int:
    place = _place(data, "__versions")
    for offset in range(place.offset, place.offset + place.size, _VERSION_BYTES):
        if data[offset + 8 : offset + _VERSION_BYTES].rstrip(b"\0") == symbol.encode():
            return offset
    raise ValueError(f"no version of {symbol}")


def alter_crc(data: bytes, symbol: str) -> bytes:
    """Change the CRC that the module expects of a symbol, by one bit."""
    offset = _version_offset(data, symbol)
    return _patched(data, offset, bytes([data[offset] ^ 1]))


def forget_version(data: bytes, symbol: str) -> bytes:
    """Give a symbol's version to a name that nothing uses."""
    offset = _version_offset(data, symbol) + 8
    return _patched(data, offset, b"?" * len(symbol))


def rename_section(data: bytes, name: str) -> bytes:
    """Spell the last letter of a section's name differently, so that the kernel does not find it."""
    place = _place(data, name)
    return _patched(data, place.name + len(name) - 1, b"!")


def shorten_section(data: bytes, name: str, count: int) -> bytes:
    """Make a section ``count`` bytes shorter by its header."""
    place = _place(data, name)
    return _patched(data, place.header + _SH_SIZE, struct.pack("<Q", place.size - count))


def with_machine(data: bytes, machine: int) -> bytes:
    """Claim another machine (e_machine)."""
    return _patched(data, _MACHINE, struct.pack("<H", machine))


def with_class(data: bytes, elf_class: int) -> bytes:
    """Claim another word size (1: 32 bits, 2: 64 bits)."""
    return _patched(data, _CLASS, bytes([elf_class]))


def with_byte_order(data: bytes, order: int) -> bytes:
    """Claim another byte order (1: little, 2: big)."""
    return _patched(data, _BYTE_ORDER, bytes([order]))


def without_signature(data: bytes) -> bytes:
    """Cut the signature off."""
    start, _ = _signature(data)
    return data[:start]


def with_damaged_signature(data: bytes) -> bytes:
    """Damage the outermost tag of the PKCS#7 message, so that it is no message any more."""
    start, _ = _signature(data)
    return _patched(data, start, bytes([data[start] ^ 0xFF]))


def with_overlong_signature(data: bytes) -> bytes:
    """Let the signature claim to be longer than the file."""
    _, end = _signature(data)
    return _patched(data, end + _SIGNATURE_STRUCT - 4, struct.pack(">I", len(data)))


def _signature(data: bytes) -> tuple[int, int]:
    """Where the PKCS#7 message begins and ends."""
    if not data.endswith(_SIGNATURE_MAGIC):
        raise ValueError("the module is not signed")
    end = len(data) - len(_SIGNATURE_MAGIC) - _SIGNATURE_STRUCT
    (length,) = struct.unpack_from(">I", data, end + _SIGNATURE_STRUCT - 4)
    return end - length, end
