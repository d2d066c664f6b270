# SPDX-License-Identifier: GPL-2.0-or-later
"""The symbol versions in one module file, as ``modprobe --show-modversions`` and ``--show-exports`` print them."""

from __future__ import annotations

import errno
import os

from modpost_py.errors import FileError, ModpostError
from modpost_py.kmod.module_file import ModuleFile


class SymbolsError(ModpostError):
    """A file without such symbols, or one that cannot be read; the text is the reason."""


def symbol_lines(path: str, kind: str) -> str:
    """One line a symbol, ``0xCRC<tab>name``: of the symbols that the module uses or, by kind ``exports``, offers.

    A module that exports without versions has zeros.  Raises :class:`SymbolsError`.
    """
    if os.path.isdir(path):
        raise SymbolsError(os.strerror(errno.EISDIR))
    try:
        module = ModuleFile.read(path)
        if kind == "exports":
            from modpost_py.kmod.module_symbols import exports

            pairs = [(name, crc or 0) for name, crc in exports(module)]
        else:
            pairs = module.versions()
    except FileError as error:
        raise SymbolsError(error.reason) from None
    except ModpostError as error:
        raise SymbolsError(os.strerror(getattr(error, "errno", errno.EINVAL))) from None
    if not pairs:
        raise SymbolsError(os.strerror(errno.ENOENT))
    return "".join(f"0x{crc:08x}\t{name}\n" for name, crc in pairs)
