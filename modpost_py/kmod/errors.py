# SPDX-License-Identifier: GPL-2.0-or-later
"""The errors of the kmod programs."""

from __future__ import annotations

from modpost_py.errors import ModpostError


class KmodError(ModpostError):
    """Base of what these programs report; the text is ``path: message`` or ``path:line: message``."""


class ModuleFileError(KmodError):
    """A module that cannot be read: damaged, cut off, no ELF object, compressed in an unknown or dangerous way."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path
        self.what = what

    def __reduce__(self) -> tuple[type[ModuleFileError], tuple[str, str]]:
        return type(self), (self.path, self.what)
