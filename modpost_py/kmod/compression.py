# SPDX-License-Identifier: GPL-2.0-or-later
"""The contents of module files, compressed or not, with a bound on what a compressed one may become.

How a file is compressed is told by its first bytes, whatever its name, as kmod and the kernel do:

=========  ====================  =========================================================
suffix     first bytes           more than one compressed stream in a file, what follows it
=========  ====================  =========================================================
.ko        (anything else)
.ko.gz     1f 8b                 joined; what is no further stream is passed over
.ko.xz     fd '7zXZ' 00          joined; zeros, four by four, may follow, nothing else
.ko.zst    28 b5 2f fd           joined; nothing may follow
=========  ====================  =========================================================

A file of a few kilobytes can be written that becomes any number of gigabytes.  So what does not begin as an ELF
object is given up after a few megabytes, and what becomes larger than :data:`LARGEST_MODULE` when it does.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from stat import S_ISREG

from modpost_py.errors import FileError
from modpost_py.kmod.errors import ModuleFileError

#: How the names of module files end.
MODULE_SUFFIXES = (".ko", ".ko.gz", ".ko.xz", ".ko.zst")

#: The most bytes that a module may have when uncompressed: 512 MiB, ten times the largest of any distribution.
LARGEST_MODULE = 512 << 20

#: What a decompressor of xz may use: its dictionary, whose size the file names.
_XZ_MEMORY = 512 << 20

_GZIP, _XZ, _ZSTD = b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
_ELF = b"\x7fELF"
LONGEST_MAGIC = len(_XZ)

# The output of one step; most modules are smaller.
_STEP = 4 << 20
# zstd's interface bounds the input of a step only, of which each 4 bytes can become 128 KiB.
_ZSTD_STEP = 512


class DamagedModuleError(ModuleFileError):
    """A module file that kmod refuses too; ``errno`` is the number with which it does."""

    def __init__(self, path: str, what: str, number: int = errno.EINVAL) -> None:
        super().__init__(path, what)
        self.errno = number

    def __reduce__(self) -> tuple[type[DamagedModuleError], tuple[str, str, int]]:  # type: ignore[override]
        return type(self), (self.path, self.what, self.errno)


def read_module(path: str) -> bytes:
    """The uncompressed contents of a module file.

    Raises :class:`FileError` for what cannot be opened or read (``EINVAL`` where it is no regular file), and
    :class:`DamagedModuleError` where it is too short for any module, its compression is damaged or cut off, or
    its contents would be larger than :data:`LARGEST_MODULE`.
    """
    descriptor, size = open_module(path)
    try:
        return uncompressed(path, read_whole(descriptor, path, size))
    finally:
        os.close(descriptor)


def open_module(path: str) -> tuple[int, int]:
    """A descriptor of a regular file, and its size in bytes; raises :class:`FileError`."""
    try:
        # A named pipe must not make the program wait for someone to write into it
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise FileError(path, error.errno or errno.EIO) from None
    except ValueError:  # a NUL in the path
        raise FileError(path, errno.ENOENT) from None
    status = os.fstat(descriptor)
    if not S_ISREG(status.st_mode):
        os.close(descriptor)
        raise FileError(path, errno.EINVAL)
    return descriptor, status.st_size


def read_whole(descriptor: int, path: str, size: int) -> bytes:
    """All ``size`` bytes of an open file, fewer if it has become shorter.

    Raises :class:`FileError`, and :class:`DamagedModuleError` for more than :data:`LARGEST_MODULE`.
    """
    if size > LARGEST_MODULE:  # a file with holes costs who made it nothing
        raise DamagedModuleError(path, f"the file has more than {LARGEST_MODULE} bytes")
    try:
        data = os.pread(descriptor, size, 0)
        while len(data) < size:  # a signal can end a read early
            more = os.pread(descriptor, size - len(data), len(data))
            if not more:
                break
            data += more
    except (OSError, MemoryError, OverflowError) as error:
        raise FileError(path, getattr(error, "errno", None) or errno.ENOMEM) from None
    return data


def is_compressed(start: bytes) -> bool:
    """Whether a file that starts with these bytes (at least :data:`LONGEST_MAGIC`) is compressed."""
    return start.startswith((_XZ, _ZSTD, _GZIP))


def uncompressed(path: str, data: bytes, largest: int = LARGEST_MODULE) -> bytes:
    """The contents of a file from its bytes; what is not compressed is given back.

    ``path`` is for the errors, ``largest`` a number of bytes.  Raises :class:`DamagedModuleError`.
    """
    if len(data) < LONGEST_MAGIC:
        raise DamagedModuleError(path, "too short to be a module")
    for magic, append in ((_XZ, _append_xz), (_ZSTD, _append_zstd), (_GZIP, _append_gzip)):
        if data.startswith(magic):
            return _bounded(path, data, largest, append)
    return data


class _Contents:
    """The growing contents of one compressed file; stops what is large and no module, or too large."""

    def __init__(self, path: str, largest: int) -> None:
        self.path = path
        self.collected = bytearray()
        self._largest = largest

    def append(self, data: bytes) -> None:
        self.collected += data
        size = len(self.collected)
        if size >= _STEP and not self.collected.startswith(_ELF):
            raise DamagedModuleError(self.path, "not an ELF file", errno.ENOEXEC)
        if size > self._largest:
            raise DamagedModuleError(self.path, f"uncompressed contents have more than {self._largest} bytes")

    def damaged(self, what: str) -> DamagedModuleError:
        return DamagedModuleError(self.path, what)


def _bounded(path: str, data: bytes, largest: int, append: Callable[[_Contents, bytes], None]) -> bytes:
    contents = _Contents(path, largest)
    try:
        append(contents, data)
    except MemoryError:
        raise FileError(path, errno.ENOMEM) from None
    return bytes(contents.collected)


def _append_xz(contents: _Contents, data: bytes) -> None:
    import lzma

    try:
        while data:
            stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
            contents.append(stream.decompress(data, _STEP))
            while not stream.eof:
                if stream.needs_input:
                    raise contents.damaged("the xz compressed contents are cut off")
                contents.append(stream.decompress(b"", _STEP))
            data = _without_padding(stream.unused_data)
    except lzma.LZMAError as error:
        raise contents.damaged(f"damaged xz compression: {_reason(error)}") from None


def _without_padding(data: bytes) -> bytes:
    """What follows a stream of xz, without the padding that it may have."""
    rest = data.lstrip(b"\0")
    return data if (len(data) - len(rest)) % 4 else rest


def _append_gzip(contents: _Contents, data: bytes) -> None:
    import zlib

    try:
        while data.startswith(_GZIP):
            stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            contents.append(stream.decompress(data, _STEP))
            while not stream.eof:
                waiting = stream.unconsumed_tail
                piece = stream.decompress(waiting, _STEP)
                if not piece and not stream.eof and len(stream.unconsumed_tail) == len(waiting):
                    raise contents.damaged("the gzip compressed contents are cut off")
                contents.append(piece)
            data = stream.unused_data
    except zlib.error as error:
        raise contents.damaged(f"damaged gzip compression: {_reason(error)}") from None


def _append_zstd(contents: _Contents, data: bytes) -> None:
    import zstandard

    position = 0
    try:
        while position < len(data):
            frame = zstandard.ZstdDecompressor().decompressobj()
            while not frame.eof:
                piece = data[position : position + _ZSTD_STEP]
                if not piece:
                    # kmod goes on with what has come so far
                    number = errno.EINVAL if len(contents.collected) > 16 else errno.ENOEXEC
                    what = "the zstd compressed contents are cut off"
                    raise DamagedModuleError(contents.path, what, number)
                contents.append(frame.decompress(piece))
                position += len(piece)
            position -= len(frame.unused_data)
    except zstandard.ZstdError as error:
        raise contents.damaged(f"damaged zstd compression: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """What a decompressor says, as one line."""
    return " ".join(str(error).split())
