# SPDX-License-Identifier: GPL-2.0-or-later
"""Texts of aliases that stand in a buffer of fixed size, as the C tool of 7.0 and later builds some."""

from __future__ import annotations

from modpost_py.device_messages import ALIAS_OVERFLOW, DMI_OVERFLOW
from modpost_py.messages import Reporter

_BUFFER_SIZE = 256


class BoundedAlias:
    """Text of at most 255 characters; more is fatal."""

    def __init__(self, reporter: Reporter, text: str = "") -> None:
        self.text = text
        self._reporter = reporter

    def append(self, piece: str) -> None:
        """Add a piece; ends the run where it does not fit."""
        free = _BUFFER_SIZE - len(self.text)
        if len(piece) >= free:
            self._reporter.report(ALIAS_OVERFLOW, size=_BUFFER_SIZE, need=len(piece), have=free)
        self.text += piece

    def append_filtered(self, piece: str) -> None:
        """Add text of a firmware table; ends the run where it does not fit."""
        if len(self.text) + len(piece) >= _BUFFER_SIZE:
            self._reporter.report(DMI_OVERFLOW)
        self.text += piece
