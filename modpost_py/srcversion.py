# SPDX-License-Identifier: GPL-2.0-or-later
"""``srcversion``: a digest of the sources of a module, less comments and white space.

The sources are found through the ``.cmd`` files that fixdep writes beside each object::

    source_x.o := drivers/foo/x.c
    deps_x.o := \\
      include/linux/init.h \\
      drivers/foo/x.h \\

Of the dependencies only those of the object's own directory count.
"""

from __future__ import annotations

import re

from modpost_py.core_messages import MALFORMED_SOURCE_LINE, NO_OBJECTS_IN_MOD
from modpost_py.md4 import md4_hex
from modpost_py.messages import Reporter
from modpost_py.text_files import lines_of, read_text

# The digest of 32 hex digits is printed into a buffer of 24 bytes
_DIGITS = 23

_SPACE = " \t\n\v\f\r"
_FIRST_WORD = re.compile(r"[^ \t\n\v\f\r]*")

# What is not digested: continued lines, white space and comments.  Strings (group 1) are kept whole;
# a string ends at a quote that no backslash precedes, a comment "/*/" is complete.
_NOT_DIGESTED = re.compile(
    r"""
      \\\n
    | [ \t\n\v\f\r]+
    | ( " (?: [^"] | (?<=\\)" )*+ "? )
    | /\*/
    | /\* [\s\S]*? (?: \*/ | \Z )
    """,
    re.VERBOSE,
)

# Whether MODULE.mod has all objects in its first line, or one a line
_OBJECTS_IN_FIRST_LINE = {"5.10": True, "6.1": False, "6.12": False, "7.2": False, "7.3": False}


def source_version(path: str, reporter: Reporter) -> str | None:
    """The source version of the module with the object ``path``; ``None`` where it cannot be made.

    The objects that it is linked from stand in the ``.mod`` file.  Raises :class:`FileError` for a
    file that cannot be read.
    """
    objects = _objects(read_text(f"{path[:-1]}mod"), reporter)
    if objects is None:
        return None
    digested: list[str] = []
    for part in objects:
        if part.endswith(".a"):
            continue
        sources = _sources(part, reporter)
        if sources is None:
            return None
        digested += sources
    return md4_hex("".join(digested).encode("latin-1"))[:_DIGITS]


def digested_text(source: str) -> str:
    """What of a source text is digested."""
    return _NOT_DIGESTED.sub(lambda match: match[1] or "", source)


def _objects(text: str, reporter: Reporter) -> list[str] | None:
    if not _OBJECTS_IN_FIRST_LINE[reporter.dialect.name]:
        return [path for path in text.split("\n") if path]
    lines = lines_of(text)
    if not lines:
        reporter.report(NO_OBJECTS_IN_MOD)
        return None
    return [path for path in lines[0].split(" ") if path]


def _sources(path: str, reporter: Reporter) -> list[str] | None:
    """The digested texts of an object's source and of its local headers, in the order of the ``.cmd`` file."""
    base = path.rfind("/") + 1
    directory = path[:base]
    found = []
    in_dependencies = False
    for line in lines_of(read_text(f"{directory}.{path[base:]}.cmd")):
        line = line.lstrip(_SPACE)
        if line.startswith("source_"):
            if " " not in line:
                reporter.report(MALFORMED_SOURCE_LINE, line=line)
                return None
            found.append(digested_text(read_text(line[line.rindex(" ") + 1 :])))
        elif line.startswith("deps_"):
            in_dependencies = True
        elif in_dependencies:
            if not line.endswith("\\"):
                break
            header = line[: _FIRST_WORD.match(line).end()]  # type: ignore[union-attr]  # it matches anything
            if _is_local(header, directory):
                found.append(digested_text(read_text(header)))
    return found


def _is_local(path: str, directory: str) -> bool:
    """Whether the first place at which ``directory`` stands in ``path`` is right before the file name."""
    if not directory or directory not in path:
        # The C tool compares null pointers here, which are equal for a directory of one character
        return "/" not in path and len(directory) == 1
    return path.find(directory) + len(directory) - 1 == path.rfind("/")
