# SPDX-License-Identifier: GPL-2.0-or-later
"""Launchers: small executable scripts that stand where kbuild expects one of its C programs.

kbuild starts fixdep once an object and genksyms once an object with exports, so that Python's start is what counts.  A
launcher therefore starts Python isolated and without the ``site`` module (``-IS``, a third of the usual start), and
names the directories that ``site`` would have found: those of our packages, and of what they import.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from collections.abc import Iterable
from typing import NamedTuple

from modpost_py.kbuild.errors import KbuildError


class _Program(NamedTuple):
    """Where a program of ours begins, and what it imports from outside the standard library."""

    module: str
    packages: tuple[str, ...]


#: The name that kbuild knows a program by -> ours
PROGRAMS: dict[str, _Program] = {
    "fixdep": _Program("modpost_py.kbuild.fixdep_cli", ("modpost_py",)),
    "genksyms": _Program("genksyms_py.cli", ("genksyms_py", "pycparser", "lark")),
    "modpost": _Program("modpost_py.cli", ("modpost_py", "genksyms_py", "elftools")),
}

#: Stands in every launcher, so that one can be told from the program that it replaces
MARK = b"# Launcher made by kbuild-py (modversions)"

# Kernels before 5.1 cut the first line off behind 127 bytes
_LONGEST_FIRST_LINE = 127

_TEMPLATE = """\
{first_lines}
{mark}: starts {program}-py in place of the kernel's {program}.
import _signal
import sys

interrupt = _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # until all is loaded, ^C ends it without a word
sys.path += {directories!r}
try:
    from {module} import main
except ImportError as error:
    sys.exit(f"{{sys.argv[0]}}: {{error}}: modversions has moved or is gone; install it and make this launcher anew")
_signal.signal(_signal.SIGINT, interrupt)
sys.exit(main({arguments}))
"""


def launcher_text(program: str, release: str | None = None) -> str:
    """An executable script that starts our ``program`` (``genksyms``, ``modpost`` or ``fixdep``).

    ``release`` is the kernel release to be exact for; without it the program finds that out from its environment as
    usual.  The script names this process's interpreter and packages by absolute path; it survives spaces in either.
    Raises :class:`KbuildError` where a package cannot be found or a path cannot be written down.
    """
    ours = PROGRAMS[program]
    return _TEMPLATE.format(
        first_lines=_first_lines(sys.executable),
        mark=MARK.decode(),
        program=program,
        directories=_directories(ours.packages),
        module=ours.module,
        arguments="" if release is None else f"['--kernel', {release!r}, *sys.argv[1:]]",
    )


def is_launcher(data: bytes) -> bool:
    """Whether a file's contents (the beginning is enough) are those of a launcher."""
    return MARK in data[:1024]


def _first_lines(interpreter: str) -> str:
    """``#!INTERPRETER -IS``, or where that cannot be: a line that the shell and Python both can read.

    The shell sees ``exec`` and its arguments, Python a row of string literals.
    """
    if not os.path.isabs(interpreter) or set(interpreter) & {"\n", "\\"}:
        raise KbuildError(f"the Python interpreter's path cannot be written into a launcher: {interpreter!r}")
    line = f"#!{interpreter} -IS"
    if len(os.fsencode(line)) <= _LONGEST_FIRST_LINE and not set(line[2:-4]) & set(" \t"):
        return line
    quoted = shlex.quote(f" {interpreter}").replace("' ", "'", 1)  # in quotes always, for Python
    return f'#!/bin/sh\n"exec" {quoted} "-IS" "$0" "$@"'


def _directories(packages: Iterable[str]) -> list[str]:
    """The directories that hold the packages, each once; behind the standard library's in the search."""
    found: list[str] = []
    for package in packages:
        specification = importlib.util.find_spec(package)
        if specification is None or specification.origin is None:
            raise KbuildError(f"the Python package {package} is not installed: pip install {package}")
        directory = os.path.dirname(os.path.dirname(os.path.abspath(specification.origin)))
        if directory not in found:
            found.append(directory)
    return found
