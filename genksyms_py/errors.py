# SPDX-License-Identifier: GPL-2.0-or-later
"""The exceptions of genksyms_py: one base class, whose text is what a user reads."""

from __future__ import annotations


class GenksymsError(Exception):
    """Base of every error of this package; ``str(error)`` is one complete line for stderr.

    The text has the form ``path: message`` or ``path:line: message`` where a place is known.
    ``exit_status`` is the exit status that the C tool would have.
    """

    exit_status = 1


class DialectError(GenksymsError):
    """A kernel version that cannot be understood."""


class InputError(GenksymsError):
    """An input that cannot be read at all."""

    exit_status = 2


class SymtypesError(GenksymsError):
    """A symtypes reference file that cannot be read or is malformed."""


class OutputError(GenksymsError):
    """An output file that cannot be written."""


class UnversionableSymbolError(GenksymsError):
    """A symbol whose expansion has no end or no meaning, where the C tool loops or crashes."""
