# SPDX-License-Identifier: GPL-2.0-or-later
"""Writing the files of a run: complete or not at all, and not when nothing changed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from genksyms_py.atomic_output import write_atomically
from modpost_py.errors import FileError


def write_output(path: str, data: bytes) -> None:
    """Write ``data`` to ``path`` (latin-1 text) under a temporary name and rename it.

    Raises :class:`FileError`.
    """
    try:
        write_atomically(os.fsdecode(path.encode("latin-1")), data)
    except OSError as error:
        raise FileError(path, error.errno or errno.EIO) from None


def write_if_changed(path: str, data: bytes) -> bool:
    """Write ``data`` unless ``path`` holds just that, so that its time stamp stays; whether it was written."""
    if _holds(path, data):
        return False
    write_output(path, data)
    return True


def _holds(path: str, data: bytes) -> bool:
    with contextlib.suppress(OSError):
        status = os.stat(path.encode("latin-1"))
        if stat.S_ISREG(status.st_mode) and status.st_size == len(data):
            with open(path.encode("latin-1"), "rb", buffering=0) as stream:
                return stream.read() == data
    return False
