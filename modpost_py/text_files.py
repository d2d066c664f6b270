# SPDX-License-Identifier: GPL-2.0-or-later
"""Text files as modpost reads them: latin-1, up to the first NUL, in lines."""

from __future__ import annotations

import errno
import os
import sys

from modpost_py.errors import FileError

#: The longest path with its final NUL; a longer one is an error or is cut.
PATH_MAX = 4096


def read_text(path: str) -> str:
    """The text of a whole file up to its first NUL; raises :class:`FileError`."""
    try:
        with open(path.encode("latin-1"), "rb", buffering=0) as stream:
            data = stream.read()
    except OSError as error:
        raise FileError(path, error.errno or errno.EIO) from None
    except ValueError:  # a NUL in the path
        raise FileError(path, errno.ENOENT) from None
    return data.split(b"\0", 1)[0].decode("latin-1")


def lines_of(text: str) -> list[str]:
    """The lines of a text; the last one needs no newline."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def to_path(text: str) -> bytes:
    """Latin-1 text of this package -> path for the system."""
    return text.encode("latin-1")


def from_path(path: str | os.PathLike[str]) -> str:
    """Path of the system -> latin-1 text of this package."""
    return os.fsencode(path).decode("latin-1")


def read_standard_input() -> str:
    """All of standard input, up to its first NUL; raises :class:`FileError`."""
    try:
        return sys.stdin.buffer.read().split(b"\0", 1)[0].decode("latin-1")
    except OSError as error:
        raise FileError("-", error.errno or errno.EIO) from None
