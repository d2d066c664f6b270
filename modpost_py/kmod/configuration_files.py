# SPDX-License-Identifier: GPL-2.0-or-later
"""Which files make up modprobe's configuration, and the logical lines in them.

Files come from directories, in which they are named ``*.conf`` (or ``*.alias``, as kmod still has it), and hidden ones
do not count; or they are named themselves.  All of them are read in the order of their base names, byte by byte, and
of several with the same base name only the one from the first place: so a file in ``/etc/modprobe.d`` replaces one that
a package put into ``/lib/modprobe.d``, and a link to ``/dev/null`` silences it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# Where kmod 30 looks, the first first.
DIRECTORIES = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/lib/modprobe.d")

_SUFFIXES = (".conf", ".alias")


class Problem(NamedTuple):
    """Something in the configuration that is passed over.

    ``kind`` is a key of :data:`modpost_py.kmod.modprobe_messages.PROBLEMS`; ``path`` the file or directory,
    ``line`` the number of the last physical line of a bad statement (else 0), ``text`` its first word, or the reason.
    """

    kind: str
    path: str
    line: int
    text: str


class LogicalLine(NamedTuple):
    """A line with what continues it; ``number`` is that of its last physical line, from 1."""

    number: int
    text: str


def configuration_files(places: Iterable[str], problems: list[Problem]) -> list[str]:
    """The paths of the files that count, in the order of reading.

    ``places`` are directories and files, the first first; those that do not exist are passed over.  Directories that
    cannot be read, and directories inside of them, go to ``problems``.
    """
    found: dict[bytes, str] = {}
    for place in places:
        for path in _files_of(place, problems):
            found.setdefault(os.path.basename(os.fsencode(path)), path)
    return [found[name] for name in sorted(found)]


def _files_of(place: str, problems: list[Problem]) -> Iterator[str]:
    try:
        is_directory = stat.S_ISDIR(os.stat(place).st_mode)
        names = os.listdir(place) if is_directory else []
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        problems.append(Problem("directory", place, 0, str(reason)))
        return
    if not is_directory:
        yield place
    for name in names:
        if name.startswith(".") or not name.endswith(_SUFFIXES):
            continue
        path = f"{place}/{name}"
        if os.path.isdir(path):
            problems.append(Problem("nested", path, 0, ""))
        else:
            yield path


# A physical line, joined with the next by a backslash at its end.
_LINE = re.compile(rb"((?:[^\\\n]+|\\.)*\\?)(?:\n|\Z)", re.DOTALL)
_QUOTED = re.compile(rb"\\(.)", re.DOTALL)


def logical_lines(data: bytes) -> Iterator[LogicalLine]:
    r"""The lines of a configuration file that are neither empty nor comments.

    A backslash before a newline removes both, before another character only itself; kmod takes one at the end of the
    file for the byte 0xff.  A line ends at a NUL.  Comments begin with ``#`` in the first column, and continue too.
    """
    number = 0
    for physical in _physical_lines(data):
        content, number = _resolved(physical, number)
        line = content.partition(b"\0")[0]
        if line and not line.startswith(b"#"):
            yield LogicalLine(number, line.decode("utf-8", "surrogateescape"))


def _physical_lines(data: bytes) -> Iterator[bytes]:
    """The text up to each newline that no backslash precedes, without it."""
    if b"\\" not in data:
        yield from data.removesuffix(b"\n").split(b"\n") if data else ()
        return
    position = 0
    while position < len(data):
        match = _LINE.match(data, position)
        if match is None:
            return
        yield match[1]
        position = match.end()


def _resolved(line: bytes, before: int) -> tuple[bytes, int]:
    """A line with its backslashes resolved, and the number of its last physical line."""
    if b"\\" not in line:
        return line, before + 1
    number = before + 1 + line.count(b"\n")
    resolved = _QUOTED.sub(lambda match: b"" if match[1] == b"\n" else match[1], line)
    return (resolved[:-1] + b"\xff" if _ends_in_backslash(line) else resolved), number


def _ends_in_backslash(line: bytes) -> bool:
    """Whether the last backslash of a line has nothing behind it: the file ends there."""
    return (len(line) - len(line.rstrip(b"\\"))) % 2 == 1
