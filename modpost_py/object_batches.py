# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading many objects with all processors, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modpost_py.dialects import Dialect
from modpost_py.module_facts import ModuleFacts
from modpost_py.object_reading import read_object
from modpost_py.options import Options
from modpost_py.section_mismatch import RunState


def read_objects(paths: Sequence[str], options: Options, dialect: Dialect) -> Iterator[ModuleFacts]:
    """The facts of every object in order, less those passed over in silence; stops after one that failed."""
    state = RunState()
    for path in paths:
        facts = read_object(path, options, dialect, state)
        if facts is not None:
            yield facts
            if facts.failure is not None:
                return
