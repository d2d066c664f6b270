# SPDX-License-Identifier: GPL-2.0-or-later
"""depmod's configuration: which of several modules of one name counts, what is left out, what is looked at besides.

Grammar of a file, one command in a line (see :mod:`modpost_py.kmod.configuration_files` for comments and continued
lines), words being separated by spaces and tabs::

    file     = { line NEWLINE }
    line     = "search" { DIRECTORY | "built-in" | "external" }
             | "override" MODULE kernel DIRECTORY
             | "external" kernel DIRECTORY { ignored }
             | "exclude" { NAME }
             | ( "include" | "make_map_files" ) { ignored }
    kernel   = "*" | POSIX extended regular expression, which matches anywhere in the kernel's release
"""

from __future__ import annotations

import functools
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from modpost_py.kmod.configuration_files import logical_lines
from modpost_py.kmod.depmod_messages import DEBUG, ERROR, INFO, Report

#: Where kmod 30 looks, the first first.
DIRECTORIES = ("/etc/depmod.d", "/run/depmod.d", "/usr/local/lib/depmod.d", "/lib/depmod.d")

#: Words of ``search`` that name no directory.
BUILT_IN = "built-in"
EXTERNAL = "external"

# Entries of directories that never count: links to the headers
_EXCLUDED_ALWAYS = frozenset(("build", "source"))

_WORDS = re.compile(r"[^ \t]+")


@dataclass
class DepmodConfiguration:
    """What the configuration files say for one kernel release.

    ``searches`` are the words of all ``search`` commands, the first the most wanted.  ``overrides`` are paths
    relative to the modules directory, without suffix.  ``externals`` are directories; of both, the last given counts
    first.  ``excluded`` are names of files and directories.
    """

    searches: list[str] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
    externals: list[str] = field(default_factory=list)
    excluded: set[str] = field(default_factory=lambda: set(_EXCLUDED_ALWAYS))

    @classmethod
    def read(cls, places: Sequence[str], release: str, report: Report) -> DepmodConfiguration:
        """The configuration for a kernel ``release`` from files and directories, by default :data:`DIRECTORIES`."""
        configuration = cls()
        for path in configuration_paths(places or DIRECTORIES, report):
            try:
                with open(path, "rb") as stream:
                    data = stream.read()
            except OSError as error:
                report(ERROR, f"file parse {path}: {error.strerror}")
                continue
            for line in logical_lines(data):
                configuration._take(_Line(path, line.number, _WORDS.findall(line.text), release, report))
        if not configuration.searches:
            configuration.searches.append("updates")
        return configuration

    def _take(self, line: _Line) -> None:
        words = line.words
        if not words:
            return
        if words[0] == "search":
            self.searches += words[1:]
        elif words[0] == "override" and len(words) > 3:
            if line.is_for_kernel(words[2], "override kernel"):
                self.overrides.append(f"{words[3]}/{words[1]}")
        elif words[0] == "external" and len(words) > 2:
            if line.is_for_kernel(words[1], "external directory"):
                self.externals.append(words[2])
        elif words[0] == "exclude":
            self.excluded.update(words[1:])
        elif words[0] in ("include", "make_map_files"):
            line.complain(INFO, f"command {words[0]} not implemented yet")
        else:
            line.complain(ERROR, f"ignoring bad line starting with '{words[0]}'")


@dataclass
class _Line:
    """One line under work."""

    path: str
    number: int
    words: list[str]
    release: str
    report: Report

    def complain(self, priority: int, what: str) -> None:
        self.report(priority, f"{self.path}:{self.number}: {what}")

    def is_for_kernel(self, pattern: str, what: str) -> bool:
        if pattern == "*" or _matches(pattern, self.release):
            return True
        self.complain(INFO, f"{what} did not match {pattern}")
        return False


def configuration_paths(places: Sequence[str], report: Report) -> list[str]:
    """The files that count, in the order of their base names: of files with the same name, that of the first place.

    A place is a directory, whose files named ``*.conf`` count, or a file.
    """
    found: dict[bytes, str] = {}
    for place in places:
        for path in _files_of(place, report):
            name = os.fsencode(path[path.rfind("/") + 1 :])
            if name in found:
                report(DEBUG, f"Ignoring duplicate config file: {path}")
            else:
                found[name] = path
    return [found[name] for name in sorted(found)]


def _files_of(place: str, report: Report) -> Iterator[str]:
    try:
        is_directory = stat.S_ISDIR(os.stat(place).st_mode)
    except OSError as error:
        report(DEBUG, f"could not stat '{place}': {error.strerror}")
        return
    if not is_directory:
        yield place
        return
    try:
        names = [entry.name for entry in os.scandir(place)]
    except OSError as error:
        report(ERROR, f"files list {place}: {error.strerror}")
        return
    for name in names:
        path = f"{place}/{name}"
        if name.startswith("."):
            continue
        if len(name) < 6 or not name.endswith(".conf"):
            report(INFO, f"All cfg files need .conf: {path}")
        elif os.path.isdir(path):
            report(ERROR, f"Directories inside directories are not supported: {path}")
        else:
            yield path


@functools.cache
def _matches(pattern: str, release: str) -> bool:
    """Whether the regular expression of POSIX is found in the release; one that is none is found nowhere."""
    import ctypes  # rarely needed: most patterns are "*"

    library = ctypes.CDLL(None)
    compiled = ctypes.create_string_buffer(1024)  # a regex_t has less than 100 bytes
    extended_without_places = 1 | 8  # REG_EXTENDED | REG_NOSUB of glibc
    if library.regcomp(compiled, os.fsencode(pattern), extended_without_places):
        return False
    try:
        return bool(library.regexec(compiled, os.fsencode(release), 0, None, 0) == 0)
    finally:
        library.regfree(compiled)
