# SPDX-License-Identifier: GPL-2.0-or-later
"""The messages that reading a translation unit can give, as data; only the command line prints them."""

from __future__ import annotations

from typing import NamedTuple

#: The file name of text that stands before the first line marker.
NO_FILE = "<stdin>"


class Location(NamedTuple):
    """A line of an original file, as the line markers tell it."""

    file: str
    line: int


class Message(NamedTuple):
    """One line for stderr: ``FILE:LINE: text``.

    ``is_error`` messages are shown, and counted for the exit status, only with warnings on; the
    others are shown always and never counted.
    """

    location: Location
    text: str
    is_error: bool = True

    def __str__(self) -> str:
        return f"{self.location.file}:{self.location.line}: {self.text}"
