# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading module files: every compression by its magic, damage, and contents that grow without end."""

from __future__ import annotations

import errno
import gzip
import lzma
import os
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import zstandard

from modpost_py.errors import FileError
from modpost_py.kmod import compression
from modpost_py.kmod.compression import DamagedModuleError, read_module, uncompressed
from tests.kmod.described_files import compressed
from tests.modpost.elf_writer import ElfWriter
from tests.permissions import ARE_IGNORED

ROOT = Path(__file__).resolve().parents[2]


def module() -> bytes:
    """A module with contents that do not compress well."""
    elf = ElfWriter()
    elf.section(".modinfo", data=b"license=GPL\0")
    elf.section(".rodata", data=bytes(number * number % 251 for number in range(5000)))
    return elf.bytes()


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_contents_come_back(suffix: str, tmp_path: Path) -> None:
    """Check that a module comes back from each compression, whatever the file is called."""
    path = tmp_path / "foo.ko"
    path.write_bytes(compressed(f"foo.ko{suffix}", module()))
    assert read_module(str(path)) == module()


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_contents_of_several_streams_are_joined(suffix: str) -> None:
    """Check that a file made of two compressed halves is the whole."""
    whole = module()
    data = compressed(suffix, whole[:1000]) + compressed(suffix, whole[1000:])
    assert uncompressed("foo.ko", data) == whole


def test_what_follows_the_streams() -> None:
    """Check that xz may be followed by four zeros at a time, gzip by anything, and zstd by nothing."""
    packed = {suffix: compressed(suffix, module()) for suffix in (".gz", ".xz", ".zst")}
    assert uncompressed("foo.ko", packed[".xz"] + bytes(8)) == module()
    assert uncompressed("foo.ko", packed[".gz"] + b"signature") == module()
    for data in (packed[".xz"] + bytes(7), packed[".xz"] + b"signature", packed[".zst"] + b"signature"):
        with pytest.raises(DamagedModuleError) as raised:
            uncompressed("foo.ko", data)
        assert raised.value.errno == errno.EINVAL


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_every_cut_is_an_error(suffix: str) -> None:
    """Check that a compressed module cut off anywhere is an error of one line and never a shorter module."""
    data = compressed(suffix, module())
    for size in [*range(6, 60), *range(60, len(data) - 1, 97), len(data) - 1]:
        with pytest.raises(DamagedModuleError) as raised:
            uncompressed("foo.ko", data[:size])
        assert str(raised.value).startswith("foo.ko: ")
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_changed_bytes_are_an_error(suffix: str) -> None:
    """Check that a compressed module with a wrong byte in its middle is an error."""
    data = bytearray(compressed(suffix, module()))
    data[len(data) // 2] ^= 0x55
    with pytest.raises(DamagedModuleError):
        uncompressed("foo.ko", bytes(data))


def bomb(kind: str, start: bytes, megabytes: int) -> bytes:
    """A small file that becomes ``start`` and many megabytes of zeros."""
    zeros = bytes(1 << 20)
    if kind == "gz":
        return gzip.compress(start + zeros * megabytes, 1)
    if kind == "xz":
        return lzma.compress(start + zeros * megabytes, preset=0)
    packer = zstandard.ZstdCompressor().compressobj()
    pieces = [packer.compress(start), *[packer.compress(zeros) for _ in range(megabytes)], packer.flush()]
    return b"".join(pieces)


@pytest.mark.parametrize("kind", ["gz", "xz", "zst"])
def test_too_large_contents_are_an_error(kind: str) -> None:
    """Check that contents larger than allowed are an error, and that what is no module is given up long before."""
    with pytest.raises(DamagedModuleError, match="more than 6291456 bytes"):
        uncompressed("foo.ko", bomb(kind, module(), 12), largest=6 << 20)
    with pytest.raises(DamagedModuleError, match="not an ELF file") as raised:
        uncompressed("foo.ko", bomb(kind, b"", 12), largest=10 << 20)
    assert raised.value.errno == errno.ENOEXEC
    assert len(uncompressed("foo.ko", bomb(kind, module(), 5), largest=6 << 20)) == len(module()) + (5 << 20)


@pytest.mark.parametrize("kind", ["gz", "xz", "zst"])
def test_memory_is_bounded(kind: str, tmp_path: Path) -> None:
    """Check that 150 megabytes out of a small file are refused in a process that may have 90 more than it needs."""
    path = tmp_path / "bomb.ko"
    path.write_bytes(bomb(kind, module(), 150))
    assert path.stat().st_size < 1 << 20
    program = (
        "import resource, sys, lzma, zlib, zstandard\n"
        "from modpost_py.kmod import compression\n"
        "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize() + (90 << 20)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size, size))\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "try:\n"
        "    compression.uncompressed('bomb.ko', data, 20 << 20)\n"
        "except compression.DamagedModuleError as error:\n"
        "    print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout == "bomb.ko: uncompressed contents have more than 20971520 bytes\n", done.stderr


def test_a_dictionary_larger_than_allowed() -> None:
    """Check that a file of xz that asks for a dictionary of 4 GiB is refused before any memory is taken for it."""
    data = bytearray(lzma.compress(module()))
    # Block header: its size in words less one, flags, the filter LZMA2 (0x21), 1 byte of properties: the dictionary
    end = 12 + 4 * data[12]
    assert data[14:16] == b"\x21\x01"
    data[16] = 40
    data[end : end + 4] = zlib.crc32(data[12:end]).to_bytes(4, "little")
    with pytest.raises(DamagedModuleError, match="damaged xz compression: Memory usage limit exceeded"):
        uncompressed("foo.ko", bytes(data))


def test_the_bound_is_what_the_documents_say() -> None:
    """Check that the bound of contents is 512 MiB."""
    assert compression.LARGEST_MODULE == 512 * 1024 * 1024


def test_what_is_no_file(tmp_path: Path) -> None:
    """Check that a missing file, a directory, a pipe that nobody writes to, and a NUL in the name are errors."""
    os.mkfifo(tmp_path / "pipe.ko")
    signal.alarm(20)  # ends a wait for a writer
    expected = {"missing.ko": errno.ENOENT, "": errno.EINVAL, "pipe.ko": errno.EINVAL, "nul\0.ko": errno.ENOENT}
    for name, number in expected.items():
        with pytest.raises(FileError) as raised:
            read_module(str(tmp_path / name))
        assert raised.value.errno == number
    signal.alarm(0)


@pytest.mark.skipif(ARE_IGNORED, reason="permissions do not stop root: test_permissions runs it")
def test_unreadable_file(tmp_path: Path) -> None:
    """Check that a file without permission is an error with its number."""
    path = tmp_path / "foo.ko"
    path.write_bytes(module())
    path.chmod(0)
    with pytest.raises(FileError) as raised:
        read_module(str(path))
    assert raised.value.errno == errno.EACCES


def test_short_files(tmp_path: Path) -> None:
    """Check that fewer than six bytes are an invalid argument, as to kmod, whatever they are."""
    for data in (b"", b"\x7fELF", b"\x1f\x8b"):
        with pytest.raises(DamagedModuleError) as raised:
            uncompressed("foo.ko", data)
        assert raised.value.errno == errno.EINVAL
