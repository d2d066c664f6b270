# SPDX-License-Identifier: GPL-2.0-or-later
"""What depmod wants to know of each module, read by all processors where there are many.

The facts of a module depend on its file alone, so they can be kept from run to run (``depmod_cache.py``).  They are
kept as a few strings of bytes: thousands of modules have some 200,000 names in them, which are cheap to pass from
process to process and to store as long as they are not one object each.
"""

from __future__ import annotations

import errno
import os
from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from modpost_py.errors import FileError
from modpost_py.kmod.compression import DamagedModuleError
from modpost_py.kmod.module_file import ModuleFile
from modpost_py.kmod.module_symbols import symbols_of

if TYPE_CHECKING:
    from multiprocessing.pool import Pool

# Starting processes costs as much as reading some 100 modules
_FEWEST_FOR_PROCESSES = 400
_BATCH = 48
_MOST_PROCESSES = 8

_TAGS = (b"alias=", b"softdep=", b"weakdep=")
_TAGS_ALONE = (b"alias", b"softdep", b"weakdep")


class ModuleFacts(NamedTuple):
    """The facts of one module file.

    ``failure`` is the errno with which kmod fails to read it, or 0.  Names and texts are joined by NULs; CRCs are
    arrays of 8-byte integers; ``weak`` are the positions, as 4-byte integers, of the needed symbols that the module can
    do without.  ``modinfo`` has the entries that depmod uses: ``alias=``, ``softdep=``, ``weakdep=``.
    """

    failure: int
    exported: bytes
    exported_crcs: bytes
    needed: bytes
    needed_crcs: bytes
    weak: bytes
    modinfo: bytes

    def exports(self) -> Iterator[tuple[bytes, int]]:
        """The exported symbols with their CRCs."""
        if self.exported_crcs:
            yield from zip(self.exported.split(b"\0"), array("Q", self.exported_crcs), strict=True)

    def needs(self) -> list[bytes]:
        """The needed symbols."""
        return self.needed.split(b"\0") if self.needed else []

    def values(self, tag: str) -> list[str]:
        """The values of ``alias``, ``softdep`` or ``weakdep``."""
        start = tag.encode("ascii") + b"="
        if start not in self.modinfo:
            return []
        length = len(start)
        return [
            entry[length:].decode("utf-8", "surrogateescape")
            for entry in self.modinfo.split(b"\0")
            if entry.startswith(start)
        ]


def read_facts(path: str) -> ModuleFacts:
    """The facts of the module at ``path``; raises nothing for what is wrong with it."""
    try:
        with ModuleFile.opened(path) as module:
            return _facts(module)
    except (DamagedModuleError, FileError) as error:
        failure = error.errno
    except (OSError, MemoryError) as error:
        failure = getattr(error, "errno", None) or errno.ENOMEM
    return ModuleFacts(failure, b"", b"", b"", b"", b"", b"")


def _facts(module: ModuleFile) -> ModuleFacts:
    exported, needed = symbols_of(module)
    exported = exported or []
    return ModuleFacts(
        0,
        b"\0".join([name for name, _ in exported]),
        array("Q", [crc for _, crc in exported]).tobytes(),
        b"\0".join(needed.names),
        array("Q", needed.crcs).tobytes() if any(needed.crcs) else b"",
        array("I", needed.weak).tobytes(),
        _used_modinfo(module.section_bytes(".modinfo") or b""),
    )


def _used_modinfo(section: bytes) -> bytes:
    entries = [entry for entry in section.split(b"\0") if entry.startswith(_TAGS) or entry in _TAGS_ALONE]
    return b"\0".join([entry if b"=" in entry else entry + b"=" for entry in entries])


class ModuleReading:
    """The facts of every module at ``paths``, in order; other processes read ahead and end with the ``with`` block."""

    def __init__(self, paths: Sequence[str]) -> None:
        processes = min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)
        is_worthwhile = len(paths) >= _FEWEST_FOR_PROCESSES and processes > 1
        self._pool = _pool(processes) if is_worthwhile else None
        if self._pool is None:
            self._facts: Iterator[ModuleFacts] = map(read_facts, paths)
            return
        batches = [paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH)]
        self._facts = (facts for batch in self._pool.imap(_read_batch, batches) for facts in batch)

    def __enter__(self) -> ModuleReading:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is not None:
            self._pool.terminate()

    def __iter__(self) -> Iterator[ModuleFacts]:
        return self._facts


def _pool(processes: int) -> Pool | None:
    """Other processes; ``None`` where there can be none: in a root without ``/dev/shm``, or at a limit."""
    import multiprocessing  # a small run does without it

    try:
        return multiprocessing.get_context("fork").Pool(processes, initializer=_leave_interrupts_to_parent)
    except (OSError, ImportError):
        return None


def _leave_interrupts_to_parent() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _read_batch(paths: Sequence[str]) -> list[ModuleFacts]:
    return [read_facts(path) for path in paths]
