# SPDX-License-Identifier: GPL-2.0-or-later
"""What depmod says, with syslog's priorities; the library hands messages on and prints nothing."""

from __future__ import annotations

from collections.abc import Callable

from modpost_py.kmod.errors import KmodError

CRITICAL = 2
ERROR = 3
WARNING = 4
NOTICE = 5
INFO = 6
DEBUG = 7

#: What comes before a message on stderr, by priority.
LABELS = {CRITICAL: "FATAL", ERROR: "ERROR", WARNING: "WARNING", NOTICE: "NOTICE", INFO: "INFO", DEBUG: "DEBUG"}

#: Takes a priority and a text without its newline.
Report = Callable[[int, str], None]


class DepmodError(KmodError):
    """What ends the run; the text is kmod's message."""


class ReportedError(DepmodError):
    """What ends the run and has been reported already."""
