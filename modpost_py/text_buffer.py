# SPDX-License-Identifier: GPL-2.0-or-later
"""The text of an output file, put together piece by piece.

The C tool formats each piece in a buffer of 500 bytes.  What is longer ends the run in some
dialects; in the others 499 bytes of it are written, and then NULs up to its full length.
"""

from __future__ import annotations

from modpost_py.core_messages import OUTPUT_TRUNCATED
from modpost_py.messages import Reporter

_BUFFER_SIZE = 500


def fitting(piece: str, reporter: Reporter) -> str:
    """A piece of output as it is written; reports one that is too long where that is fatal."""
    if len(piece) < _BUFFER_SIZE:
        return piece
    start = piece[: _BUFFER_SIZE - 1]
    if reporter.dialect.long_piece == "fatal":
        reporter.report(OUTPUT_TRUNCATED, start=start, needed=len(piece) + 1, available=_BUFFER_SIZE)
    return start + "\0" * (len(piece) - len(start))


class TextBuffer:
    """Pieces of one output file."""

    def __init__(self, reporter: Reporter) -> None:
        self._pieces: list[str] = []
        self._reporter = reporter

    def add(self, piece: str) -> None:
        """Add one piece; only those with names in them can be too long."""
        self._pieces.append(piece if len(piece) < _BUFFER_SIZE else fitting(piece, self._reporter))

    def add_fixed(self, text: str) -> None:
        """Add text of any length that the C tool prints in several pieces."""
        self._pieces.append(text)

    def bytes(self) -> bytes:
        """The content of the file."""
        return "".join(self._pieces).encode("latin-1")
