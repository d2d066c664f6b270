# SPDX-License-Identifier: GPL-2.0-or-later
"""Many preprocessed files in one process, or a few: what they have in common is read once."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from genksyms_py.atomic_output import write_atomically
from genksyms_py.dialects import Dialect
from genksyms_py.strict import complaints
from genksyms_py.versions import Versioner

# Files that one process takes at a time: neighbours share most of their headers.
_FILES_AT_A_TIME = 8


class BatchResult(NamedTuple):
    """One file's outcome: its path as listed, ``(symbol, crc)`` pairs in the order of the markers.

    ``error`` is the reason why the file gave nothing, ``complaints`` what ``--strict`` has to say.
    """

    path: str
    crcs: list[tuple[str, int]]
    complaints: list[str]
    error: str | None = None


class _Worker:
    """Serves files of one batch; lives as long as its process."""

    def __init__(self, dialect: Dialect, root: Path, symtypes_directory: Path | None, strict: bool) -> None:
        self._root = root
        self._symtypes_directory = symtypes_directory
        self._strict = strict
        wants_symtypes = symtypes_directory is not None or strict
        self._versioner = Versioner(dialect, wants_symtypes=wants_symtypes, notes_errors=strict)

    def result(self, path: str) -> BatchResult:
        try:
            source = (self._root / path).read_bytes()
            unit = self._versioner.unit_versions(source)
            if self._symtypes_directory is not None:
                target = self._symtypes_directory / _symtypes_name(path)
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(target, unit.symtypes_text().encode("latin-1"))
        except OSError as error:
            return BatchResult(path, [], [], f"{error.filename or path}: {error.strerror}")
        except RecursionError:
            return BatchResult(path, [], [], f"{path}: nested too deep")
        crcs = [(version.name, version.crc) for version in unit.versions]
        return BatchResult(path, crcs, complaints(unit) if self._strict else [])


def _symtypes_name(path: str) -> str:
    """``net/core/dev.i`` -> ``net/core/dev.symtypes``, never outside of the directory it is put in."""
    relative = os.path.normpath("/" + path).lstrip("/")
    return (relative[:-2] if relative.endswith(".i") else relative) + ".symtypes"


def run_batch(
    paths: Sequence[str],
    dialect: Dialect,
    *,
    root: Path = Path(),
    symtypes_directory: Path | None = None,
    jobs: int = 1,
    strict: bool = False,
) -> Iterator[BatchResult]:
    """The results of all files, in the order of ``paths``; a file that fails does not stop the others.

    ``root`` is where relative paths begin; with ``symtypes_directory`` a symtypes file is
    written below it for each unit.  ``jobs`` is the number of processes.
    """
    if jobs <= 1 or len(paths) <= 1:
        # What is remembered has no cycles to collect; looking for them only costs time.
        collected = gc.isenabled()
        gc.disable()
        try:
            worker = _Worker(dialect, root, symtypes_directory, strict)
            for path in paths:
                yield worker.result(path)
        finally:
            if collected:
                gc.enable()
        return
    # Not needed by a single process, and slow to load.
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    blocks = [paths[start : start + _FILES_AT_A_TIME] for start in range(0, len(paths), _FILES_AT_A_TIME)]
    with ProcessPoolExecutor(
        min(jobs, len(blocks)), initializer=_begin_process, initargs=(dialect, root, symtypes_directory, strict)
    ) as pool:
        try:
            for results in pool.map(_process_block, blocks):
                yield from results
        except BaseException:
            # Interrupted, or the reader is gone: what is under way is of no use any more.
            for process in multiprocessing.active_children():
                process.terminate()
            raise


_process_worker: list[_Worker] = []


def _begin_process(dialect: Dialect, root: Path, symtypes_directory: Path | None, strict: bool) -> None:
    gc.disable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process ends its children
    _process_worker[:] = [_Worker(dialect, root, symtypes_directory, strict)]


def _process_block(paths: Iterable[str]) -> list[BatchResult]:
    return [_process_worker[0].result(path) for path in paths]
