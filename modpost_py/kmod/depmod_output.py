# SPDX-License-Identifier: GPL-2.0-or-later
"""Replacing the files of a database: the old ones stay until all new ones are complete."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping

from modpost_py.kmod.depmod_messages import DepmodError


def replace_files(directory: str, files: Mapping[str, bytes]) -> None:
    """Write ``files`` by name into ``directory``, under other names first, then rename them all.

    A symbolic link in the place of one is replaced.  Raises :class:`DepmodError`; what has not been renamed by then
    stays as it was.
    """
    temporary: dict[str, str] = {}
    try:
        for name, data in files.items():
            path = f"{directory}/.{name}.{os.getpid()}"
            temporary[name] = path
            try:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as stream:
                    stream.write(data)
            except OSError as error:
                raise DepmodError(f"could not write {directory}/{name}: {error.strerror}") from None
        for name, path in temporary.items():
            try:
                os.rename(path, f"{directory}/{name}")
            except OSError as error:
                raise DepmodError(f"could not replace {directory}/{name}: {error.strerror}") from None
    finally:
        for path in temporary.values():
            with contextlib.suppress(OSError):
                os.unlink(path)
