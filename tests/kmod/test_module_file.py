# SPDX-License-Identifier: GPL-2.0-or-later
"""ModuleFile: sections, .modinfo, symbol versions, signatures; both word sizes and byte orders; damage."""

from __future__ import annotations

import errno
import os
import random
import struct
from pathlib import Path

import pytest

from modpost_py.kmod.compression import DamagedModuleError
from modpost_py.kmod.errors import ModuleFileError
from modpost_py.kmod.module_file import ModuleFile
from modpost_py.kmod.signature import Signature
from modpost_py.kmod.symbol_versions import symbol_versions
from tests.kmod.described_files import compressed
from tests.kmod.signed_modules import (
    CONTEXT_0,
    IDENTIFIER,
    NULL,
    OCTETS,
    SEQUENCE,
    SET,
    UTF8,
    der,
    identifier,
    integer,
    name_of,
    pkcs7,
    signed,
)
from tests.kmod.signed_modules import MARKER as SIGNATURE_MARKER
from tests.modpost.elf_writer import EM_MIPS, ElfWriter

KINDS = [(32, "little"), (32, "big"), (64, "little"), (64, "big")]


def plain(**header: int) -> bytes:
    """A module that says its licence."""
    elf = ElfWriter(**header)
    elf.section(".modinfo", data=b"license=GPL\0")
    return elf.bytes()


@pytest.mark.parametrize(("bits", "byteorder"), KINDS)
def test_every_kind_of_file(bits: int, byteorder: str) -> None:
    """Check the header, the sections and the versions of all word sizes and byte orders."""
    elf = ElfWriter(bits, byteorder, EM_MIPS)
    elf.section(".modinfo", data=b"license=GPL\0alias=a\0\0alias=b\0name\0")
    order = "<" if byteorder == "little" else ">"
    word = bits // 8
    entries = [struct.pack(f"{order}{'IQ'[bits == 64]}{64 - word}s", crc, name) for crc, name in [(1, b"a"), (2, b"b")]]
    elf.section("__versions", data=b"".join(entries))
    elf.section("__version_ext_crcs", data=struct.pack(f"{order}2I", 2, 0xFFFFFFFF))
    elf.section("__version_ext_names", data=b"b\0long_name\0")
    elf.symbol("printk")
    module = ModuleFile("foo.ko", elf.bytes())
    assert (module.bits, module.byteorder, module.machine, module.type) == (bits, byteorder, EM_MIPS, 1)
    assert module.modinfo() == ["license=GPL", "alias=a", "alias=b", "name"]
    assert (module.values("alias"), module.value("alias"), module.value("none")) == (["a", "b"], "a", None)
    assert module.versions() == [("a", 1), ("b", 2)]
    assert module.extended_versions() == [("b", 2), ("long_name", 0xFFFFFFFF)]
    assert [(version.symbol, version.crc_text, version.tables) for version in symbol_versions(module)] == [
        ("a", "0x00000001", ("basic",)),
        ("b", "0x00000002", ("basic", "extended")),
        ("long_name", "0xffffffff", ("extended",)),
    ]
    assert bytes(module.section("__version_ext_names") or b"") == b"b\0long_name\0"
    assert module.section("nowhere") is None
    assert module.symbols.name(1) == "printk"


def test_names_that_end_alike() -> None:
    """Check that a section is found by its whole name, also where another name ends in it and shares its bytes."""
    elf = ElfWriter()
    elf.section("x.modinfo", data=b"wrong=1\0")
    elf.section(".modinfo.x", data=b"wrong=2\0")
    elf.section(".modinfo", data=b"right=1\0")
    content = bytearray(elf.bytes())
    assert ModuleFile("foo.ko", bytes(content)).modinfo() == ["right=1"]
    # As linkers do: the third section's name is the end of the first one's
    table = content.index(b"\0x.modinfo\0")
    headers = int.from_bytes(content[40:48], "little")
    content[headers + 3 * 64 : headers + 3 * 64 + 4] = (2).to_bytes(4, "little")
    content[content.index(b"\0.modinfo\0", table) + 2] = ord("M")
    assert ModuleFile("foo.ko", bytes(content)).modinfo() == ["right=1"]


def test_the_first_section_inside_the_file_counts() -> None:
    """Check that of sections of the same name the first one counts that lies in the file."""
    elf = ElfWriter()
    elf.section(".modinfo", data=b"outside=1\0", sh_offset=1 << 40)
    elf.section(".modinfo", data=b"first=1\0")
    elf.section(".modinfo", data=b"second=1\0")
    assert ModuleFile("foo.ko", elf.bytes()).modinfo() == ["first=1"]


def test_a_section_of_one_byte() -> None:
    """Check that a .modinfo without room for a text is as good as empty, as to kmod."""
    for data in (b"", b"\0", b"a", b"\0\0a"):
        elf = ElfWriter()
        elf.section(".modinfo", data=data)
        assert ModuleFile("foo.ko", elf.bytes()).modinfo() == []


def test_texts_that_are_no_utf8() -> None:
    """Check that any bytes come back from the texts."""
    elf = ElfWriter()
    elf.section(".modinfo", data=b"author=\xff\xe9\xc3\xa9\0")
    author = ModuleFile("foo.ko", elf.bytes()).value("author")
    assert author is not None
    assert author.encode("utf-8", "surrogateescape") == b"\xff\xe9\xc3\xa9"


@pytest.mark.parametrize("suffix", ["", ".xz"])
def test_reading_in_parts_and_wholly(suffix: str, tmp_path: Path) -> None:
    """Check that an opened module says the same as one that was read wholly."""
    path = tmp_path / f"foo.ko{suffix}"
    content = signed(plain(), pkcs7("Key", 0xBEEF, "sha256", b"signature"))
    path.write_bytes(compressed(path.name, content))
    whole = ModuleFile.read(str(path))
    with ModuleFile.opened(str(path)) as opened:
        assert opened.modinfo() == whole.modinfo() == ["license=GPL"]
        assert opened.section(".modinfo") == whole.section(".modinfo") == b"license=GPL\0"
        signatures = [module.signature() for module in (opened, whole)]
        assert opened.data == whole.data == content
        assert opened.size == whole.size == len(content)
    for signature in signatures:
        assert signature is not None
        values = [getattr(signature, name) for name in Signature.__slots__]
        assert dict(zip(Signature.__slots__, values, strict=True)) == {
            "hash_algorithm": "sha256",
            "id_type": "PKCS#7",
            "key_id": b"\xbe\xef",
            "signature": b"signature",
            "signer": "Key",
        }


def signature_of(content: bytes) -> tuple[str, str, str, str, bytes] | None:
    """What a module's signature says."""
    found = ModuleFile("foo.ko", content).signature()
    if found is None:
        return None
    return found.id_type, found.signer, found.key_id.hex(), found.hash_algorithm, found.signature


def test_signers() -> None:
    """Check which part of a name is the signer: the first common name, else the last part."""
    two = [("organizationName", "Acme"), ("commonName", "First"), ("commonName", "Second")]
    last = [("commonName", "Name"), ("organizationName", "Acme")]
    none = [("organizationName", "Acme"), ("organizationName", "Unit")]
    signers = []
    for name in (two, last, none, [], "plain"):
        found = signature_of(signed(plain(), pkcs7(name, 1, "sha256", b"s")))  # type: ignore[arg-type]
        signers.append(found and found[1])
    assert signers == ["First", "Name", "Unit", "", "plain"]


def test_serial_numbers() -> None:
    """Check that a key's id is the serial number without its sign, in as few bytes as it needs."""
    numbers = [0, 5, 0x80FF, -5, 1 << 64]
    found = [signature_of(signed(plain(), pkcs7("Key", number, "sha1", b"s"))) for number in numbers]
    assert [signature and signature[2] for signature in found] == ["", "05", "80ff", "05", "010000000000000000"]


def test_messages_with_more_in_them() -> None:
    """Check that certificates, signed attributes and unsigned ones are passed over."""
    more: list[dict[str, bytes]] = [
        {},
        {"certificates": der(CONTEXT_0, der(SEQUENCE, b"certificate"))},
        {"certificates": der(CONTEXT_0) + der(CONTEXT_0 + 1)},
        {"attributes": der(CONTEXT_0, der(SEQUENCE))},
        {"after": der(CONTEXT_0 + 1, der(SEQUENCE))},
        {"digest": der(SEQUENCE, identifier("sha256"), der(NULL))},
        {"digest": der(SEQUENCE, identifier("sha256"), der(OCTETS, b"anything"))},
    ]
    for parts in more:
        found = signature_of(signed(plain(), pkcs7("Key", 1, "sha256", b"s", **parts)))
        assert found == ("PKCS#7", "Key", "01", "sha256", b"s"), parts


def test_messages_that_openssl_refuses() -> None:
    """Check that a message is no signature where its parts are not what they should be, though they can be read."""
    name = name_of("Key")
    latin_1 = der(SEQUENCE, der(SET, der(SEQUENCE, identifier("commonName"), der(UTF8, b"caf\xe9"))))
    number = der(SEQUENCE, der(SET, der(SEQUENCE, identifier("commonName"), integer(5))))
    two_values = der(SEQUENCE, der(SET, der(SEQUENCE, identifier("commonName"), der(UTF8, b"a"), der(UTF8, b"b"))))
    sha256 = identifier("sha256")
    refused: list[dict[str, bytes]] = [
        {"after": der(NULL)},
        {"identity": der(CONTEXT_0 - 0x20, b"subject key id")},
        *[{"identity": der(SEQUENCE, wrong, integer(1))} for wrong in (latin_1, number, two_values)],
        {"identity": der(SEQUENCE, name, integer(1), integer(2))},
        {"identity": der(SEQUENCE, integer(1), name)},
        {"digest": der(SEQUENCE, der(IDENTIFIER, b"\x60\x80\x01"))},
        {"digest": der(SEQUENCE, der(IDENTIFIER, b"\x60\x86"))},
        {"digest": der(SEQUENCE, der(IDENTIFIER, b""))},
        {"digest": der(SEQUENCE, sha256, der(NULL, b"x"))},
        {"digest": der(SEQUENCE, sha256, der(NULL), der(NULL))},
    ]
    for parts in refused:
        assert signature_of(signed(plain(), pkcs7("Key", 1, "sha256", b"s", **parts))) is None, parts


def test_old_signatures() -> None:
    """Check a signature without PKCS#7: name and key id stand before it, algorithms by number."""
    content = signed(plain() + b"SignerKEYID", b"bytes", algorithm=1, hash_=6, id_type=1, name=6, key=5)
    assert signature_of(content) == ("X509", "Signer", b"KEYID".hex(), "sha512", b"bytes")


def test_what_is_no_signature() -> None:
    """Check that wrong numbers, lengths beyond the file, other messages and cut ones are no signature."""
    good = pkcs7("Key", 1, "sha256", b"s" * 200)
    assert signature_of(signed(plain(), good)) is not None
    wrong = [
        plain(),
        plain() + SIGNATURE_MARKER,
        SIGNATURE_MARKER[1:],
        signed(plain(), good, algorithm=2),
        signed(plain(), good, hash_=9),
        signed(plain(), good, id_type=3),
        signed(plain(), b""),
        signed(plain(), b"no message at all"),
        *[signed(plain(), good[:size]) for size in range(1, len(good))],
    ]
    for content in wrong:
        if content.startswith(b"\x7fELF"):
            assert signature_of(content) is None
    long = signed(plain(), b"s")
    assert signature_of(long[:-32] + (len(long)).to_bytes(4, "big") + SIGNATURE_MARKER) is None
    assert Signature.is_appended(ModuleFile("foo.ko", signed(plain(), b"no message at all")))
    assert not Signature.is_appended(ModuleFile("foo.ko", plain()))


@pytest.mark.parametrize(
    ("content", "number"),
    [
        (b"\x7fELF\2\1" + bytes(10), errno.ENOEXEC),
        (b"no ELF file at all, but long enough" * 3, errno.ENOEXEC),
        (plain()[:64], errno.EINVAL),
        (plain()[:-1], errno.EINVAL),
        (plain(e_shentsize=65), errno.EINVAL),
        (plain(e_shoff=1 << 63), errno.EINVAL),
        (plain(e_shnum=0xFFFF), errno.EINVAL),
        (plain(e_shnum=0), errno.EINVAL),
        (plain(e_shstrndx=77), errno.EINVAL),
        (plain(e_shstrndx=0), errno.EINVAL),
        (plain()[:4] + b"\3" + plain()[5:], errno.EINVAL),
        (plain()[:5] + b"\3" + plain()[6:], errno.EINVAL),
    ],
)
def test_damaged_headers(content: bytes, number: int) -> None:
    """Check that a damaged header is an error with kmod's number and the file's name."""
    with pytest.raises(DamagedModuleError) as raised:
        ModuleFile("foo.ko", content)
    assert raised.value.errno == number
    assert str(raised.value).startswith("foo.ko: ")


@pytest.mark.parametrize(
    "sections",
    [
        {"__versions": b"x" * 63},
        {"__version_ext_crcs": b"x" * 4},
        {"__version_ext_crcs": b"x" * 4, "__version_ext_names": b"a\0b\0"},
        {"__version_ext_crcs": b"x" * 4, "__version_ext_names": b"a"},
        {"__version_ext_crcs": b"x" * 4, "__version_ext_names": b"a\0b"},
        {"__version_ext_crcs": b"x" * 3, "__version_ext_names": b"a\0"},
    ],
)
def test_damaged_versions(sections: dict[str, bytes]) -> None:
    """Check that tables of versions that do not fit are an error."""
    elf = ElfWriter()
    for name, data in sections.items():
        elf.section(name, data=data)
    with pytest.raises(DamagedModuleError, match="__version"):
        symbol_versions(ModuleFile("foo.ko", elf.bytes()))


def test_files_with_holes(tmp_path: Path) -> None:
    """Check that a file of 8 GiB, most of it holes, is read in parts, and no more than 512 MiB of it."""
    elf = ElfWriter()
    elf.section(".modinfo", data=b"license=GPL\0")
    elf.section(".hole", sh_offset=0, sh_size=1 << 32)
    path = tmp_path / "foo.ko"
    path.write_bytes(elf.bytes())
    os.truncate(path, 1 << 33)
    with ModuleFile.opened(str(path)) as module:
        assert module.modinfo() == ["license=GPL"]
        assert module.signature() is None
        with pytest.raises(DamagedModuleError, match="a section has more than 536870912 bytes"):
            module.section(".hole")
    with pytest.raises(DamagedModuleError, match="the file has more than 536870912 bytes"):
        ModuleFile.read(str(path))


def test_any_changed_bytes() -> None:
    """Check that no change of bytes leads to another exception than ModuleFileError."""
    content = signed(plain(), pkcs7("Key", 1, "sha256", b"s" * 20))
    randomness = random.Random(7)
    failures = 0
    for _ in range(2000):
        changed = bytearray(content)
        for _ in range(randomness.choice((1, 2, 4))):
            changed[randomness.randrange(len(changed))] = randomness.choice((0, 1, 0x7F, 0x80, 0xFF))
        try:
            module = ModuleFile("foo.ko", bytes(changed))
            module.modinfo(), module.signature(), module.versions(), module.extended_versions()
            assert module.symbols.count >= 0
        except ModuleFileError:
            failures += 1
    assert 0 < failures < 2000
