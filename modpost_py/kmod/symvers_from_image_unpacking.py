# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel images as they are booted, unpacked to the vmlinux (or the flat memory image) inside.

==============  ==============================================================================================
bzImage         x86: ``HdrS`` at 0x202; a boot sector and ``[0x1f1]`` more of 512 bytes (0 means 4), behind
                them, at ``[0x248]`` and ``[0x24c]`` bytes long, the packed vmlinux
EFI zboot       arm64, riscv, loongarch: ``zimg`` at 4; offset and size of the packed image at 8 and 12
arm64 Image     ``ARMd`` at 0x38: not packed; the kernel's memory from its first byte on
a packed file   gzip, xz, zstd or bzip2 around any of these
==============  ==============================================================================================
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modpost_py.errors import FileError
from modpost_py.kmod.errors import KmodError

_ELF = b"\x7fELF"
# An unpacked kernel has some 60 MB; with debugging information it may have 1 GB
_LARGEST = 2 << 30
_MOST_LAYERS = 4
_STEP = 1 << 20


def image_bytes(path: str) -> bytes:
    """The vmlinux (an ELF file) or flat memory image in a file.

    Raises :class:`KmodError` for what is neither or is damaged, and :class:`FileError`.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FileError(path, error.errno or 5) from None
    if not data:
        raise KmodError(f"{path}: it is empty")
    for _ in range(_MOST_LAYERS):
        inner = _inside(path, data)
        if inner is None:
            return data
        data = inner
    raise KmodError(f"{path}: packed more than {_MOST_LAYERS} times over")


def _inside(path: str, data: bytes) -> bytes | None:
    """What a layer holds; ``None`` for an ELF file or what has no known form: the memory image itself."""
    if data.startswith(_ELF):
        return None
    if data[0x202:0x206] == b"HdrS":
        return _unpacked(path, _piece(path, data, *_bzimage_payload(data)))
    if data[4:8] == b"zimg":
        return _unpacked(path, _piece(path, data, _little(data, 8), _little(data, 12)))
    if _unpacker(data) is not None:
        return _unpacked(path, data)
    return None


def _little(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


def _bzimage_payload(data: bytes) -> tuple[int, int]:
    sectors = data[0x1F1] or 4
    return (sectors + 1) * 512 + _little(data, 0x248), _little(data, 0x24C)


def _piece(path: str, data: bytes, start: int, size: int) -> bytes:
    if not size or start + size > len(data):
        raise KmodError(f"{path}: the packed kernel reaches beyond the end of the file: is it cut off?")
    return data[start : start + size]


def _unpacked(path: str, data: bytes) -> bytes:
    make = _unpacker(data)
    if make is None:
        raise KmodError(
            f"{path}: the kernel in it is packed in a way that is not known ({data[:4].hex()}); "
            "unpack it with the kernel's scripts/extract-vmlinux"
        )
    try:
        content: bytes = make(data)
    except _Damaged as error:
        raise KmodError(f"{path}: the packed kernel is damaged: {error}") from None
    except MemoryError:
        raise KmodError(f"{path}: unpacked it would be larger than memory") from None
    if len(content) >= _LARGEST:
        raise KmodError(f"{path}: unpacked it would be larger than {_LARGEST >> 30} GiB")
    return content


def _gunzip(data: bytes) -> bytes:
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, _LARGEST)


def _unxz(data: bytes) -> bytes:
    return lzma.LZMADecompressor().decompress(data, _LARGEST)


def _bunzip2(data: bytes) -> bytes:
    return bz2.BZ2Decompressor().decompress(data, _LARGEST)


def _unzstd(data: bytes) -> bytes:
    import zstandard

    # A bzImage has the unpacked size behind the frame: only the first frame counts
    stream = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
    pieces, total = [], 0
    for start in range(0, len(data), _STEP):
        if stream.eof or total >= _LARGEST:
            break
        pieces.append(stream.decompress(data[start : start + _STEP]))
        total += len(pieces[-1])
    if not stream.eof:
        raise EOFError("it ends too early")
    return b"".join(pieces)


def _damage() -> tuple[type[Exception], ...]:
    import zstandard

    return zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, zstandard.ZstdError


_Damaged: Any = _damage()
_UNPACKERS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\x1f\x8b\x08", _gunzip),
    (b"\xfd7zXZ\0", _unxz),
    (b"]\0\0", _unxz),
    (b"(\xb5/\xfd", _unzstd),
    (b"BZh", _bunzip2),
)


def _unpacker(data: bytes) -> Callable[[bytes], bytes] | None:
    return next((make for magic, make in _UNPACKERS if data.startswith(magic)), None)
