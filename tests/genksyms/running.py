# SPDX-License-Identifier: GPL-2.0-or-later
"""Running the command genksyms-py: in a fork of the test's process, or as a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from genksyms_py.cli import main

#: The bare checkout that the tests stand in.
CHECKOUT = Path(__file__).resolve().parents[2]

#: How the command calls itself in its messages.
PROGRAM = "genksyms"


class Outcome(NamedTuple):
    """Exit status (negative: the signal), stdout and stderr of a run."""

    status: int
    stdout: str
    stderr: str


def run(
    arguments: Sequence[str | Path],
    stdin: bytes = b"",
    *,
    kernel: str | None = "6.1",
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    closed: Sequence[int] = (),
) -> Outcome:
    """Run the command for ``kernel``; a fork costs a hundredth of what a new interpreter does.

    ``closed`` are descriptors that the command finds closed, with None for their streams as in a new interpreter.
    """
    words = [*([] if kernel is None else ["--kernel", kernel]), *map(str, arguments)]
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        source.write(stdin)
        source.seek(0)
        process = os.fork()
        if not process:
            descriptors = [file.fileno() for file in (source, stdout, stderr)]
            _become_the_command(words, descriptors, directory, environment, closed)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        return Outcome(status, *(_content(file) for file in (stdout, stderr)))


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("latin-1")


def _become_the_command(
    words: Sequence[str],
    descriptors: Sequence[int],
    directory: Path | None,
    environment: Mapping[str, str] | None,
    closed: Sequence[int],
) -> None:
    try:
        for descriptor, file in enumerate(descriptors):
            os.dup2(file, descriptor)
        sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False, errors="backslashreplace")
        for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
            if descriptor in closed:
                os.close(descriptor)
                setattr(sys, name, None)
        sys.argv[0] = PROGRAM
        for variable in ("GENKSYMS_KERNEL", "KERNELRELEASE", "KERNELVERSION"):
            os.environ.pop(variable, None)
        os.environ.update(environment or {})
        if directory is not None:
            os.chdir(directory)
        main(words)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(99)


def start(
    arguments: Sequence[str | Path],
    *,
    directory: Path | None = None,
    stdin: int = subprocess.PIPE,
    stdout: int = subprocess.PIPE,
    kernel: str = "6.1",
) -> subprocess.Popen[bytes]:
    """Start ``python -m genksyms_py`` as a program of its own, at the head of its own process group."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "GENKSYMS_KERNEL": kernel}
    return subprocess.Popen(
        [sys.executable, "-m", "genksyms_py", *map(str, arguments)],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=directory,
        env=environment,
        start_new_session=True,
    )


def unit(*exports: str, header: str = "", source: str = "") -> bytes:
    """A preprocessed unit ``x.c`` with the text of a header ``x.h``, text of its own, and export markers."""
    markers = "".join(f"__GENKSYMS_EXPORT_SYMBOL({name});\n" for name in exports)
    text = f'# 1 "x.c"\n# 1 "x.h" 1\n{header}\n# 2 "x.c" 2\n{source}\n{markers}'
    return text.encode("latin-1")
