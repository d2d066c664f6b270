# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading many objects: with all processors where that pays, in the order given.

Objects are independent of each other, so that batches of them can be read by other processes.
Their facts come back in order, and what one object says is reported before the next one's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from modpost_py.dialects import Dialect
from modpost_py.module_facts import ModuleFacts
from modpost_py.object_reading import read_object
from modpost_py.options import Options
from modpost_py.section_mismatch import RunState

if TYPE_CHECKING:
    from multiprocessing.pool import Pool

# Starting processes costs as much as reading some 50 objects
_FEWEST_FOR_PROCESSES = 200
_BATCH = 64
_MOST_PROCESSES = 8


class ObjectReading:
    """The facts of every object of a run, in order, less those passed over in silence.

    Where there are many, other processes begin to read as soon as this object is made, and end
    with its ``with`` block.  The iteration stops after an object whose reading failed.
    """

    def __init__(self, paths: Sequence[str], options: Options, dialect: Dialect) -> None:
        processes = min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)
        self._pool: Pool | None = None
        if len(paths) < _FEWEST_FOR_PROCESSES or processes < 2 or dialect.keeps_section_state:
            self._facts = _read_in_turn(paths, options, dialect)
            return
        import multiprocessing  # a small run does without it

        batches = [paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH)]
        self._pool = multiprocessing.get_context("fork").Pool(processes)
        self._facts = _in_order(self._pool.imap(_BatchReader(options, dialect), batches))

    def __enter__(self) -> ObjectReading:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is not None:
            self._pool.terminate()

    def __iter__(self) -> Iterator[ModuleFacts]:
        return self._facts


def _in_order(batches: Iterable[list[ModuleFacts]]) -> Iterator[ModuleFacts]:
    for batch in batches:
        for facts in batch:
            yield facts
            if facts.failure is not None:
                return


def _read_in_turn(paths: Sequence[str], options: Options, dialect: Dialect) -> Iterator[ModuleFacts]:
    state = RunState()
    for path in paths:
        facts = read_object(path, options, dialect, state)
        if facts is not None:
            yield facts
            if facts.failure is not None:
                return


class _BatchReader:
    """What a process does with one batch of paths."""

    def __init__(self, options: Options, dialect: Dialect) -> None:
        self._options = options
        self._dialect = dialect

    def __call__(self, paths: Sequence[str]) -> list[ModuleFacts]:
        return list(_read_in_turn(paths, self._options, self._dialect))
