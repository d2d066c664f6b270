# SPDX-License-Identifier: GPL-2.0-or-later
"""The archive that a kernel under test unpacks as its root file system."""

from __future__ import annotations

import stat

from tests.conformance.initramfs import cpio_archive


def _fields(inode: int, mode: int, links: int, size: int, rdev: tuple[int, int], name_size: int) -> bytes:
    values = (inode, mode, 0, 0, links, 0, size, 0, 0, *rdev, name_size, 0)
    return b"070701" + b"".join(b"%08X" % value for value in values)


def test_every_byte_of_an_archive() -> None:
    """Check that a file with its directory, a console and the trailer are laid out as the kernel reads them."""
    archive = cpio_archive({"etc/ab": (stat.S_IFREG | 0o644, b"12345"), "con": (stat.S_IFCHR | 0o600, b"")})
    assert archive == b"".join(
        (
            _fields(1, 0o040755, 1, 0, (0, 0), 4), b"etc\0" + bytes(2),
            _fields(2, 0o100644, 1, 5, (0, 0), 7), b"etc/ab\0" + bytes(3), b"12345" + bytes(3),
            _fields(3, 0o020600, 1, 0, (5, 1), 4), b"con\0" + bytes(2),
            _fields(0, 0, 1, 0, (0, 0), 11), b"TRAILER!!!\0" + bytes(3),
        )
    )  # fmt: skip


def test_members_begin_at_multiples_of_four() -> None:
    """Check that the padding brings every member to a multiple of four bytes, whatever its name's and data's length."""
    files = {"n" * length: (stat.S_IFREG | 0o644, bytes(length)) for length in range(1, 9)}
    archive = cpio_archive(files)
    assert [archive.index(b"070701" + b"%08X" % inode) % 4 for inode in range(1, 9)] == [0] * 8
    assert len(archive) % 4 == 0
