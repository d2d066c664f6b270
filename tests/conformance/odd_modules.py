# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules that no build makes: strange ``.modinfo`` sections, damaged headers, signatures and compressions."""

from __future__ import annotations

import lzma
import random
from collections.abc import Iterator

from tests.kmod.signed_modules import MARKER, pkcs7, signed
from tests.modpost.elf_writer import EM_MIPS, ElfWriter

# What a .modinfo may hold, in kmod's eyes
_MODINFO = (
    b"license=GPL\0", b"hello\0a=1\0=x\0b=\0\0\0\0c\0d==2\0", b"\0\0\0a=1\0", b"a=1\0b=2", b"", b"\0\0\0", b"\0", b"a",
    b"abcdefghijklmn=1\0abcdefghijklmno=2\0abcdefghijklmnop=3\0abcdefghijklmnopqrstuvwxyz=4\0", None,
    b"parm=x:first\0parmtype=x:int\0parm=nocolon\0parmtype=y:bool\0parm=z:zz\0parm=z:again\0parmtype=z:t1\0"
    b"parmtype=z:t2\0parmtype=noc\0parm=:e\0parm=xx:foo\0parmtype=xx:\0parm=q:\0parm=l:desc:more\0parm=\0license=GPL\0",
    b"parm\0parmtype\0parms=a:b\0parm=x\0", b"author=\xc3\xa9\xff\ndescription\0description=line1\nline2\0",
    b"filename=x\0name=y\0sig_id=z\0signature=none\0license\0license=GPL\0license=BSD\0",
)  # fmt: skip

# Headers of which kmod must make something; names are those of the ELF specification
_HEADERS: tuple[dict[str, int], ...] = (
    {"e_shentsize": 65}, {"e_shnum": 0}, {"e_shnum": 2}, {"e_shnum": 0xFFFF}, {"e_shstrndx": 0}, {"e_shstrndx": 77},
    {"e_shoff": 1 << 63}, {"e_shoff": 0}, {"e_type": 2}, {"e_shoff": (1 << 64) - 1},
)  # fmt: skip
_SECTIONS: tuple[dict[str, int], ...] = (
    {"sh_offset": 1 << 40}, {"sh_size": 1 << 40}, {"sh_size": (1 << 64) - 1}, {"sh_name": 1 << 30}, {"sh_name": 0},
    {"sh_type": 8}, {"sh_type": 3}, {"sh_size": 0},
)  # fmt: skip

_MESSAGES = (
    pkcs7("odd", 0x1234, "sha256", b"s" * 24),
    pkcs7("", -5, "sha1", b""),
    pkcs7([("organizationName", "Acme"), ("commonName", "1st"), ("commonName", "2nd")], 0x80FF, "sha512", b"s" * 20),
    pkcs7([("commonName", "only"), ("organizationName", "later")], 0, "sha256", bytes(range(41))),
    pkcs7([("organizationName", "no common name")], 1 << 200, "sha256", bytes(300)),
    pkcs7([], 7, "sha256", b"s"),
    pkcs7("unknown hash", 7, "sha3-256", b"s"),
    pkcs7("caf\xe9", 7, "sha256", b"s"),
)


def _object(modinfo: bytes | None, section: dict[str, int] | None = None, **header: int) -> bytes:
    elf = ElfWriter(**header)
    elf.section(".text", data=bytes(16))
    if modinfo is not None:
        elf.section(".modinfo", data=modinfo, **(section or {}))
    return elf.bytes()


def odd_modules() -> Iterator[tuple[str, bytes]]:
    """Suffix and contents of modules that are made up one by one."""
    for modinfo in _MODINFO:
        yield ".ko", _object(modinfo)
    plain = _object(b"license=GPL\0a=b\0")
    for bits, byteorder in ((32, "little"), (32, "big"), (64, "big")):
        elf = ElfWriter(bits, byteorder, EM_MIPS)
        elf.section(".modinfo", data=b"license=GPL\0")
        yield ".ko", elf.bytes()
    for header in _HEADERS:
        yield ".ko", _object(b"a=1\0", **header)
    for section in _SECTIONS:
        yield ".ko", _object(b"a=1\0", section)
    elf = ElfWriter()
    elf.section("x.modinfo", data=b"a=1\0")
    elf.section(".modinfo.x", data=b"a=1\0")
    yield ".ko", elf.bytes()
    for size in (0, 1, 5, 6, 15, 16, 17, 40, 52, 63, 64, 65, len(plain) - 1):
        yield ".ko", plain[:size]
    for content in (plain + b"x", plain[:4] + b"\3" + plain[5:], plain[:5] + b"\3" + plain[6:], b"hello world " * 50):
        yield ".ko", content
    packed = lzma.compress(plain)
    yield ".ko.xz", packed + packed
    yield ".ko.xz", packed + bytes(8)
    yield ".ko.xz", packed + bytes(7)
    yield ".ko.xz", packed + b"garbage"
    yield ".ko.xz", plain
    yield ".ko", packed
    yield ".ko.xz", lzma.compress(b"hello" * 100)
    yield ".ko.xz", lzma.compress(b"")
    yield ".ko.xz", lzma.compress(plain, check=lzma.CHECK_NONE)
    yield from _zstandard(plain)
    for algorithm in range(3):
        for hash_ in range(10):
            for id_type in range(3):
                yield ".ko", signed(plain, b"x" * 30, algorithm, hash_, id_type, 3, 4)
    for lengths in ((0, 0), (200, 200), (255, 1), (20, 41)):
        yield ".ko", signed(plain, bytes(range(90)), 1, 4, 1, *lengths)
    for message in _MESSAGES:
        yield ".ko", signed(plain, message)
        yield ".ko", signed(plain, message + b"x")
        yield ".ko", signed(plain, message[:-1])
    yield ".ko", plain + MARKER
    yield ".ko", MARKER


def _zstandard(plain: bytes) -> Iterator[tuple[str, bytes]]:
    import zstandard

    packed = zstandard.ZstdCompressor(write_checksum=True).compress(plain)
    yield ".ko.zst", packed
    yield ".ko.zst", packed + packed
    yield ".ko.zst", packed + b"garbage"
    yield ".ko.zst", packed[: len(packed) // 2]
    yield ".ko.zst", zstandard.ZstdCompressor(write_content_size=False).compress(plain)


def damaged_modules(randomness: random.Random, count: int) -> Iterator[tuple[str, bytes]]:
    """Modules of which a few bytes were changed or that were cut off."""
    plain = _object(b"license=GPL\0parm=a:b\0")
    message = _MESSAGES[0]
    for _ in range(count):
        kind = randomness.random()
        if kind < 0.5:
            yield ".ko", _changed(plain, randomness, (0, 64), (len(plain) - 320, len(plain)))
        elif kind < 0.7:
            yield ".ko.xz", _changed(lzma.compress(plain), randomness, (0, 10000))
        elif kind < 0.9:
            yield ".ko", signed(plain, message)[:-40] + _changed(signed(plain, message)[-40:], randomness, (0, 40))
        else:
            yield ".ko", plain[: randomness.randrange(len(plain))]


def _changed(data: bytes, randomness: random.Random, *places: tuple[int, int]) -> bytes:
    changed = bytearray(data)
    for _ in range(randomness.choice((1, 1, 2, 5))):
        start, end = randomness.choice(places)
        place = randomness.randrange(start, min(end, len(data)))
        changed[place] = randomness.choice((0, 1, 255, randomness.randrange(256)))
    return bytes(changed)


def builtin_modinfo_files() -> Iterator[bytes]:
    """Contents of modules.builtin.modinfo; those that kmod reports with places in its own source are left out."""
    yield b"x.a=1\0x.b=2\0"
    yield b"x.a=1\0x.b=2"
    yield b"x.a=1\0quiet.b=2\0x.c=3\0"
    yield b"x.a.b=1\0x..b=2\0x.c=3\0"
    yield b"x.=1\0x.\0x.b=2\0"
    yield b".b=2\0x.b=2\0x.c=3\0"
    yield b""
    yield b"foo-bar.a=1\0foo_bar.b=2\0"
    yield b"foo_bar.a=1\0foo_bar.alias=x\0"
    yield b"x.parm=a:b\0x.parmtype=a:int\0x.parm=nocolon\0x.name=z\0"
    yield b"x.a=" + b"y" * 5000 + b"\0x.c=3\0"
