# SPDX-License-Identifier: GPL-2.0-or-later
"""Running modpost in a directory of a test, within this process."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from modpost_py.cli import parse
from modpost_py.dialects import DIALECTS
from modpost_py.messages import Diagnostic, printed
from modpost_py.whole_run import Run, RunResult
from tests.modpost.module_writer import ModuleSpec, write_files

ALL = tuple(dialect.name for dialect in DIALECTS)
SINCE_6_1 = ALL[1:]
SINCE_6_12 = ALL[2:]

_BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


class Outcome(NamedTuple):
    """What a run says and leaves: exit status, stderr, the files that are new or changed."""

    status: int
    stderr: str
    files: dict[str, str]
    result: RunResult


@contextmanager
def inside(directory: Path, stdin: bytes = b"") -> Any:
    """Work in ``directory`` with ``stdin``."""
    before, old_stdin = Path.cwd(), sys.stdin
    os.chdir(directory)
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    try:
        yield
    finally:
        os.chdir(before)
        sys.stdin = old_stdin


def _contents(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_bytes().decode("latin-1")
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def run_in(directory: Path, dialect: str, arguments: Sequence[str], stdin: bytes = b"") -> Outcome:
    """Run modpost with a command line as in a shell."""
    before = _contents(directory)
    found: list[Diagnostic] = []
    with inside(directory, stdin):
        result = Run(parse(arguments, _BY_NAME[dialect]), _BY_NAME[dialect], found.append).execute()
    after = _contents(directory)
    changed = {path: text for path, text in after.items() if before.get(path) != text}
    return Outcome(
        result.exit_status, "".join(printed(diagnostic, _BY_NAME[dialect]) for diagnostic in found), changed, result
    )


def run_modules(
    directory: Path,
    dialect: str,
    modules: Iterable[ModuleSpec],
    options: str = "",
    files: Mapping[str, str | bytes] | None = None,
) -> Outcome:
    """Write the modules and more files, and run modpost on the modules in their order."""
    objects = [module.write(directory, dialect) for module in modules]
    texts = {path: text if isinstance(text, bytes) else text.encode("latin-1") for path, text in (files or {}).items()}
    write_files(directory, texts)
    return run_in(directory, dialect, [*options.split(), *objects])
