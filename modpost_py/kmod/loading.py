# SPDX-License-Identifier: GPL-2.0-or-later
"""How modules get into the running kernel and out of it: the system calls, and the commands that stand in for them.

finit_module(2) takes a descriptor, parameters and flags; init_module(2) the bytes and parameters, and no flags;
delete_module(2) a name and flags.  All return 0 or fail with an errno.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Protocol

# include/uapi/linux/module.h
IGNORE_MODVERSIONS = 1
IGNORE_VERMAGIC = 2

# Numbers of init_module, delete_module and finit_module by machine.
_GENERIC = (105, 106, 273)
_SYSTEM_CALLS = {
    "aarch64": _GENERIC,
    "riscv32": _GENERIC,
    "riscv64": _GENERIC,
    "loongarch64": _GENERIC,
    "x86_64": (175, 176, 313),
    "i386": (128, 129, 350),
    "i486": (128, 129, 350),
    "i586": (128, 129, 350),
    "i686": (128, 129, 350),
    "armv5tel": (128, 129, 379),
    "armv6l": (128, 129, 379),
    "armv7l": (128, 129, 379),
    "ppc": (128, 129, 353),
    "ppc64": (128, 129, 353),
    "ppc64le": (128, 129, 353),
    "s390x": (128, 129, 344),
    "mips": (4128, 4129, 4348),
    "mips64": (5168, 5169, 5307),
}


class Loader(Protocol):
    """What acts on the kernel; tests put a record of calls in its place."""

    def load(self, path: str, parameters: str, flags: int) -> None:
        """Load the module file; raises OSError with the kernel's errno, or what reading the file raises."""

    def unload(self, name: str, force: bool) -> None:
        """Remove the module if nothing uses it; raises OSError with the kernel's errno."""

    def run(self, command: str, module: str) -> int:
        """Run a command of the configuration; its exit status."""


class KernelLoader:
    """The running kernel and ``/bin/sh``; ``options`` are those that a modprobe in a command is to have, too."""

    def __init__(self, options: str = "") -> None:
        self._options = options

    def load(self, path: str, parameters: str, flags: int) -> None:
        """finit_module(2) on the file, or on its uncompressed contents; init_module(2) where the kernel lacks that.

        A compressed module is handed over as bytes, as kmod 30 does; where flags are wanted, which init_module(2) does
        not take, from an anonymous file.  Raises FileError or OSError for an unreadable file, ModuleFileError for a
        damaged compressed one, OSError with what the kernel says.
        """
        from modpost_py.kmod.compression import LONGEST_MAGIC, is_compressed, read_module

        arguments = parameters.encode("utf-8", "surrogateescape")
        with open(path, "rb") as stream:
            if not is_compressed(stream.read(LONGEST_MAGIC)):
                try:
                    return _finit_module(stream.fileno(), arguments, flags)
                except OSError as error:
                    if error.errno != errno.ENOSYS or flags:
                        raise
        contents = read_module(path)
        if not flags:
            return _init_module(contents, arguments)
        with os.fdopen(os.memfd_create(os.path.basename(path)), "r+b") as copy:
            copy.write(contents)
            copy.flush()
            _finit_module(copy.fileno(), arguments, flags)

    def unload(self, name: str, force: bool) -> None:
        """delete_module(2), which does not wait for the module's users; raises OSError."""
        flags = os.O_NONBLOCK | (os.O_TRUNC if force else 0)
        _call(1, name.encode("utf-8", "surrogateescape"), ctypes.c_uint(flags))

    def run(self, command: str, module: str) -> int:
        """Run ``command`` by sh with MODPROBE_MODULE set; a command that a signal ends counts as 0, as in kmod."""
        import subprocess

        environment = {**os.environ, "MODPROBE_MODULE": module}
        if self._options:
            environment["MODPROBE_OPTIONS"] = self._options
        try:
            status = subprocess.run(["/bin/sh", "-c", command], env=environment, check=False).returncode
        except (OSError, ValueError):
            return 127
        return max(status, 0)


def _finit_module(descriptor: int, parameters: bytes, flags: int) -> None:
    _call(2, ctypes.c_int(descriptor), parameters, ctypes.c_int(flags))


def _init_module(contents: bytes, parameters: bytes) -> None:
    _call(0, contents, ctypes.c_ulong(len(contents)), parameters)


def _call(which: int, *arguments: object) -> None:
    machine = os.uname().machine
    if machine == "x86_64" and ctypes.sizeof(ctypes.c_void_p) == 4:
        machine = "i686"
    if machine not in _SYSTEM_CALLS:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    number = _SYSTEM_CALLS[machine][which]
    library = ctypes.CDLL(None, use_errno=True)
    if library.syscall(ctypes.c_long(number), *arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
