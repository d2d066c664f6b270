# SPDX-License-Identifier: GPL-2.0-or-later
"""The exceptions of modpost_py: one base class, whose text is what a user reads."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing takes longer than these programs need to start
if TYPE_CHECKING:
    from modpost_py.messages import Diagnostic, Message


class ModpostError(Exception):
    """Base of every error of this package; ``str(error)`` is what goes to stderr, without its newline.

    The text has the form ``path: message`` or ``path:line: message`` where a place is known.
    ``exit_status`` is the exit status that the C tool would have.
    """

    exit_status = 1


class DialectError(ModpostError):
    """A kernel version that cannot be understood."""


class UsageError(ModpostError):
    """A command line that cannot be understood."""


class ObjectFileError(ModpostError):
    """An object file so damaged that nothing can be read from it, and for which the C tool has no message."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path
        self.what = what

    def __reduce__(self) -> tuple[type[ObjectFileError], tuple[str, str]]:
        return type(self), (self.path, self.what)


class NotElfError(ObjectFileError):
    """A file that is no ELF object; the C tool passes over it in silence."""


class MalformedObjectError(ObjectFileError):
    """A damaged object for which the C tool has a message, given with the values of its fields."""

    def __init__(self, path: str, message: Message, **values: object) -> None:
        wording = message.wordings[-1].text
        text = wording.format_map({"path": path, "module": path.removesuffix(".o"), "M": "", **values}).rstrip("\n")
        super().__init__(path, text.removeprefix(f"{path}: "))
        self.message = message
        self.values = values

    def __reduce__(self) -> tuple[type[ObjectFileError], tuple[str, str]]:
        return ObjectFileError, (self.path, self.what)


class FileError(ModpostError):
    """A file that cannot be opened, read or written; the text is that of perror(3): ``path: reason``."""

    def __init__(self, path: str, errno: int) -> None:
        # perror prints no colon before the reason when it is given an empty text
        self.reason = os.strerror(errno)
        super().__init__(f"{path}: {self.reason}" if path else self.reason)
        self.path = path
        self.errno = errno

    def __reduce__(self) -> tuple[type[FileError], tuple[str, int]]:
        return type(self), (self.path, self.errno)


class FatalError(ModpostError):
    """A diagnostic after which the run cannot go on; it has been reported already."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.text)
        self.diagnostic = diagnostic

    def __reduce__(self) -> tuple[type[FatalError], tuple[Diagnostic]]:
        return type(self), (self.diagnostic,)
