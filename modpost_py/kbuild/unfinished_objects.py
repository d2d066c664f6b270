# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects whose symbol versions a killed build left out.

Kbuild writes an object's ``.cmd`` file, by which it knows that the object is up to date, and only then
has genksyms compute the versions of its exports (since 5.19 into the same file: ``#SYMVER foo 0x...`` lines;
before into the object).  Where make was killed in between (not by ^C, at which it removes the object), the
next build takes the object for finished, and its symbols stay without versions.  What is newer than
modpost's last run, exports, and has no version, is therefore to be compiled again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from modpost_py.errors import ModpostError
from modpost_py.kbuild.symbol_dumps import SAVED_COMMAND

# Every export leaves one of these in the object's symbol names: before 6.4, since.
_EXPORT_MARKS = (b"__ksymtab_", b"__export_symbol_")


def forget_unfinished(output: Path) -> list[str]:
    """Have kbuild compile unfinished objects below ``output`` again, without their ``.cmd``; returns their paths."""
    try:
        last_run = (output / SAVED_COMMAND).stat().st_mtime_ns
    except OSError:
        last_run = 0
    found = []
    for saved in _saved_commands(output):
        compiled = saved.with_name(saved.name.removeprefix(".").removesuffix(".cmd"))
        with suppress(OSError):
            if saved.stat().st_mtime_ns > last_run and _is_unfinished(saved, compiled):
                saved.unlink()
                found.append(str(compiled))
    return found


def _saved_commands(output: Path) -> Iterator[Path]:
    """``.x.o.cmd`` of every object that is compiled from source, in a fixed order."""
    for directory, directories, files in os.walk(output):
        directories.sort()
        for name in sorted(files):
            if name.startswith(".") and name.endswith(".o.cmd") and not name.endswith(".mod.o.cmd"):
                yield Path(directory, name)


def _is_unfinished(saved: Path, compiled: Path) -> bool:
    contents = compiled.read_bytes()
    if not any(mark in contents for mark in _EXPORT_MARKS) or b"\n#SYMVER " in saved.read_bytes():
        return False
    return not _has_own_versions(compiled)


def _has_own_versions(compiled: Path) -> bool:
    """Whether the object itself defines versions, as before 5.19."""
    from modpost_py.object_file import ObjectFile

    try:
        symbols = ObjectFile.read(str(compiled)).symbols
    except ModpostError:
        return False
    defined = (symbols.name(index) for index in range(symbols.count) if symbols.raw_section[index])
    return any(name.startswith("__crc_") for name in defined)
