# SPDX-License-Identifier: GPL-2.0-or-later
"""What the programs write to their standard streams; only the command lines call this."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing takes longer than these programs need to start
if TYPE_CHECKING:
    from collections.abc import Callable

#: The exit status of a C program that a closed pipe ends, as a shell tells it.
CLOSED_PIPE_STATUS = 141


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``, without a buffer; raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_error(text: str) -> None:
    """Write to stderr at once; a stderr that takes nothing is no reason to stop."""
    try:
        write_all(2, text.encode("utf-8", "surrogateescape"))
    except OSError:
        return


def end_of_pipe() -> int:
    """The exit status where stdout's reader is gone, which ends a C program in silence; stdout leads nowhere then."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return CLOSED_PIPE_STATUS


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
