# SPDX-License-Identifier: GPL-2.0-or-later
"""What the modules that are built into a kernel say of themselves: ``modules.builtin.modinfo``.

The file is the ``.modinfo`` of the kernel image: texts ``MODULE.TAG=VALUE``, each ended by a NUL, those of one module
one after the other:

    ext4.license=GPL NUL ext4.file=fs/ext4/ext4 NUL loop.alias=devname:loop-control NUL ...
"""

from __future__ import annotations

import errno
import os

from modpost_py.kmod.compression import DamagedModuleError, open_module, read_whole

FILE_NAME = "modules.builtin.modinfo"


class BuiltinModinfo:
    """The ``modules.builtin.modinfo`` of one modules directory, read when it is first asked."""

    def __init__(self, modules_directory: str) -> None:
        self.path = f"{modules_directory}/{FILE_NAME}"
        self._data: bytes | None = None

    def entries(self, name: str) -> list[str]:
        """What the module of that normalised name says: ``TAG=VALUE`` texts, in order.

        Raises :class:`FileError` where the file cannot be read (``ENOENT``: kernels before 5.2 have none), and
        :class:`DamagedModuleError` where it knows no such module (``ENOSYS``, as kmod) or ends inside its texts.
        """
        data = self._contents()
        start = f"{name}.".encode("utf-8", "surrogateescape")
        position = 0 if data.startswith(start) else data.find(b"\0" + start) + 1
        if data.find(b"\0", position) < 0 or not data.startswith(start, position):
            raise DamagedModuleError(self.path, f"it has nothing on {name}", errno.ENOSYS)
        found = []
        while position < len(data):
            end = data.find(b"\0", position)
            if end < 0:
                raise DamagedModuleError(self.path, f"it ends inside the entry behind those of {name}")
            if not data.startswith(start, position):
                break
            found.append(data[position + len(start) : end].decode("utf-8", "surrogateescape"))
            position = end + 1
        return found

    def _contents(self) -> bytes:
        if self._data is None:
            descriptor, size = open_module(self.path)
            try:
                self._data = read_whole(descriptor, self.path, size)
            finally:
                os.close(descriptor)
        return self._data
