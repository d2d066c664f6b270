# SPDX-License-Identifier: GPL-2.0-or-later
"""What modcheck-py and symvers-py write to their standard streams; only the command lines call this."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def print_text(text: str) -> None:
    """Write to stdout, bytes that are no UTF-8 as they were; raises OSError where it takes nothing."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def complain(program: str, text: str) -> None:
    """Write one line to stderr; a stderr that takes nothing is no reason to stop."""
    try:
        sys.stderr.flush()
        sys.stderr.buffer.write(f"{program}: {text}\n".encode("utf-8", "surrogateescape"))
        sys.stderr.buffer.flush()
    except OSError:
        return


def failed_output(program: str, error: OSError) -> int:
    """The exit status where stdout or an output file takes nothing; silent for a closed pipe."""
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    else:
        complain(program, f"{error.filename or 'stdout'}: {error.strerror}")
    return 2


def terminal_progress() -> Callable[[int, int], None] | None:
    """Shows how many modules were read, of how many; ``None`` where stderr is no terminal."""
    if not sys.stderr.isatty():
        return None

    def show(number: int, count: int) -> None:
        is_last = number + 1 == count
        if is_last or number % 50 == 0:
            sys.stderr.write(f"\rreading modules: {number + 1} of {count}" + ("\r\033[K" if is_last else ""))
            sys.stderr.flush()

    return show
