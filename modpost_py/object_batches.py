# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading many objects: with all processors where that pays, in the order given.

Objects are independent of each other, so that batches of them can be read by other processes.
Their facts come back in order, and what one object says is reported before the next one's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from modpost_py.dialects import Dialect
from modpost_py.module_facts import ModuleFacts
from modpost_py.object_reading import read_object
from modpost_py.options import Options
from modpost_py.section_mismatch import RunState

# Starting processes costs as much as reading some 50 objects
_FEWEST_FOR_PROCESSES = 200
_BATCH = 64
_MOST_PROCESSES = 8


def read_objects(paths: Sequence[str], options: Options, dialect: Dialect) -> Iterator[ModuleFacts]:
    """The facts of every object in order, less those passed over in silence; stops after one that failed."""
    processes = min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)
    if len(paths) < _FEWEST_FOR_PROCESSES or processes < 2 or dialect.keeps_section_state:
        yield from _read_in_turn(paths, options, dialect)
    else:
        yield from _read_in_processes(paths, options, dialect, processes)


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


def _read_in_processes(
    paths: Sequence[str], options: Options, dialect: Dialect, processes: int
) -> Iterator[ModuleFacts]:
    import multiprocessing  # a small run does without it

    batches = [paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH)]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for batch in pool.imap(_BatchReader(options, dialect), batches):
            for facts in batch:
                yield facts
                if facts.failure is not None:
                    return
