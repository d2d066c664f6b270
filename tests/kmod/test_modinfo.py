# SPDX-License-Identifier: GPL-2.0-or-later
"""modinfo-py on described file systems: a directory of ``modinfo_cases`` is a case.

======================  ==================================================================================
``files``               the file system (:mod:`tests.kmod.described_files`)
``command``             the command line, run in its root
``stdout``, ``stderr``  what is printed, a NUL shown as ``^@``, the root's path as ``ROOT``; missing if empty
``status``              the exit status; missing if 0
======================  ==================================================================================

What has no option of our own is what kmod prints: ``tests/conformance/modinfo_outputs.py`` compares.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kmod.described_files import write_described

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted(path for path in (Path(__file__).parent / "modinfo_cases").iterdir() if path.is_dir())

_PROGRAM = "import sys; sys.argv[0] = 'modinfo'; from modpost_py.kmod.modinfo_cli import main; sys.exit(main())"


def run(words: list[str], directory: Path, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run modinfo-py in a directory; it takes itself for ``modinfo``."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PWD": str(directory), "LC_ALL": "C"}
    command = [sys.executable, "-c", _PROGRAM, *words]
    chosen = {"env": environment, "capture_output": True, "timeout": 60, **options}
    return subprocess.run(command, cwd=directory, **chosen)  # type: ignore[call-overload,no-any-return]


def shown(text: bytes, root: Path) -> str:
    """An output as the cases write it."""
    return text.decode().replace(str(root), "ROOT").replace("\0", "^@")


def expected(case: Path, name: str, default: str = "") -> str:
    """A file of a case."""
    path = case / name
    return path.read_text() if path.exists() else default


def is_kmods(case: Path) -> bool:
    """Whether a case is one of kmod's, not of our own options or of what Debian's kmod was built without."""
    return not {"--json", "--versions"} & set((case / "command").read_text().split()) and case.name != "gzip"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Path, tmp_path: Path) -> None:
    """Check that stdout, stderr and status of a case are as they should be."""
    write_described((case / "files").read_text(), tmp_path)
    words = shlex.split((case / "command").read_text())
    done = run(words[1:], tmp_path)
    assert shown(done.stdout, tmp_path) == expected(case, "stdout")
    assert shown(done.stderr, tmp_path) == expected(case, "stderr")
    assert done.returncode == int(expected(case, "status", "0"))
