# SPDX-License-Identifier: GPL-2.0-or-later
"""depmod-py on described modules directories: a directory of ``depmod_cases`` is a case.

======================  ==================================================================================
``files``               the file system (:mod:`tests.kmod.depmod_trees`), in which ``ROOT`` is its path
``command``             the command line
``stdout``, ``stderr``  what is printed; missing if empty
``status``              the exit status; missing if 0
``made``                the files in the modules directory afterwards, indices as text; missing if there are none
======================  ==================================================================================

All but the cases in :data:`OWN` are kmod's answers: ``tests/conformance/depmod_files.py`` compares.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from modpost_py.kmod import depmod_cli
from tests.kmod.depmod_trees import RELEASE, as_text, made_files, write_tree

CASES = sorted(path for path in (Path(__file__).parent / "depmod_cases").iterdir() if path.is_dir())

#: Cases of what Debian's kmod 30 cannot do.
OWN = ("gzip", "weakdep")


def expected(case: Path, name: str, default: str = "") -> str:
    """A file of a case."""
    path = case / name
    return path.read_text(errors="surrogateescape") if path.exists() else default


def write_case(case: Path, root: Path) -> list[str]:
    """Make the file system of a case below ``root``; returns the words of its command line."""
    description = expected(case, "files").replace("ROOT", str(root))
    if description:
        write_tree(description, root)
    return shlex.split(expected(case, "command").replace("ROOT", str(root)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that what is printed, the exit status and all files of a case are as they should be."""
    words = write_case(case, tmp_path)
    monkeypatch.setattr("sys.argv", words)
    status = depmod_cli.main()
    printed = capfd.readouterr()
    assert printed.out.replace(str(tmp_path), "ROOT") == expected(case, "stdout")
    assert printed.err.replace(str(tmp_path), "ROOT") == expected(case, "stderr")
    assert status == int(expected(case, "status", "0"))
    made = as_text(made_files(tmp_path / "lib/modules" / RELEASE))
    assert made.replace(str(tmp_path), "ROOT") == expected(case, "made")
